/** The pages around the trials: consent, set-up, headphone check, feedback, questionnaire, thanks. */

import { lock, locked, make, radios } from './dom.js';
import { audioContext } from './player.js';

/** The heading of a page; it takes the focus when the page changes, so that a screen reader begins there. */
export function heading(text) {
  return make('h1', { tabindex: '-1' }, text);
}

/** A form with one main button that is locked while `missing()` says a sentence. */
function form({ title, body, button, missing, onSubmit, say, failed }) {
  const told = make('p', { class: 'missing', id: 'missing' });
  const status = make('p', { class: 'status', role: 'status' });
  const go = make('button', { type: 'submit', class: 'go', 'aria-describedby': 'missing' }, button);
  const refresh = () => {
    const sentence = missing();
    lock(go, sentence !== null);
    told.textContent = sentence ?? '';
  };
  const element = make('form', {
    class: 'card', novalidate: true, oninput: refresh, onchange: refresh,
    onsubmit: async (event) => {
      event.preventDefault();
      refresh();
      if (locked(go)) {
        say(told.textContent);
        return;
      }
      lock(go, true);
      try {
        await onSubmit();
      } catch (error) {
        status.textContent = error.message || failed;
        lock(go, false);
      }
    },
  }, heading(title), body, make('div', { class: 'submit' }, go, told, status));
  refresh();
  return { element, refresh };
}

export function consentPage({ state, words, say, onAnswer }) {
  const { consent } = state;
  const tick = make('input', { type: 'checkbox' });
  const paragraphs = consent.text.split(/\n+/).map((line) => make('p', {}, line));
  return form({
    title: consent.title, say, failed: words.failed, button: words.begin,
    body: [
      ...paragraphs, make('p', {}, words.consent.tasks(consent.trials, consent.minutes)),
      make('label', { class: 'tick' }, tick, words.consent.agree),
    ],
    missing: () => (tick.checked ? null : words.consent.missing),
    onSubmit: () => onAnswer('consent', { agree: true }),
  });
}

export function setupPage({ state, words, api, say, onAnswer }) {
  const text = words.setup;
  const answers = { device: null, room: null };
  const comfortable = make('input', { type: 'checkbox' });
  const sound = new Clip(api, state.setup.volume);
  const play = make('button', { type: 'button', class: 'listen' }, text.play);
  play.addEventListener('click', () => sound.toggle());
  sound.onChange = () => {
    play.textContent = sound.playing ? text.stop : text.play;
    page.refresh();
  };
  sound.onFail = () => say(words.player.loadFailed);
  const group = (name, legend, options) =>
    radios({ name, legend, choices: Object.entries(options), onchange: (value) => (answers[name] = value) });
  const page = form({
    title: text.title, say, failed: words.failed, button: words.next,
    body: [
      state.setup.again ? make('p', { class: 'note' }, text.again) : null, make('p', {}, text.intro), play,
      make('label', { class: 'tick' }, comfortable, text.volume), group('device', text.device, text.devices), group('room', text.room, text.rooms),
    ],
    missing: () => (sound.played && comfortable.checked && answers.device && answers.room ? null : text.missing),
    onSubmit: () => {
      sound.stop();
      return onAnswer('setup', { ...answers, volume: true });
    },
  });
  return page;
}

export function headphonesPage({ state, words, api, say, onAnswer }) {
  const { headphones } = state;
  const text = words.headphones;
  const count = headphones.sounds.length;
  const choices = headphones.sounds.map(() => null);
  let sounding = null;
  const items = headphones.sounds.map((path, i) => {
    const clip = new Clip(api, path);
    const button = make('button', { type: 'button', class: 'listen' }, text.play(i + 1));
    button.addEventListener('click', () => {
      if (sounding && sounding !== clip) sounding.stop();
      sounding = clip;
      clip.toggle();
    });
    clip.onChange = () => button.classList.toggle('chosen', clip.playing);
    clip.onFail = () => say(words.player.loadFailed);
    const group = radios({
      name: `headphones-${i}`, legend: text.item(i + 1, count), row: true,
      choices: text.choice.map((label, n) => [String(n), label]), onchange: (value) => (choices[i] = Number(value)),
    });
    return { clip, element: make('div', { class: 'headphone' }, button, group) };
  });
  return form({
    title: text.title, say, failed: words.failed, button: words.next,
    body: [
      headphones.attempt > 1 ? make('p', { class: 'note', role: 'alert' }, text.retry) : null,
      make('p', {}, headphones.kind === 'woods' ? text.woods : text.huggins), ...items.map((item) => item.element),
    ],
    missing: () => (items.every(({ clip }, i) => clip.played && choices[i] !== null) ? null : text.missing),
    onSubmit: () => {
      sounding?.stop();
      return onAnswer('headphones', { choices });
    },
  });
}

