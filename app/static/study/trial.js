/** One trial on the page: player, face, what is still missing, keys, and the vote. */

import { missingSentence, stillToHear } from './conditions.js';
import { lock, locked, make } from './dom.js';
import { FACES } from './faces.js';
import { Player } from './player.js';

const MAX_EVENTS = 400;
const SLACK_SECONDS = 0.05; // so that the server, which counts with a tolerance, never finds less than the page

export class TrialPage {
  /** `onSubmit({trial, answer, listened, events})` is called once for each submit. */
  constructor({ trial, words, api, say, onSubmit }) {
    Object.assign(this, { trial, words, api, say, onSubmit });
    this.opened = performance.now();
    this.events = [];
    this.abort = new AbortController();
    this.sent = false;
    this.names = trial.slots.map(({ label }) => label || words.player.clip);
    if (trial.slots.length === 1) this.names = [words.player.clip];
    if (trial.reference) this.names.push(words.player.reference);
    this.player = new Player({
      words, names: this.names, say,
      onChange: () => this.refresh(),
      onEvent: (kind, data) => this.note(kind, data),
    });
    const Face = FACES[trial.kind];
    this.face = new Face({
      trial, words, names: this.names, player: this.player,
      onAnswer: (data) => {
        this.note('rate', data);
        this.refresh();
      },
    });
    this.build();
    this.listen();
  }

  build() {
    const { words } = this;
    this.submitButton = make('button', { type: 'button', class: 'go', 'aria-describedby': 'missing', onclick: () => this.submit() }, words.submit);
    this.missing = make('p', { id: 'missing', class: 'missing' });
    this.status = make('p', { class: 'status', role: 'status' });
    this.retry = make('button', { type: 'button', class: 'quiet', hidden: true });
    this.shortcuts = make('input', { type: 'checkbox', checked: true });
    this.element = make('section', { class: 'trial', 'data-kind': this.trial.kind },
      this.player.element, this.face.element,
      make('div', { class: 'submit' }, this.submitButton, this.missing, this.status, this.retry), this.help());
    lock(this.submitButton, true);
  }

  help() {
    const { keys } = this.words;
    const rows = [
      [keys.space, keys.play], ...this.face.keys(keys), [', .', keys.seek], ['[ ]', keys.loop], ['\\', keys.whole], [keys.enter, keys.submit],
    ];
    return make('details', { class: 'keys' }, make('summary', {}, this.words.keysTitle),
      make('label', { class: 'tick' }, this.shortcuts, this.words.keysOn),
      make('dl', {}, rows.map(([key, what]) => make('div', {}, make('dt', {}, make('kbd', {}, key)), make('dd', {}, what)))));
  }

  listen() {
    const { signal } = this.abort;
    document.addEventListener('keydown', (event) => this.key(event), { signal });
    document.addEventListener('visibilitychange', () => this.note(document.hidden ? 'hidden' : 'visible'), { signal });
    window.addEventListener('blur', () => this.note('blur'), { signal });
    window.addEventListener('focus', () => this.note('focus'), { signal });
  }

  /** Fetch and decode the sounds. */
  async load() {
    const media = [...this.trial.slots.map((slot) => slot.media), ...(this.trial.reference ? [this.trial.reference] : [])];
    const tell = (n, of) => (this.status.textContent = n < of ? this.words.player.loadingSounds(n, of) : '');
    tell(0, media.length);
    this.retry.hidden = true;
    try {
      await this.player.load(media.map((id) => () => this.api.sound(`/media/${id}`, this.abort.signal)), tell);
      this.note('loaded');
      this.say(this.words.player.loaded);
      this.refresh();
    } catch (error) {
      if (this.abort.signal.aborted) return;
      this.status.textContent = this.words.player.loadFailed;
      this.offer(this.words.again, () => this.load());
    }
  }

  offer(label, action) {
    this.retry.hidden = false;
    this.retry.textContent = label;
    this.retry.onclick = action;
  }

  note(kind, data = {}) {
    if (this.events.length < MAX_EVENTS) this.events.push({ kind, ms: Math.round(performance.now() - this.opened), ...data });
  }

  /** Show what is missing; the live region hears of it only when it changes in kind. */
  refresh() {
    this.face.paint();
    const missing = this.missingNow();
    lock(this.submitButton, missing !== null || this.sent);
    if (this.missing.textContent !== (missing ?? this.words.missing.none)) this.missing.textContent = missing ?? this.words.missing.none;
    this.missing.classList.toggle('met', missing === null);
    if (missing === null && !this.told) this.say(this.words.missing.none);
    this.told = missing === null;
  }

  missingNow() {
    if (!this.player.deck) return this.words.loading;
    const lengths = this.names.map(() => this.player.deck.seconds);
    const toHear = stillToHear(this.trial.minimum_seconds, lengths, this.player.heard)
      .map((seconds) => (seconds > 0 ? seconds + SLACK_SECONDS : 0));
    return missingSentence(this.words, {
      toHear, names: this.names, ungraded: this.face.ungraded(), unanswered: this.face.unanswered(),
    });
  }

  async submit() {
    if (locked(this.submitButton)) {
      this.say(this.missing.textContent);
      return;
    }
    this.sent = true; // a double click finds the button locked
    this.player.pause();
    this.refresh();
    this.submitButton.textContent = this.words.sending;
    const listened = Object.fromEntries(
      this.player.heard.map((seconds, slot) => [slot < this.trial.slots.length ? String(slot) : 'reference', Number(seconds.toFixed(3))]),
    );
    const vote = { trial: this.trial.token, answer: this.face.answer(), listened, events: this.events };
    try {
      await this.onSubmit(vote, (seconds, again) => {
        this.status.textContent = this.words.offline(seconds);
        this.say(this.status.textContent);
        this.offer(this.words.sendNow, again);
      });
    } catch (error) {
      this.sent = false;
      this.submitButton.textContent = this.words.submit;
      this.retry.hidden = true;
      this.status.textContent = error.message || this.words.failed;
      this.refresh();
      throw error;
    }
  }

  key(event) {
    if (!this.shortcuts.checked || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target } = event;
    const own = target.closest?.('input, textarea, select, button, a, summary');
    const typed = own?.matches('textarea, select, input:not([type=radio], [type=range], [type=checkbox])');
    if (typed) return;
    if (own?.matches('input[type=radio]') && event.key.startsWith('Arrow')) return; // the group moves its own choice
    if (this.transportKey(event, own) || this.face.key(event)) event.preventDefault();
  }

  transportKey(event, own) {
    const { player } = this;
    if (event.key === ' ') {
      if (own?.matches('button, a, summary, input[type=checkbox], input[type=radio]:not(:checked)')) return false;
      if (!event.repeat) player.toggle();
    } else if (event.key === 'Enter') {
      if (own?.matches('button, a, summary')) return false;
      if (!event.repeat) this.submit();
    } else if (event.key === ',') player.seekBy(-1);
    else if (event.key === '.') player.seekBy(1);
    else if (event.key === '[') player.loopFromHere();
    else if (event.key === ']') player.loopToHere();
    else if (event.key === '\\') player.loopWhole();
    else if (this.names.length === 1 && /^Arrow(Left|Right)$/.test(event.key)) player.seekBy(event.key === 'ArrowLeft' ? -1 : 1);
    else return false;
    return true;
  }

  close() {
    this.player.leave();
    this.abort.abort();
  }
}
