/** The player of a trial: play and pause, one overview for all sounds, a loop region, and how long each was heard. */

import { Deck, MINIMUM_LOOP_SECONDS } from './deck.js';
import { icon, make, PAUSE, PLAY } from './dom.js';

const ACCOUNT_MS = 200;
const LOOP_STEP_SECONDS = 0.1;
let shared = null;

/** The page's AudioContext at the rate of the device; call it from a click or a key press, so that it may sound. */
export function audioContext() {
  if (!shared || shared.state === 'closed') shared = new AudioContext({ latencyHint: 'interactive' });
  if (shared.state !== 'running') shared.resume().catch(() => {});
  return shared;
}

/** Loudest magnitude in each of `columns` stretches over all sounds: one picture that tells none from another. */
export function overview(buffers, columns) {
  const frames = buffers[0].length;
  const peaks = new Float32Array(columns);
  const samples = buffers.map((buffer) => buffer.getChannelData(0));
  const stride = Math.max(1, Math.floor(frames / columns / 400));
  for (let column = 0; column < columns; column += 1) {
    const [from, to] = [Math.floor((column * frames) / columns), Math.floor(((column + 1) * frames) / columns)];
    for (const sound of samples)
      for (let i = from; i < to; i += stride) peaks[column] = Math.max(peaks[column], Math.abs(sound[i]));
  }
  const top = Math.max(...peaks) || 1;
  return peaks.map((peak) => peak / top);
}

export class Player {
  /** `names` are what the slots are called aloud; `onChange()` follows every change of what is heard. */
  constructor({ words, names, onChange, onEvent, say }) {
    Object.assign(this, { words: words.player, names, onChange, onEvent, say });
    this.deck = null;
    this.heard = names.map(() => 0);
    this.accounted = null;
    this.tick = this.tick.bind(this);
    this.build();
  }

