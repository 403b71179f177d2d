/** The player: one sound at a time, streamed or kept, drawn, with seek and downloads. A run may feed several. */

import { Plots } from './drawing.js';
import { audioContext, fetchClip, Sound } from './sound.js';
import { readRun, stopRun } from './stream.js';

const FORMATS = ['wav', 'flac', 'mp3', 'json'];
const SEEK_SECONDS = 1;

export class Player {
  /** `onFinished(entry)` is called with every sound that was kept. */
  constructor(root, { onFinished }) {
    this.root = root;
    this.onFinished = onFinished;
    this.formats = FORMATS;
    this.words = { doing: 'Speaking…', made: 'speech' };
    this.find = (selector) => root.querySelector(selector);
    this.plots = new Plots(this.find('.wave'), this.find('.spectrum'));
    this.sound = null;
    this.run = null;
    this.turn = 0; // what arrives for an earlier turn is ignored
    this.axis = 4;
    this.find('.play').addEventListener('click', () => this.toggle());
    this.connectSeek(this.find('.seek'));
    new ResizeObserver(() => this.draw()).observe(root);
    this.tick = this.tick.bind(this);
  }

  /**
   * Stream a run; `clicked` is the performance time of the click or key that asked for it. `others` get the variants
   * behind the first one; they stop with this player.
   */
  async stream(id, request, clicked, others = []) {
    const players = [this, ...others];
    for (const player of players) player.halt();
    const turn = (this.turn += 1);
    const abort = new AbortController();
    this.run = { id, abort, request };
    players.forEach((player, at) => player.show({ state: 'waiting', status: 'Starting…', seed: request.seed + at }));
    let ended = false;
    try {
      await readRun(id, {
        signal: abort.signal,
        onMessage: (message) => {
          ended ||= message.type === 'finished' || message.type === 'failed';
          if (turn !== this.turn) return;
          players.forEach((player, at) => player.onMessage({ ...message, ...message.variants?.[at] }, clicked));
        },
        onSamples: (samples, variant) => {
          if (turn === this.turn) players[variant].onSamples(samples);
        },
      });
      if (!ended && turn === this.turn) throw new Error('The connection broke; please try again.');
    } catch (error) {
      if (turn === this.turn && error.name !== 'AbortError') for (const player of players) player.fail(error.message);
    } finally {
      if (turn === this.turn) this.run = null;
    }
  }

  onMessage(message, clicked) {
    if (message.type === 'waiting') this.say(`Waiting for a free place, number ${message.position} in the queue.`);
    else if (message.type === 'progress') this.say(message.message, message.fraction);
    else if (message.type === 'failed') this.fail(message.message);
    else if (message.type === 'started') {
      this.begin(new Sound(message.sample_rate));
      this.clicked = clicked;
      this.say(this.words.doing);
    } else if (message.type === 'finished') this.finish(message);
  }

  onSamples(samples) {
    if (!this.sound) return;
    this.sound.append(samples);
    if (!this.sound.playing && !this.held && this.sound.startedAt === null) this.sound.play(0);
    this.plots.update(this.sound);
  }

  finish({ clip, info, warning }) {
    if (!this.sound) {
      this.show({ state: 'empty', status: 'Stopped before the first sound.' });
      return;
    }
    this.sound.complete = true;
    this.plots.update(this.sound);
    const seconds = this.sound.seconds.toFixed(1);
    const done = info.stopped ? `Stopped after ${seconds} seconds.` : `Done: ${seconds} seconds of ${this.words.made}.`;
    this.say(warning ?? done);
    this.setFigure('.rtf', info.from_cache ? 'kept' : speedOf(info));
    this.offer(clip);
    this.draw();
    if (clip) this.onFinished({ clip, info });
  }

  /** Play a kept clip; resolves when it has begun. */
  async playClip(clip, info) {
    this.halt();
    const turn = (this.turn += 1);
    const clicked = performance.now();
    try {
      const sound = await fetchClip(clip);
      if (turn !== this.turn) return;
      this.begin(sound);
      this.clicked = clicked;
      this.plots.update(sound);
      sound.play(0);
      this.setFigure('.seed', info.seed);
      this.setFigure('.rtf', speedOf(info));
      this.offer(clip);
      this.say(`Playing: ${sound.seconds.toFixed(1)} seconds.`);
    } catch (error) {
      if (turn === this.turn) this.fail(error.message);
    }
  }

  begin(sound) {
    this.sound?.silence();
    this.sound = sound;
    this.held = false;
    this.heard = false;
    this.axis = 4;
    this.plots.clear(sound.rate);
    this.show({ state: 'playing' });
    this.offer(null);
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(this.tick);
  }

  /** Stop: silence at once, and the server ends the run at its next frame. */
  stop() {
    if (this.run) {
      stopRun(this.run.id);
      if (!this.sound || this.sound.complete) this.run.abort.abort();
      if (!this.sound) this.show({ state: 'empty', status: 'Stopped.' });
    }
    if (this.sound) {
      this.held = true;
      this.sound.pause();
      this.say(`Stopped at ${(this.sound.offset / this.sound.rate).toFixed(1)} seconds.`);
    }
    this.paintButton();
  }

