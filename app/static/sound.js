/** Web Audio: plays samples that are still arriving, with pause and seek. Times are seconds. */

const FIRST_LEAD = 0.05; // from scheduling to sounding; short, so that the first sound comes early
const MAX_LEAD = 0.5;

const contexts = new Map(); // by rate: a sound in a context of another rate would be resampled block by block
let sounding = null; // one sound at a time on the whole page

/** The page's AudioContext of a rate; call it from a click or a key press, so that the browser lets it sound. */
export function audioContext(rate = 24000) {
  if (!contexts.has(rate)) contexts.set(rate, new AudioContext({ sampleRate: rate, latencyHint: 'interactive' }));
  const context = contexts.get(rate);
  if (context.state === 'suspended') context.resume().catch(() => {});
  return context;
}

/** A sound that grows while it plays. */
export class Sound {
  constructor(rate) {
    this.rate = rate;
    this.samples = new Float32Array(rate * 8);
    this.length = 0;
    this.complete = false;
    this.playing = false;
    this.underruns = 0;
    this.startedAt = null; // AudioContext time of the very first sample that sounded
    this.sources = new Set();
    this.offset = 0; // where playing starts next, in samples
    this.lead = FIRST_LEAD;
  }

  get seconds() {
    return this.length / this.rate;
  }

  /** Add samples; they sound right behind the last ones when the sound is playing. */
  append(block) {
    if (this.length + block.length > this.samples.length) {
      const larger = new Float32Array(Math.max(this.samples.length * 2, this.length + block.length));
      larger.set(this.samples.subarray(0, this.length));
      this.samples = larger;
    }
    this.samples.set(block, this.length);
    this.length += block.length;
    if (this.playing) this.schedule();
  }

  play(from = this.offset) {
    if (sounding !== this && sounding?.playing) sounding.pause();
    sounding = this;
    this.silence();
    const context = audioContext(this.rate);
    this.base = { time: context.currentTime + this.lead, sample: Math.min(from, this.length) };
    this.cursor = this.base.sample;
    this.playing = true;
    this.schedule();
  }

  pause() {
    this.offset = this.position();
    this.silence();
  }

  seek(sample) {
    const target = Math.max(0, Math.min(sample, this.length));
    if (this.playing) this.play(target);
    else this.offset = target;
  }

  /** The sample that sounds now. */
  position() {
    if (!this.playing) return this.offset;
    const passed = (audioContext(this.rate).currentTime - this.base.time) * this.rate;
    return Math.max(this.base.sample, Math.min(this.base.sample + passed, this.cursor));
  }

  /** Whether the last sample has sounded. */
  ended() {
    return this.complete && this.playing && this.position() >= this.length;
  }

  schedule() {
    if (this.cursor >= this.length) return;
    const context = audioContext(this.rate);
    let when = this.base.time + (this.cursor - this.base.sample) / this.rate;
    if (when < context.currentTime) {
      // the sound arrived late: go on from now, and keep more in hand from here on
      if (this.cursor > this.base.sample) this.underruns += 1;
      this.lead = Math.min(this.lead * 2, MAX_LEAD);
      when = context.currentTime + this.lead;
      this.base = { time: when, sample: this.cursor };
    }
    const block = this.samples.subarray(this.cursor, this.length);
    const buffer = context.createBuffer(1, block.length, this.rate);
    buffer.copyToChannel(block, 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.onended = () => this.sources.delete(source);
    source.start(when);
    this.sources.add(source);
    this.cursor = this.length;
    this.startedAt ??= when;
  }

  silence() {
    this.playing = false;
    for (const source of this.sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.sources.clear();
  }
}

/** Fetch a kept clip and decode it into a finished sound. */
export async function fetchClip(id) {
  return fetchSound(`/api/v1/clips/${encodeURIComponent(id)}/sound`);
}

/** The same for a sound at any address of this server; at `rate` where the server does not tell the sound's own. */
export async function fetchSound(address, rate = 24000) {
  const response = await fetch(address);
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new Error(body?.error?.message ?? 'This sound is no longer kept; make it again.');
  }
  const own = Number(response.headers.get('X-Sample-Rate')) || rate;
  const buffer = await new OfflineAudioContext(1, 1, own).decodeAudioData(await response.arrayBuffer());
  const sound = new Sound(buffer.sampleRate);
  sound.append(buffer.getChannelData(0));
  sound.complete = true;
  return sound;
}