  build() {
    const { words } = this;
    this.playButton = make('button', { type: 'button', class: 'play', disabled: true, onclick: () => this.toggle() });
    this.playButton.append(icon(PLAY), icon(PAUSE));
    this.playButton.firstChild.classList.add('i-play');
    this.playButton.lastChild.classList.add('i-pause');
    this.canvas = make('canvas', { role: 'img', 'aria-label': words.overview });
    this.needle = make('div', { class: 'needle' });
    this.shade = make('div', { class: 'region' });
    this.seekSlider = this.handle('seek', words.position, (step) => this.seekBy(step * 10));
    this.from = this.handle('edge from', words.loopStart, (step) => this.moveLoop(step, 0));
    this.to = this.handle('edge to', words.loopEnd, (step) => this.moveLoop(0, step));
    this.screen = make('div', { class: 'overview' }, this.canvas, this.shade, this.needle, this.seekSlider, this.from, this.to);
    this.screen.addEventListener('pointerdown', (event) => this.grab(event));
    this.clock = make('span', { class: 'clock' }, '0.0 / 0.0 s');
    this.loopText = make('span', { class: 'loop-text' });
    this.wholeButton = make('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => this.loopWhole() }, words.whole);
    this.element = make('div', { class: 'player' }, this.playButton, this.screen,
      make('div', { class: 'under' }, this.clock, this.loopText, this.wholeButton));
    new ResizeObserver(() => this.drawOverview()).observe(this.screen);
    this.paint();
  }

  handle(kind, label, move) {
    const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
    return make('div', {
      class: kind, role: 'slider', tabindex: '0', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '0', 'aria-valuenow': '0',
      onkeydown: (event) => {
        if (!keys[event.key] || !this.deck) return;
        event.preventDefault();
        event.stopPropagation();
        move(keys[event.key] * LOOP_STEP_SECONDS);
      },
    });
  }

  /** Decode the sounds; `fetches` are functions that return a promise of bytes, in the order of the slots. */
  async load(fetches, onLoaded) {
    const context = audioContext();
    let done = 0;
    const buffers = await Promise.all(
      fetches.map(async (fetchBytes) => {
        const buffer = await context.decodeAudioData(await fetchBytes());
        onLoaded((done += 1), fetches.length);
        return buffer;
      }),
    );
    this.deck = new Deck(context, buffers);
    this.playButton.disabled = false;
    for (const slider of [this.seekSlider, this.from, this.to]) slider.setAttribute('aria-valuemax', this.deck.seconds.toFixed(1));
    this.drawOverview();
    this.paint();
  }

  get playing() {
    return this.deck?.playing ?? false;
  }

  get slot() {
    return this.deck?.slot ?? 0;
  }

  toggle() {
    if (!this.deck) return;
    audioContext();
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    this.deck.play();
    this.accounted = this.deck.context.currentTime;
    this.timer ??= setInterval(() => this.account(), ACCOUNT_MS);
    this.frameRequest ??= requestAnimationFrame(this.tick);
    this.changed('play', this.words.playing(this.names[this.slot]));
  }

  pause() {
    if (!this.playing) return;
    this.account();
    this.deck.pause();
    clearInterval(this.timer);
    this.timer = null;
    this.changed('pause', this.words.paused);
  }

  /** Hear a slot: switch to it while playing, else play it. */
  choose(slot) {
    if (!this.deck || slot < 0 || slot >= this.names.length) return;
    audioContext();
    if (slot === this.slot && this.playing) return;
    this.account();
    this.deck.switchTo(slot);
    if (this.playing) this.changed('switch', this.words.playing(this.names[slot]));
    else this.play();
  }

  seekBy(seconds) {
    if (this.deck) this.seekTo(this.deck.position() + seconds);
  }

  seekTo(seconds) {
    this.account();
    const { start, end } = this.loopSeconds();
    const inside = Math.max(start, Math.min(seconds, end - 0.02));
    this.deck.seek(inside);
    this.changed('seek');
  }

  loopSeconds() {
    const { loop, rate, seconds } = this.deck;
    return loop ? { start: loop.start / rate, end: loop.end / rate } : { start: 0, end: seconds };
  }

  setLoop(start, end) {
    this.account();
    this.deck.setLoop({ start, end });
    const set = this.loopSeconds();
    this.changed('loop', this.words.looping(set.start, set.end));
  }

  loopFromHere() {
    if (!this.deck) return;
    const here = this.deck.position();
    this.setLoop(here, Math.max(this.loopSeconds().end, here + MINIMUM_LOOP_SECONDS));
  }

  loopToHere() {
    if (!this.deck) return;
    const here = this.deck.position();
    this.setLoop(Math.min(this.loopSeconds().start, Math.max(0, here - MINIMUM_LOOP_SECONDS)), here);
  }

  loopWhole() {
    if (this.deck) this.setLoop(0, this.deck.seconds);
  }

  moveLoop(start, end) {
    const now = this.loopSeconds();
    const least = Math.min(MINIMUM_LOOP_SECONDS, this.deck.seconds);
    if (start) this.setLoop(Math.max(0, Math.min(now.start + start, now.end - least)), now.end);
    else this.setLoop(now.start, Math.min(this.deck.seconds, Math.max(now.end + end, now.start + least)));
  }

  /** A press on the overview seeks; a drag marks a loop; a drag that begins at an edge moves it. */
  grab(event) {
    if (!this.deck || event.button > 0) return;
    event.preventDefault();
    const box = this.screen.getBoundingClientRect();
    const place = (e) => Math.max(0, Math.min(1, (e.clientX - box.left) / box.width)) * this.deck.seconds;
    const pressed = place(event);
    const edge = event.target === this.from ? 'from' : event.target === this.to ? 'to' : null;
    const { start, end } = this.loopSeconds();
    const fixed = edge === 'from' ? end : edge === 'to' ? start : pressed;
    let last = pressed;
    const move = (e) => {
      last = place(e);
      this.shadeRegion(Math.min(fixed, last), Math.max(fixed, last));
    };
    const drop = () => {
      window.removeEventListener('pointermove', move);
      window.removeEventListener('pointerup', drop);
      window.removeEventListener('pointercancel', drop);
      if (edge || Math.abs(last - pressed) >= MINIMUM_LOOP_SECONDS / 2) this.setLoop(Math.min(fixed, last), Math.max(fixed, last));
      else this.seekTo(pressed);
    };
    window.addEventListener('pointermove', move);
    window.addEventListener('pointerup', drop);
    window.addEventListener('pointercancel', drop);
    if (edge) event.target.focus();
  }

  /** Add what sounded since the last call to the slot that was heard. */
  account() {
    if (!this.playing) return;
    const now = this.deck.context.currentTime;
    this.heard[this.slot] += now - this.accounted;
    this.accounted = now;
    this.deck.extend();
    this.onChange();
  }

  changed(event, announcement) {
    this.accounted = this.deck.context.currentTime;
    this.onEvent(event, { slot: this.slot, at: Number(this.deck.position().toFixed(3)) });
    if (announcement) this.say(announcement);
    this.paint();
    this.onChange();
  }

  tick() {
    this.frameRequest = null;
    if (!this.element.isConnected) {
      this.leave();
      return;
    }
    this.paintPlace();
    if (this.playing) this.frameRequest = requestAnimationFrame(this.tick);
  }

  /** Fall silent when the trial is over. */
  leave() {
    this.account();
    this.deck?.pause();
    clearInterval(this.timer);
    this.timer = null;
  }

  paint() {
    const name = this.playing ? this.words.pause : this.words.play;
    this.playButton.setAttribute('aria-label', name);
    this.playButton.classList.toggle('on', this.playing);
    if (!this.deck) return;
    const { start, end } = this.loopSeconds();
    this.shadeRegion(start, end);
    const whole = start === 0 && end === this.deck.seconds;
    this.wholeButton.hidden = whole;
    this.loopText.textContent = whole ? '' : this.words.looping(start, end);
    for (const [handle, value] of [[this.from, start], [this.to, end]]) this.tell(handle, value);
    this.paintPlace();
  }

  shadeRegion(start, end) {
    const { seconds } = this.deck;
    this.shade.style.left = this.from.style.left = `${(100 * start) / seconds}%`;
    this.shade.style.right = `${100 - (100 * end) / seconds}%`;
    this.to.style.left = `${(100 * end) / seconds}%`;
  }

  paintPlace() {
    if (!this.deck) return;
    const now = this.deck.position();
    this.needle.style.left = `${(100 * now) / this.deck.seconds}%`;
    this.clock.textContent = `${now.toFixed(1)} / ${this.deck.seconds.toFixed(1)} ${this.words.unit}`;
    this.tell(this.seekSlider, now);
  }

  tell(slider, value) {
    if (slider.getAttribute('aria-valuenow') === value.toFixed(1)) return;
    slider.setAttribute('aria-valuenow', value.toFixed(1));
    slider.setAttribute('aria-valuetext', this.words.seconds(value));
  }

  drawOverview() {
    const { width, height } = this.screen.getBoundingClientRect();
    if (!this.deck || !width) return;
    const scale = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: width * scale, height: height * scale });
    const paint = this.canvas.getContext('2d');
    const columns = Math.floor(width / 3);
    paint.fillStyle = getComputedStyle(this.screen).color;
    overview(this.deck.buffers, columns).forEach((peak, i) => {
      const tall = Math.max(2, peak * (height - 12)) * scale;
      paint.fillRect(i * 3 * scale, (height * scale - tall) / 2, 2 * scale, tall);
    });
  }
}
