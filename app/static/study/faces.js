/**
 * The three faces of a trial: an opinion on one sound, a choice between two, grades of several beside a reference.
 *
 * A face builds its controls into `element`, gives `answer()` in the form that the server takes, lists what is
 * `ungraded()` and `unanswered()`, and takes the keys that are its own in `key(event)`.
 */

import { icon, make, PLAY, radios } from './dom.js';

const REFERENCE_KEY = '0';

/** Buttons that let a slot be heard; they show which one sounds. */
class Listening {
  constructor({ player, names, words, slots }) {
    Object.assign(this, { player, names, words, slots });
    this.buttons = names.map((name, slot) => {
      const reference = slot >= slots;
      const button = make('button', {
        type: 'button', class: reference ? 'listen reference' : 'listen', 'aria-pressed': 'false',
        onclick: () => (player.slot === slot && player.playing ? player.pause() : player.choose(slot)),
      }, icon(PLAY), make('span', {}, name),
      (slot < 9 && slots > 1) || reference ? make('kbd', { 'aria-hidden': 'true' }, reference ? REFERENCE_KEY : String(slot + 1)) : null);
      button.setAttribute('aria-label', `${words.player.play}: ${name}`);
      return button;
    });
  }

  paint() {
    this.buttons.forEach((button, slot) => {
      const sounding = this.player.slot === slot && this.player.playing;
      button.setAttribute('aria-pressed', String(sounding));
      button.classList.toggle('chosen', this.player.slot === slot);
    });
  }

  /** Digits choose a sound, arrows its neighbours. */
  key(event) {
    if (event.key === REFERENCE_KEY && this.buttons.length > this.slots) this.player.choose(this.slots);
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= this.slots) this.player.choose(Number(event.key) - 1);
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      const step = event.key === 'ArrowRight' ? 1 : -1;
      const count = this.buttons.length;
      this.player.choose((this.player.slot + step + count) % count);
    } else return false;
    return true;
  }
}

/** Radio groups, one for each attribute; keys answer the one in focus, else the first without an answer. */
class Questions {
  constructor({ attributes, choicesOf, question, onAnswer }) {
    this.attributes = attributes;
    this.answers = {};
    this.groups = attributes.map((attribute, i) =>
      radios({
        name: `attribute-${i}`,
        legend: attribute.question || question,
        legendClass: attributes.length === 1 && attribute.question === question ? 'off-screen' : '',
        row: true,
        choices: choicesOf(attribute),
        onchange: (value) => {
          this.answers[attribute.name] = value;
          onAnswer({ attribute: attribute.name, value });
        },
      }),
    );
  }

  choose(value) {
    let index = this.groups.findIndex((group) => group.contains(document.activeElement));
    if (index < 0) index = this.attributes.findIndex(({ name }) => this.answers[name] === undefined);
    if (index < 0) index = 0;
    const input = [...this.groups[index].querySelectorAll('input')].find((candidate) => candidate.value === value);
    if (!input) return false;
    input.checked = true;
    input.dispatchEvent(new Event('change'));
    if (this.groups[index].contains(document.activeElement)) input.focus();
    return true;
  }

  unanswered(question) {
    return this.attributes.filter(({ name }) => this.answers[name] === undefined).map((a) => a.question || question);
  }
}

/** An opinion of one sound on five steps. */
export class OpinionFace {
  constructor({ trial, words, player, names, onAnswer }) {
    Object.assign(this, { trial, words, player });
    this.listening = trial.reference ? new Listening({ player, names, words, slots: 1 }) : null;
    this.questions = new Questions({
      attributes: trial.attributes, question: trial.question, onAnswer,
      choicesOf: ({ labels }) =>
        (labels ?? words.mos.labels).map((label, i) => [String(i + 1), label, String(i + 1)]),
    });
    this.element = make('div', { class: 'face opinion' },
      this.listening ? make('div', { class: 'pair-sounds' }, this.listening.buttons) : null, this.questions.groups);
  }

  /** Digits are scores here; a given reference has its own key, and the arrows change between the two. */
  key(event) {
    if (/^[1-9]$/.test(event.key)) return this.questions.choose(event.key);
    return this.listening?.key(event) ?? false;
  }

  answer() {
    return Object.fromEntries(Object.entries(this.questions.answers).map(([name, value]) => [name, Number(value)]));
  }

  ungraded() {
    return [];
  }

  unanswered() {
    return this.questions.unanswered(this.trial.question);
  }

  paint() {
    this.listening?.paint();
  }

  keys(words) {
    const reference = this.listening ? [[REFERENCE_KEY, words.reference], ['← →', words.neighbours]] : [];
    return [[`1 – ${Math.max(...this.questions.groups.map((group) => group.querySelectorAll('input').length))}`, words.score], ...reference];
  }
}

