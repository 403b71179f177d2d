/** A sound, or two on one time axis: before and after a codec. Switching between them keeps the place. */

import { Plots } from './drawing.js';
import { make } from './history.js';
import { audioContext, fetchClip } from './sound.js';

export class Compare {
  /** `names` are what the two sounds are called; */
  constructor(root, { names = ['Original', 'After the codec'] } = {}) {
    this.root = root;
    this.names = names;
    this.section = root.querySelector('.compare');
    this.rows = [];
    this.tick = this.tick.bind(this);
    new ResizeObserver(() => this.draw()).observe(root);
  }

  say(sentence) {
    this.root.querySelector('.codec-status').textContent = sentence;
    this.root.querySelector('.codec-alert').textContent = '';
  }

  fail(sentence) {
    this.say('');
    this.root.querySelector('.codec-alert').textContent = sentence;
  }

  async show(message) {
    this.stop();
    try {
      const ids = [message.original, message.reconstructed].filter(Boolean);
      const sounds = await Promise.all(ids.map((id) => fetchClip(id)));
      this.root.querySelector('.figures').hidden = ids.length < 2;
      if (ids.length > 1) this.tell(message);
      this.rows = ids.map((id, i) => this.row(this.names[i], sounds[i], id));
      this.section.querySelector('.pair').replaceChildren(...this.rows.map((row) => row.element));
      this.section.hidden = false;
      this.say(ids.length > 1 ? 'Ready to compare: switching between the two keeps the place.' : '');
      this.draw();
    } catch (error) {
      this.fail(error.message);
    }
  }

  tell(message) {
    const text = {
      '.snr': `${message.si_snr_db.toFixed(1)} dB`,
      '.length': `${message.seconds.toFixed(1)} s`,
      '.latents': `${message.frame_rate} Hz × ${message.dimensions}`,
      '.took': `${message.took_seconds.toFixed(2)} s`,
    };
    for (const [selector, value] of Object.entries(text)) this.root.querySelector(selector).textContent = value;
  }

  row(name, sound, clip) {
    const element = make('figure', 'screen');
    const caption = make('figcaption', '');
    const play = make('button', 'play', '');
    play.type = 'button';
    play.innerHTML =
      '<svg viewBox="0 0 24 24" aria-hidden="true"><path class="i-play" d="M8 5v14l11-7z"/><path class="i-pause" d="M7 5h4v14H7zM13 5h4v14h-4z"/></svg>';
    const save = make('a', 'save', 'WAV');
    save.href = `/api/v1/clips/${encodeURIComponent(clip)}.wav?download=true`;
    save.setAttribute('aria-label', `Download ${name}`);
    caption.append(play, make('span', '', name), save);
    const plots = make('div', 'plots');
    plots.setAttribute('role', 'img');
    plots.setAttribute('aria-label', `Waveform and spectrogram: ${name}`);
    const [wave, spectrum, needle] = [make('canvas', 'wave'), make('canvas', 'spectrum'), make('div', 'needle')];
    plots.append(wave, spectrum, needle);
    element.append(caption, plots);
    const row = { name, sound, element, play, needle, plots: new Plots(wave, spectrum) };
    row.plots.update(sound);
    play.addEventListener('click', () => this.toggle(row));
    this.paint(row);
    return row;
  }

  toggle(row) {
    audioContext(row.sound.rate);
    const other = this.rows.find((candidate) => candidate !== row);
    if (row.sound.playing) row.sound.pause();
    else {
      let from = row.sound.offset >= row.sound.length ? 0 : row.sound.offset;
      if (other?.sound.playing) {
        from = Math.round(other.sound.position());
        other.sound.pause();
      }
      row.sound.play(from);
    }
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(this.tick);
  }

  stop() {
    for (const row of this.rows) row.sound.pause();
    this.draw();
  }

  tick() {
    for (const { sound } of this.rows) {
      if (sound.ended()) {
        sound.silence();
        sound.offset = sound.length;
      }
    }
    this.draw();
    if (this.rows.some(({ sound }) => sound.playing)) this.frame = requestAnimationFrame(this.tick);
  }

  draw() {
    for (const row of this.rows) {
      const now = row.sound.position() / row.sound.rate;
      row.plots.draw(row.sound.seconds, now);
      row.needle.style.left = `${(100 * now) / row.sound.seconds}%`;
      this.paint(row);
    }
  }

  paint(row) {
    row.play.classList.toggle('on', row.sound.playing);
    row.play.setAttribute('aria-label', `${row.sound.playing ? 'Pause' : 'Play'}: ${row.name}`);
  }
}