/** What a practice trial taught, before the next one. */
export function feedbackPage({ feedback, words, onNext }) {
  const text = words.feedback;
  const lines = feedback.map((line) => {
    if (line.kind === 'text') return line.text;
    if (line.kind === 'other') return text.other(line.wanted);
    return typeof text[line.kind] === 'function' ? text[line.kind](line.label) : text[line.kind];
  });
  const go = make('button', { type: 'button', class: 'go', onclick: onNext }, words.next);
  return { element: make('section', { class: 'card feedback' }, heading(text.title), lines.map((line) => make('p', {}, line)),
    make('div', { class: 'submit' }, go)) };
}

export function questionnairePage({ state, words, say, onAnswer }) {
  const text = words.questionnaire;
  const answers = {};
  const put = (name) => (value) => {
    if (value === '') delete answers[name];
    else answers[name] = value;
  };
  const fields = state.questionnaire.map((question, i) => {
    const label = question.required ? question.label : `${question.label} ${text.optional}`;
    const set = put(question.name);
    if (question.kind === 'choice')
      return radios({ name: `question-${i}`, legend: label, choices: question.choices.map(({ value, label: shown }) => [value, shown]), onchange: set });
    const input = question.kind === 'long_text'
      ? make('textarea', { rows: '4', maxlength: '4000' })
      : make('input', question.kind === 'number'
        ? { type: 'number', step: 'any', min: question.minimum, max: question.maximum } : { type: 'text', maxlength: '400' });
    input.addEventListener('input', () =>
      set(question.kind === 'number' && input.value !== '' ? Number(input.value) : input.value.trim()));
    return make('label', { class: 'field' }, make('span', {}, label), input);
  });
  const open = () => state.questionnaire.find(({ name, required }) => required && answers[name] === undefined);
  return form({
    title: text.title, say, failed: words.failed, button: words.next, body: fields,
    missing: () => (open() ? text.missing(open().label) : null),
    onSubmit: () => onAnswer('questionnaire', answers),
  });
}

export function donePage({ state, words, say }) {
  const { code, redirect } = state.done;
  const copy = make('button', { type: 'button', class: 'quiet', onclick: async () => {
    await navigator.clipboard.writeText(code).catch(() => {});
    say(words.done.copied);
    copy.textContent = words.done.copied;
  } }, words.done.copy);
  return { element: make('section', { class: 'card done' }, heading(words.done.title), make('p', {}, words.done.text),
    make('p', { class: 'code-label', id: 'code-label' }, words.done.code), make('output', { class: 'code', 'aria-labelledby': 'code-label' }, code), copy,
    redirect ? make('p', {}, make('a', { class: 'go', href: redirect, rel: 'noreferrer' }, words.done.back)) : null) };
}

export function closedPage({ state, words }) {
  return { element: make('section', { class: 'card' }, heading(words.closed.title), make('p', {}, state.closed.message)) };
}

/** A sound that is played whole: the test sound, or one of the headphone check. */
class Clip {
  constructor(api, path) {
    Object.assign(this, { api, path, played: false, source: null });
    this.onChange = () => {};
    this.onFail = () => {};
  }

  get playing() {
    return this.source !== null;
  }

  async toggle() {
    const context = audioContext();
    if (this.playing) {
      this.stop();
      return;
    }
    try {
      this.buffer ??= await context.decodeAudioData(await this.api.sound(this.path));
    } catch {
      this.onFail();
      return;
    }
    const source = context.createBufferSource();
    source.buffer = this.buffer;
    source.connect(context.destination);
    source.onended = () => {
      if (this.source === source) this.source = null;
      this.played = true;
      this.onChange();
      document.querySelector('form.card')?.dispatchEvent(new Event('change'));
    };
    this.source = source;
    source.start();
    this.onChange();
  }

  stop() {
    this.source?.stop();
    this.source = null;
    this.onChange();
  }
}
