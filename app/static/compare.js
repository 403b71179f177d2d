/** Codec tab: two sounds on one time axis; switching between them keeps the place. */

import { Plots } from './drawing.js';
import { make } from './history.js';
import { audioContext, fetchClip } from './sound.js';

export class Compare {
  constructor(root) {
    this.root = root;
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
      const sounds = await Promise.all([fetchClip(message.original), fetchClip(message.reconstructed)]);
      const text = {
        '.snr': `${message.si_snr_db.toFixed(1)} dB`,
        '.length': `${message.seconds.toFixed(1)} s`,
        '.latents': `${message.frame_rate} Hz × ${message.dimensions}`,
        '.took': `${message.took_seconds.toFixed(2)} s`,
      };
      for (const [selector, value] of Object.entries(text)) this.root.querySelector(selector).textContent = value;
      const ids = [message.original, message.reconstructed];
      this.rows = ['Original', 'After the codec'].map((name, i) => this.row(name, sounds[i], ids[i]));
      this.section.querySelector('.pair').replaceChildren(...this.rows.map((row) => row.element));
      this.section.hidden = false;
      this.say('Ready to compare: switching between the two keeps the place.');
      this.draw();
    } catch (error) {
      this.fail(error.message);
    }
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
    audioContext();
    const other = this.rows.find((candidate) => candidate !== row);
    if (row.sound.playing) row.sound.pause();
    else {
      let from = row.sound.offset >= row.sound.length ? 0 : row.sound.offset;
      if (other.sound.playing) {
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
