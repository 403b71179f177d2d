/** One sound of a table: a button, a place in the sound, and on demand its picture and words. */

import { Plots } from '../drawing.js';
import { audioContext, fetchSound } from '../sound.js';
import { icon, make, PAUSE, PLAY } from '../study/dom.js';

let current = null; // the cell that sounds, or did last

/** Silence what sounds. */
export function silence() {
  current?.pause();
}

export class Cell {
  /**
   * `clip` has sound (an address), seconds and text; `name` is what it is called aloud; `promptSeconds` of its
   * beginning are the prompt; `say` tells a fault.
   */
  constructor(clip, { name, promptSeconds, rate, say }) {
    Object.assign(this, { clip, name, promptSeconds, rate, say });
    this.sound = null;
    this.tick = this.tick.bind(this);
    this.button = make('button', { type: 'button', class: 'play', onclick: () => this.toggle() }, icon(PLAY), icon(PAUSE));
    this.button.firstChild.classList.add('i-play');
    this.button.lastChild.classList.add('i-pause');
    this.place = make('input', {
      type: 'range', min: '0', max: clip.seconds, step: '0.1', value: '0', disabled: true,
      'aria-label': `Position in ${name}`, oninput: () => this.seek(),
    });
    this.clock = make('span', { class: 'clock' }, `${clip.seconds.toFixed(1)} s`);
    this.detail = make('div', { class: 'detail', hidden: true });
    this.element = make('div', { class: 'cell' },
      make('div', { class: 'transport' }, this.button, make('div', { class: 'line' }, this.place, this.clock)), this.detail);
    this.element.style.setProperty('--prompt', promptSeconds / clip.seconds);
    this.paint();
  }

  /** The decoded sound; fetched once. Call it from a click or a key press. */
  async load() {
    audioContext(this.rate);
    this.loading ??= fetchSound(this.clip.sound, this.rate).catch((error) => {
      this.loading = null;
      throw error;
    });
    this.sound = await this.loading;
    this.place.disabled = false;
    return this.sound;
  }

  async toggle() {
    if (this.sound?.playing) return this.pause();
    const before = current;
    current = this;
    if (before !== this) before?.pause();
    this.element.classList.add('waiting');
    try {
      const sound = await this.load();
      if (current !== this || sound.playing) return;
      sound.play(sound.offset >= sound.length ? 0 : sound.offset);
      this.tick();
    } catch (error) {
      this.say(error.message);
    } finally {
      this.element.classList.remove('waiting');
      this.paint();
    }
  }

  pause() {
    if (this.sound?.playing) this.sound.pause();
    else if (current === this) current = null; // what is still on its way shall not sound
    this.paint();
  }

  seek() {
    this.sound?.seek(Math.round(this.place.value * this.sound.rate));
    this.draw();
  }

  tick() {
    if (this.sound.ended()) {
      this.sound.silence();
      this.sound.offset = this.sound.length;
    }
    this.draw();
    this.paint();
    if (this.sound.playing) requestAnimationFrame(this.tick);
  }

  paint() {
    const playing = Boolean(this.sound?.playing);
    this.button.setAttribute('aria-label', `${playing ? 'Pause' : 'Play'} ${this.name}`);
    this.button.classList.toggle('on', playing);
    this.element.classList.toggle('on', playing);
  }

  draw() {
    if (!this.sound) return;
    const now = this.sound.position() / this.sound.rate;
    if (document.activeElement !== this.place || this.sound.playing) this.place.value = now;
    this.place.setAttribute('aria-valuetext', `${now.toFixed(1)} of ${this.clip.seconds.toFixed(1)} seconds`);
    this.clock.textContent = `${now.toFixed(1)} / ${this.clip.seconds.toFixed(1)} s`;
    if (this.plots && !this.detail.hidden) {
      this.plots.draw(this.sound.seconds, now);
      this.needle.style.left = `${(100 * now) / this.sound.seconds}%`;
    }
  }

  /** Show or hide the picture and the words. */
  async look(open) {
    this.detail.hidden = !open;
    if (!open) return;
    if (!this.plots) this.build();
    try {
      this.plots.update(await this.load());
      this.draw();
    } catch (error) {
      this.say(error.message);
    }
  }

  build() {
    const wave = make('canvas', { class: 'wave' });
    const spectrum = make('canvas', { class: 'spectrum' });
    this.needle = make('div', { class: 'needle' });
    const end = this.promptSeconds < this.clip.seconds ? make('div', { class: 'prompt-end' }) : null;
    const screen = make('div', { class: 'screen', role: 'img', 'aria-label': `Waveform and spectrogram of ${this.name}` },
      wave, spectrum, end, this.needle);
    this.plots = new Plots(wave, spectrum);
    this.detail.append(screen);
    if (this.clip.text) this.detail.append(make('p', { class: 'words' }, this.clip.text));
    new ResizeObserver(() => this.draw()).observe(screen);
  }
}