  /** Drop what is going on, before something else begins. */
  halt() {
    if (this.run) {
      this.run.abort.abort();
      this.run = null;
    }
    this.sound?.silence();
    this.sound = null;
    this.turn += 1;
    this.root.querySelector('.alert').textContent = '';
    this.setFigure('.first', null);
    this.setFigure('.rtf', null);
    this.offer(null);
  }

  fail(sentence) {
    this.sound?.pause();
    this.show({ state: this.sound?.length ? 'stopped' : 'empty', status: '' });
    this.find('.alert').textContent = sentence;
    this.paintButton();
  }

  toggle() {
    if (!this.sound) return;
    audioContext(this.sound.rate);
    this.held = this.sound.playing;
    if (this.sound.playing) this.sound.pause();
    else this.sound.play(this.sound.offset >= this.sound.length ? 0 : this.sound.offset);
    this.paintButton();
    this.frame = requestAnimationFrame(this.tick);
  }

  tick() {
    const { sound } = this;
    if (!sound) return;
    if (!this.heard && sound.startedAt !== null && audioContext(sound.rate).currentTime >= sound.startedAt) {
      this.heard = true;
      const seconds = (performance.now() - this.clicked) / 1000;
      this.root.dataset.firstSound = seconds.toFixed(3);
      this.setFigure('.first', `${seconds.toFixed(2)} s`);
    }
    if (sound.ended()) {
      sound.silence();
      sound.offset = sound.length;
    }
    this.draw();
    cancelAnimationFrame(this.frame);
    if (sound.playing || !sound.complete) this.frame = requestAnimationFrame(this.tick);
  }

  draw() {
    const { sound } = this;
    if (!sound) return;
    const now = sound.position() / sound.rate;
    while (!sound.complete && sound.seconds > this.axis) this.axis *= 2;
    const axis = sound.complete ? Math.max(sound.seconds, 0.5) : this.axis;
    this.plots.draw(axis, now);
    this.find('.needle').style.left = `${(100 * now) / axis}%`;
    this.find('.now').textContent = now.toFixed(1);
    this.find('.all').textContent = sound.seconds.toFixed(1);
    const seek = this.find('.seek');
    seek.setAttribute('aria-valuemax', sound.seconds.toFixed(1));
    seek.setAttribute('aria-valuenow', now.toFixed(1));
    seek.setAttribute('aria-valuetext', `${now.toFixed(1)} of ${sound.seconds.toFixed(1)} seconds`);
    seek.dataset.axis = axis;
    this.root.dataset.underruns = sound.underruns;
    this.paintButton();
  }

  connectSeek(seek) {
    const at = (event) => {
      if (!this.sound) return;
      const box = seek.getBoundingClientRect();
      const seconds = ((event.clientX - box.left) / box.width) * Number(seek.dataset.axis);
      this.sound.seek(Math.round(seconds * this.sound.rate));
      this.draw();
    };
    seek.addEventListener('pointerdown', (event) => {
      seek.setPointerCapture(event.pointerId);
      at(event);
    });
    seek.addEventListener('pointermove', (event) => seek.hasPointerCapture(event.pointerId) && at(event));
    seek.addEventListener('keydown', (event) => {
      if (!this.sound) return;
      const jump = SEEK_SECONDS * this.sound.rate;
      const now = this.sound.position();
      const to = { ArrowLeft: now - jump, ArrowRight: now + jump, Home: 0, End: this.sound.length }[event.key];
      if (event.key === ' ') this.toggle();
      else if (to === undefined) return;
      else this.sound.seek(to);
      event.preventDefault();
      this.draw();
    });
  }

  offer(clip) {
    const box = this.find('.downloads');
    box.hidden = !clip;
    box.replaceChildren(...(clip ? downloadLinks(clip, this.formats) : []));
  }

  say(sentence, fraction) {
    this.find('.status').textContent = sentence;
    const bar = this.find('.progress');
    bar.hidden = fraction === undefined || fraction === null;
    if (!bar.hidden) bar.firstElementChild.value = fraction;
  }

  show({ state, status, seed }) {
    this.root.dataset.state = state;
    this.find('.alert').textContent = '';
    if (status !== undefined) this.say(status);
    if (seed !== undefined) this.setFigure('.seed', seed);
    this.paintButton();
  }

  paintButton() {
    const button = this.find('.play');
    const playing = Boolean(this.sound?.playing);
    button.disabled = !this.sound?.length;
    button.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    button.classList.toggle('on', playing);
    if (this.sound) this.root.dataset.state = playing ? 'playing' : 'stopped';
  }

  setFigure(selector, value) {
    this.find(selector).textContent = value ?? '–';
  }
}

/** How many seconds of sound were made in one second. */
function speedOf(info) {
  return info.real_time_factor ? `${info.real_time_factor.toFixed(1)}×` : null;
}

/** Links to every format of a clip. */
export function downloadLinks(clip, formats = FORMATS) {
  const what = { json: 'the parameters as JSON', txt: 'the words as text' };
  return formats.map((format) => {
    const link = document.createElement('a');
    link.href = `/api/v1/clips/${encodeURIComponent(clip)}.${format}?download=true`;
    link.download = '';
    link.textContent = format.toUpperCase();
    link.setAttribute('aria-label', `Download ${what[format] ?? format.toUpperCase()}`);
    return link;
  });
}
