/** The form of continuations: a listed beginning, any, or, where the arena takes them, the visitor's own. */

import { lock, make } from '../study/dom.js';
import { WORDS } from './words.js';

const RATE = 24_000;
const HEAD = 44;

/** `told` is what the arena says of the task, `words` what is read, `wish` what was chosen last; `send(wish)` asks for a pair. */
export function beginningsForm({ told, words, wish, send }) {
  const status = make('p', { class: 'status', role: 'status' });
  const go = make('button', { type: 'submit', class: 'go' }, words.begin);
  const choices = [{ name: '', title: words.any }, ...told.prompts];
  let audio = null;
  let prompt = wish.prompt ?? '';
  const chips = choices.map(({ name, title }) => make('button', {
    type: 'button', class: 'chip', onclick: () => {
      audio = null;
      prompt = name;
      paint();
    },
  }, title));
  const paint = () => {
    chips.forEach((chip, at) => chip.setAttribute('aria-pressed', String(!audio && choices[at].name === prompt)));
    status.textContent = '';
  };
  const consent = make('input', { type: 'checkbox' });
  const file = make('input', {
    type: 'file', accept: 'audio/*', id: 'beginning', onchange: async () => {
      try {
        audio = file.files.length ? await firstSeconds(file.files[0], told.prompt_seconds) : null;
        paint();
      } catch {
        audio = null;
        lock(go, false);
        status.textContent = WORDS.unreadable;
      }
    },
  });
  const own = told.uploads
    ? make('div', { class: 'own' }, make('label', { class: 'field', for: 'beginning' }, WORDS.own(told.prompt_seconds)), file,
      make('label', { class: 'tick' }, consent, told.statement))
    : null;
  const submit = (event) => {
    event.preventDefault();
    if (audio && !consent.checked) status.textContent = WORDS.needConsent;
    else send(audio ? { audio, consent: true } : prompt ? { prompt } : {});
  };
  paint();
  return make('form', { onsubmit: submit },
    make('div', { class: 'chips', role: 'group', 'aria-label': words.after }, make('p', { class: 'soft' }, words.after), chips),
    own, make('div', { class: 'send' }, go), status);
}

/** The beginning of a sound file as a WAV of 16 bits in base64; the rest never leaves the device. */
async function firstSeconds(file, seconds) {
  const context = new OfflineAudioContext(1, RATE, RATE);
  const sound = await context.decodeAudioData(await file.arrayBuffer());
  const samples = sound.getChannelData(0).subarray(0, Math.round(seconds * RATE));
  const view = new DataView(new ArrayBuffer(HEAD + 2 * samples.length));
  const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, 'RIFF');
  view.setUint32(4, HEAD - 8 + 2 * samples.length, true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, 2 * RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(HEAD + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true));
  const bytes = new Uint8Array(view.buffer);
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
