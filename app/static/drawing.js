/** Waveform and spectrogram of samples, drawn as they arrive. */

const WINDOW = 1024;
const HOP = 240; // 10 ms at 24 kHz
const ROWS = 96;
const FLOOR_DB = -78;
const LOW_HZ = 60;

const hann = Float32Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
const palette = makePalette([
  [0, 9, 24, 28],
  [0.3, 16, 63, 70],
  [0.55, 43, 137, 120],
  [0.78, 151, 214, 178],
  [1, 255, 244, 214],
]);

function makePalette(stops) {
  const colours = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i += 1) {
    const x = i / 255;
    const k = Math.max(1, stops.findIndex((stop) => stop[0] >= x));
    const [a, b] = [stops[k - 1], stops[k]];
    const t = (x - a[0]) / (b[0] - a[0]);
    for (let c = 0; c < 3; c += 1) colours[3 * i + c] = a[c + 1] + t * (b[c + 1] - a[c + 1]);
  }
  return colours;
}

/** In-place radix-2 transform. */
function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i += 1) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size >> 1;
    for (let k = 0; k < half; k += 1) {
      const angle = (-2 * Math.PI * k) / size;
      const wr = Math.cos(angle);
      const wi = Math.sin(angle);
      for (let i = k; i < n; i += size) {
        const j = i + half;
        const xr = re[j] * wr - im[j] * wi;
        const xi = re[j] * wi + im[j] * wr;
        re[j] = re[i] - xr;
        im[j] = im[i] - xi;
        re[i] += xr;
        im[i] += xi;
      }
    }
  }
}

/** Two canvases with a common time axis. */
export class Plots {
  constructor(wave, spectrum) {
    this.wave = wave;
    this.spectrum = spectrum;
    this.image = document.createElement('canvas');
    this.clear();
  }

  clear(rate = 24000) {
    this.rate = rate;
    this.columns = 0;
    this.peaks = []; // one pair of extremes for each hop
    this.image.width = 512;
    this.image.height = ROWS;
    const top = rate / 2;
    const mel = (hz) => 1127 * Math.log(1 + hz / 700);
    const bins = Array.from({ length: ROWS + 1 }, (_, row) => {
      const m = mel(LOW_HZ) + ((mel(top) - mel(LOW_HZ)) * row) / ROWS;
      return ((700 * (Math.exp(m / 1127) - 1)) / rate) * WINDOW;
    });
    this.bands = bins.slice(0, ROWS).map((low, row) => [Math.floor(low), Math.max(Math.floor(low) + 1, Math.ceil(bins[row + 1]))]);
  }

  /** Analyse what is new in `sound`; `sound.samples` holds `sound.length` valid samples. */
  update(sound) {
    if (sound.rate !== this.rate) this.clear(sound.rate);
    const ready = sound.complete ? Math.ceil(sound.length / HOP) : Math.floor((sound.length - WINDOW / 2) / HOP);
    if (ready <= this.columns) return;
    const context = this.grown(ready).getContext('2d');
    const strip = context.createImageData(ready - this.columns, ROWS);
    const re = new Float32Array(WINDOW);
    const im = new Float32Array(WINDOW);
    for (let column = this.columns; column < ready; column += 1) {
      this.peaks.push(extremes(sound, column * HOP));
      for (let i = 0; i < WINDOW; i += 1) {
        const at = column * HOP - WINDOW / 2 + i;
        re[i] = at >= 0 && at < sound.length ? sound.samples[at] * hann[i] : 0;
      }
      im.fill(0);
      fft(re, im);
      this.paintColumn(strip, column - this.columns, re, im);
    }
    context.putImageData(strip, this.columns, 0);
    this.columns = ready;
  }

  paintColumn(strip, x, re, im) {
    for (let row = 0; row < ROWS; row += 1) {
      const [low, high] = this.bands[row];
      let power = 0;
      for (let k = low; k < high && k < WINDOW / 2; k += 1) power = Math.max(power, re[k] * re[k] + im[k] * im[k]);
      const db = 10 * Math.log10(power / (WINDOW * WINDOW * 0.0625) + 1e-12);
      const level = Math.max(0, Math.min(255, Math.round(255 * (1 - db / FLOOR_DB))));
      const at = 4 * ((ROWS - 1 - row) * strip.width + x);
      strip.data.set([palette[3 * level], palette[3 * level + 1], palette[3 * level + 2], 255], at);
    }
  }

  grown(columns) {
    if (columns > this.image.width) {
      const larger = document.createElement('canvas');
      larger.width = Math.max(columns, this.image.width * 2);
      larger.height = ROWS;
      larger.getContext('2d').drawImage(this.image, 0, 0);
      this.image = larger;
    }
    return this.image;
  }

  /** Draw everything for an axis of `seconds`; what lies before `played` (seconds) is lit. */
  draw(seconds, played) {
    const axis = Math.max(1, (seconds * this.rate) / HOP); // columns across
    const wave = fitted(this.wave);
    const w = wave.canvas.width;
    const h = wave.canvas.height;
    wave.clearRect(0, 0, w, h);
    const pitch = Math.max(3, Math.round(3 * devicePixelRatio));
    const bar = Math.max(1, Math.round(pitch * 0.6));
    for (let x = 0; x < w; x += pitch) {
      const from = Math.floor((x / w) * axis);
      if (from >= this.columns) break;
      const to = Math.max(from + 1, Math.floor(((x + pitch) / w) * axis));
      let peak = 0;
      for (let c = from; c < to && c < this.columns; c += 1) peak = Math.max(peak, this.peaks[c]);
      const size = Math.max(bar, Math.pow(peak, 0.7) * h * 0.94);
      wave.fillStyle = (from * HOP) / this.rate < played ? '#8fe3cf' : '#3f6f6c';
      wave.beginPath();
      wave.roundRect(x, (h - size) / 2, bar, size, bar / 2);
      wave.fill();
    }
    const spectrum = fitted(this.spectrum);
    spectrum.clearRect(0, 0, spectrum.canvas.width, spectrum.canvas.height);
    const width = (this.columns / axis) * spectrum.canvas.width;
    if (this.columns) spectrum.drawImage(this.image, 0, 0, this.columns, ROWS, 0, 0, width, spectrum.canvas.height);
  }
}

function extremes(sound, start) {
  let peak = 0;
  const end = Math.min(sound.length, start + HOP);
  for (let i = start; i < end; i += 1) peak = Math.max(peak, Math.abs(sound.samples[i]));
  return peak;
}

function fitted(canvas) {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return canvas.getContext('2d');
}
