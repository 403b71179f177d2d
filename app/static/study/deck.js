/**
 * Several sounds on one clock, one of them heard: the audio graph of a trial.
 *
 *   source A -> gain A \
 *   source B -> gain B  -> borders -> envelope -> destination
 *   source C -> gain C /
 *
 * All sources start at the same sample and run together, so that switching only moves gains: the old sound fades out
 * in 5 ms, then the new one fades in in 5 ms (raised cosine, ITU-R BS.1534-3), never both at once. `borders` fades
 * around the ends of a loop, `envelope` when playing begins and ends. Works in an AudioContext and in an
 * OfflineAudioContext. Times are seconds of the context, places and lengths are seconds of the sound.
 */

export const FADE_SECONDS = 0.005;
export const MINIMUM_LOOP_SECONDS = 0.5;
const ROUNDING_SECONDS = 1e-9; // a curve may not end a rounding error after the next one begins
const LEAD_SECONDS = 0.02; // from a key press to its first scheduled sample
const HORIZON_SECONDS = 4; // loop borders are scheduled this far ahead; timers of hidden tabs come once a second

/** Half a period of a raised cosine, from 0 to 1 or back, one value for each sample of the fade and one more. */
export function fadeCurve(rate, rising) {
  const samples = Math.round(FADE_SECONDS * rate);
  return Float32Array.from({ length: samples + 1 }, (_, i) => {
    const up = 0.5 - 0.5 * Math.cos((Math.PI * i) / samples);
    return rising ? up : 1 - up;
  });
}

/** Buffers of one length and at least one channel layout: what is shorter ends in silence. */
export function aligned(context, buffers) {
  const frames = Math.max(...buffers.map((buffer) => buffer.length));
  return buffers.map((buffer) => {
    if (buffer.length === frames) return buffer;
    const longer = context.createBuffer(buffer.numberOfChannels, frames, buffer.sampleRate);
    for (let channel = 0; channel < buffer.numberOfChannels; channel += 1)
      longer.copyToChannel(buffer.getChannelData(channel), channel);
    return longer;
  });
}

/** One run of all sources, from play to pause. */
class Pass {
  constructor(deck, slot, frame, startFrame) {
    const { context, rate, loop } = deck;
    Object.assign(this, { deck, slot, startFrame });
    this.first = frame; // place in the sound at startFrame
    this.envelope = context.createGain();
    this.borders = context.createGain();
    this.borders.connect(this.envelope).connect(deck.destination);
    this.when = startFrame / rate;
    this.gains = deck.buffers.map((_, i) => {
      const gain = context.createGain();
      gain.gain.value = i === slot ? 1 : 0;
      gain.connect(this.borders);
      return gain;
    });
    this.sources = deck.buffers.map((buffer, i) => {
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(this.gains[i]);
      if (loop) Object.assign(source, { loop: true, loopStart: loop.start / rate, loopEnd: loop.end / rate });
      source.start(this.when, frame / rate);
      return source;
    });
    this.loop = loop && { ...loop };
    this.freeFrame = startFrame + deck.fadeFrames; // when the gains may be moved next
    this.envelope.gain.value = 0;
    this.envelope.gain.setValueCurveAtTime(deck.rise, this.when, deck.fadeSeconds);
    this.nextBorder = loop ? startFrame + (loop.end - frame) : Infinity;
  }

  /** Schedule the fades around every loop border before `untilFrame`. */
  extend(untilFrame) {
    const { deck } = this;
    for (; this.nextBorder < untilFrame; this.nextBorder += this.loop.end - this.loop.start) {
      const fall = Math.max(this.nextBorder - deck.fadeFrames, this.startFrame);
      if (this.nextBorder - fall === deck.fadeFrames)
        this.borders.gain.setValueCurveAtTime(deck.fall, fall / deck.rate, deck.fadeSeconds);
      this.borders.gain.setValueCurveAtTime(deck.rise, this.nextBorder / deck.rate, deck.fadeSeconds);
    }
  }

  /** Let another sound be heard from `frame` on; returns the frame at which it begins to rise. */
  switchTo(slot, frame) {
    const { deck } = this;
    const at = Math.max(frame, this.freeFrame);
    this.gains[this.slot].gain.setValueCurveAtTime(deck.fall, at / deck.rate, deck.fadeSeconds);
    const rise = at + deck.fadeFrames;
    this.gains[slot].gain.setValueCurveAtTime(deck.rise, rise / deck.rate, deck.fadeSeconds);
    this.slot = slot;
    this.freeFrame = rise + deck.fadeFrames;
    return rise;
  }