/** A choice between two sounds, with or without a reference. */
export class PairFace {
  constructor({ trial, words, player, names, onAnswer }) {
    Object.assign(this, { trial, words });
    this.listening = new Listening({ player, names, words, slots: 2 });
    this.questions = new Questions({
      attributes: trial.attributes, question: trial.question, onAnswer,
      choicesOf: () => {
        const choices = [['a', words.pairwise.a, 'A'], ['tie', words.pairwise.tie, '='], ['b', words.pairwise.b, 'B']];
        return trial.ties ? choices : choices.filter(([outcome]) => outcome !== 'tie');
      },
    });
    this.element = make('div', { class: 'face pair' },
      make('div', { class: 'pair-sounds' }, this.listening.buttons), this.questions.groups);
  }

  key(event) {
    const outcome = { a: 'a', b: 'b', '=': 'tie', t: 'tie' }[event.key.toLowerCase()];
    return (outcome && this.questions.choose(outcome)) || this.listening.key(event);
  }

  answer() {
    return { ...this.questions.answers };
  }

  ungraded() {
    return [];
  }

  unanswered() {
    return this.questions.unanswered(this.trial.question);
  }

  paint() {
    this.listening.paint();
  }

  keys(words) {
    return [
      ['1 2', words.hear], ...(this.trial.reference ? [[REFERENCE_KEY, words.reference]] : []), ['← →', words.neighbours],
      ['A B', words.better], ...(this.trial.ties ? [['=', words.tie]] : []),
    ];
  }
}

/** Grades from 0 to 100 in five bands, after ITU-R BS.1534-3. */
export class MushraFace {
  constructor({ trial, words, player, names, onAnswer }) {
    Object.assign(this, { trial, words, player, names, onAnswer });
    this.listening = new Listening({ player, names, words, slots: trial.slots.length });
    this.grades = trial.slots.map(() => null);
    this.sliders = trial.slots.map((_, slot) => this.slider(slot));
    this.outputs = trial.slots.map(() => make('output', { 'aria-hidden': 'true' }, '–'));
    const bands = make('ol', { class: 'bands', 'aria-hidden': 'true' }, [...this.bands()].reverse().map((band) => make('li', {}, band)));
    const signals = trial.slots.map((_, slot) =>
      make('div', { class: 'signal' }, this.listening.buttons[slot], make('div', { class: 'track' }, this.sliders[slot]), this.outputs[slot]));
    this.element = make('div', { class: 'face mushra' },
      make('fieldset', {}, make('legend', { class: 'off-screen' }, trial.question),
        make('p', { class: 'note' }, words.mushra.note),
        trial.reference ? make('div', { class: 'reference-row' }, this.listening.buttons.at(-1)) : null,
        make('div', { class: 'grid' }, bands, make('div', { class: 'signals' }, signals))));
  }

  bands() {
    return this.trial.labels ?? this.words.mushra.bands;
  }

  slider(slot) {
    const slider = make('input', {
      type: 'range', min: '0', max: '100', step: '1', value: '50', disabled: true, class: 'unset',
      'aria-label': this.words.mushra.grade(this.names[slot]), 'aria-valuetext': this.words.mushra.unset,
    });
    const grade = () => this.grade(slot, Number(slider.value));
    slider.addEventListener('input', grade);
    slider.addEventListener('click', grade); // a press on the very middle moves nothing but is a grade
    return slider;
  }

  grade(slot, value) {
    if (this.sliders[slot].disabled || this.grades[slot] === value) return;
    this.grades[slot] = value;
    const slider = this.sliders[slot];
    slider.value = String(value);
    slider.classList.remove('unset');
    slider.setAttribute('aria-valuetext', `${value}, ${this.bands()[Math.min(4, Math.floor(value / 20))]}`);
    this.outputs[slot].textContent = String(value);
    this.onAnswer({ slot, value });
  }

  paint() {
    this.listening.paint();
    this.sliders.forEach((slider, slot) => {
      const active = this.player.playing && this.player.slot === slot;
      if (slider.disabled !== active) return;
      slider.disabled = !active;
      slider.closest('.signal').classList.toggle('active', active);
    });
  }

  key(event) {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -100, End: 100 };
    if (!(event.key in steps)) return this.listening.key(event);
    const { slot } = this.player;
    if (slot >= this.grades.length || this.sliders[slot].disabled) return true;
    const step = steps[event.key] * (event.shiftKey ? 10 : 1);
    this.grade(slot, Math.max(0, Math.min(100, (this.grades[slot] ?? 50) + step)));
    return true;
  }

  answer() {
    return Object.fromEntries(this.grades.map((grade, slot) => [String(slot), grade]));
  }

  ungraded() {
    return this.grades.flatMap((grade, slot) => (grade === null ? [this.names[slot]] : []));
  }

  unanswered() {
    return [];
  }

  keys(words) {
    return [
      [`1 – ${Math.min(9, this.grades.length)}`, words.hear], ...(this.trial.reference ? [[REFERENCE_KEY, words.reference]] : []),
      ['← →', words.neighbours], ['↑ ↓', words.grade],
    ];
  }
}

export const FACES = { mos: OpinionFace, pairwise: PairFace, mushra: MushraFace };