  /** Fade out and end; returns the frame of silence. */
  stop(frame) {
    const { deck } = this;
    const at = Math.max(frame, this.startFrame + deck.fadeFrames);
    this.envelope.gain.setValueCurveAtTime(deck.fall, at / deck.rate, deck.fadeSeconds);
    const end = at + deck.fadeFrames;
    for (const source of this.sources) source.stop(end / deck.rate);
    this.sources[0].onended = () => this.envelope.disconnect();
    return end;
  }

  /** The place in the sound, in frames, that is heard at a frame of the context. */
  placeAt(frame) {
    const place = this.first + Math.max(0, frame - this.startFrame);
    if (!this.loop || place < this.loop.end) return place;
    return this.loop.start + ((place - this.loop.end) % (this.loop.end - this.loop.start));
  }
}

export class Deck {
  /** `buffers` are AudioBuffers at the rate of the context, in the order of the slots. */
  constructor(context, buffers, destination = context.destination) {
    this.context = context;
    this.destination = destination;
    this.rate = context.sampleRate;
    this.buffers = aligned(context, buffers);
    this.frames = this.buffers[0].length;
    this.fadeFrames = Math.round(FADE_SECONDS * this.rate);
    this.fadeSeconds = this.fadeFrames / this.rate - ROUNDING_SECONDS;
    this.rise = fadeCurve(this.rate, true);
    this.fall = fadeCurve(this.rate, false);
    this.slot = 0;
    this.place = 0; // frames, where playing goes on
    this.pass = null;
    this.quietFrame = 0; // before this the last pass is still fading
    this.loop = { start: 0, end: this.frames }; // frames, or null to play once
  }

  get seconds() {
    return this.frames / this.rate;
  }

  get playing() {
    return this.pass !== null;
  }

  /** The next frame that can still be scheduled, or the frame of a given time. */
  frame(at) {
    return Math.ceil((at ?? this.context.currentTime + LEAD_SECONDS) * this.rate - 1e-6);
  }

  play(at) {
    if (this.pass) return;
    const start = Math.max(this.frame(at), this.quietFrame);
    const [first, end] = this.loop ? [this.loop.start, this.loop.end] : [0, this.frames];
    // the start of a fade-in may not lie inside the fade-out at the border
    const inside = this.place >= first && this.place < end - 2 * this.fadeFrames;
    this.pass = new Pass(this, this.slot, inside ? this.place : first, start);
    this.extend();
  }

  pause(at) {
    if (!this.pass) return;
    const frame = this.frame(at);
    this.place = Math.min(this.pass.placeAt(frame), this.frames);
    this.quietFrame = this.pass.stop(frame);
    this.pass = null;
  }

  /** Hear another sound; while paused it is only chosen. Returns the time at which it begins. */
  switchTo(slot, at) {
    if (slot === this.slot || !this.buffers[slot]) return null;
    this.slot = slot;
    return this.pass ? this.pass.switchTo(slot, this.frame(at)) / this.rate : null;
  }

  /** Go to a place in seconds. */
  seek(seconds, at) {
    const playing = this.playing;
    this.pause(at);
    this.place = Math.max(0, Math.min(Math.round(seconds * this.rate), this.frames - 1));
    if (playing) this.play(this.quietFrame / this.rate);
  }

  /** Loop between two places in seconds, at least half a second apart; null plays to the end once. */
  setLoop(region, at) {
    const playing = this.playing;
    this.pause(at);
    this.loop = region && this.region(region);
    if (playing) this.play(this.quietFrame / this.rate);
  }

  region({ start, end }) {
    const least = Math.min(Math.round(MINIMUM_LOOP_SECONDS * this.rate), this.frames);
    const from = Math.max(0, Math.min(Math.round(start * this.rate), this.frames - least));
    return { start: from, end: Math.max(from + least, Math.min(Math.round(end * this.rate), this.frames)) };
  }

  /** Keep the loop's borders scheduled; call it twice a second while playing. */
  extend(until) {
    if (this.pass?.loop) this.pass.extend(this.frame(until ?? this.context.currentTime + HORIZON_SECONDS));
  }

  /** Seconds into the sound. */
  position() {
    if (!this.pass) return this.place / this.rate;
    return Math.min(this.pass.placeAt(this.context.currentTime * this.rate), this.frames) / this.rate;
  }

  /** Whether a sound without a loop has run out. */
  ended() {
    return this.pass !== null && !this.pass.loop && this.position() >= this.seconds;
  }
}
