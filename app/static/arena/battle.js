/** One pair on the page: hear both, vote, see the names. */

import { stillToHear } from '../study/conditions.js';
import { icon, lock, locked, make, PAUSE, PLAY } from '../study/dom.js';
import { Player } from '../study/player.js';
import { WORDS as STUDY } from '../study/words.js';
import { WORDS } from './words.js';

const MAX_EVENTS = 400;
const SLACK_SECONDS = 0.05; // so that the server, which counts with a tolerance, never finds less than the page
const OUTCOMES = ['a', 'tie', 'both_bad', 'b'];
const KEYS = { a: 'a', b: 'b', t: 'tie', '=': 'tie', x: 'both_bad' };
const HINTS = { a: 'A', tie: 'T', both_bad: 'X', b: 'B' };

export class Battle {
  /** `state` is a pair that is ready; `onVote(vote, onWait)` sends and returns the names; `onNext(same)` goes on. */
  constructor({ state, number, api, say, onVote, onNext }) {
    Object.assign(this, { state, api, say, onVote, onNext });
    this.opened = performance.now();
    this.events = [];
    this.abort = new AbortController();
    this.sent = false;
    this.names = state.slots.map(({ label }) => label);
    this.player = new Player({
      words: STUDY.en, names: this.names, say,
      onChange: () => this.refresh(),
      onEvent: (kind, data) => this.note(kind, data),
    });
    this.build(number);
    document.addEventListener('keydown', (event) => this.key(event), { signal: this.abort.signal });
    document.addEventListener('visibilitychange', () => this.note(document.hidden ? 'hidden' : 'visible'), { signal: this.abort.signal });
  }

  build(number) {
    this.heading = make('h1', { tabindex: '-1' }, this.state.question);
    this.plates = this.names.map((name, slot) => this.plate(name, slot));
    this.votes = OUTCOMES.map((outcome) =>
      make('button', { type: 'button', class: `ballot ${outcome}`, 'data-outcome': outcome, 'aria-describedby': 'missing', onclick: () => this.vote(outcome) },
        make('span', {}, WORDS.outcomes[outcome]), make('kbd', { 'aria-hidden': 'true' }, HINTS[outcome])));
    this.ballots = make('div', { class: 'ballots', role: 'group', 'aria-label': WORDS.vote }, this.votes);
    this.missing = make('p', { id: 'missing', class: 'missing' });
    this.status = make('p', { class: 'status', role: 'status' });
    this.retry = make('button', { type: 'button', class: 'quiet', hidden: true });
    this.foot = make('div', { class: 'submit' }, this.missing, this.status, this.retry);
    this.shortcuts = make('input', { type: 'checkbox', checked: true });
    this.eyebrow = make('p', { class: 'eyebrow' }, WORDS.pair(number));
    this.element = make('section', { class: 'card battle trial' },
      this.eyebrow, this.heading, make('blockquote', {}, this.state.text), this.player.element,
      make('div', { class: 'stage' }, this.plates.map(({ element }) => element)), this.ballots, this.foot, this.help());
    this.refresh();
  }

  plate(name, slot) {
    const [play, pause] = [icon(PLAY), icon(PAUSE)];
    play.classList.add('i-play');
    pause.classList.add('i-pause');
    const letter = make('span', { class: 'letter' }, name);
    const button = make('button', {
      type: 'button', class: 'disc', 'aria-pressed': 'false', 'aria-label': `${STUDY.en.player.play}: ${name}`,
      onclick: () => (this.player.slot === slot && this.player.playing ? this.player.pause() : this.player.choose(slot)),
    }, make('span', { class: 'face-of' }, letter, play, pause));
    const told = make('div', { class: 'told' });
    return { element: make('div', { class: 'plate' }, button, told), button, told };
  }

  help() {
    return make('details', { class: 'keys' }, make('summary', {}, WORDS.keysTitle),
      make('label', { class: 'tick' }, this.shortcuts, WORDS.keysOn),
      make('dl', {}, WORDS.keys.map(([key, what]) => make('div', {}, make('dt', {}, make('kbd', {}, key)), make('dd', {}, what)))));
  }

  /** Fetch and decode both sounds. */
  async load() {
    const { player: words } = STUDY.en;
    const tell = (n, of) => (this.status.textContent = n < of ? words.loadingSounds(n, of) : '');
    this.retry.hidden = true;
    tell(0, 2);
    try {
      await this.player.load(this.state.slots.map(({ media }) => () => this.api.sound(`/media/${media}`, this.abort.signal)), tell);
      this.note('loaded');
      this.say(words.loaded);
      this.refresh();
    } catch {
      if (this.abort.signal.aborted) return;
      this.status.textContent = words.loadFailed;
      this.offer(WORDS.again, () => this.load());
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

  toHear() {
    const { deck, heard } = this.player;
    if (!deck) return this.names.map(() => this.state.minimum_seconds);
    return stillToHear(this.state.minimum_seconds, this.names.map(() => deck.seconds), heard)
      .map((seconds) => (seconds > 0 ? seconds + SLACK_SECONDS : 0));
  }

  refresh() {
    const toHear = this.toHear();
    this.plates.forEach(({ element, button }, slot) => {
      const sounding = this.player.playing && this.player.slot === slot;
      button.setAttribute('aria-pressed', String(sounding));
      element.classList.toggle('current', this.player.slot === slot);
      const share = Math.max(0, 1 - toHear[slot] / (this.state.minimum_seconds + SLACK_SECONDS));
      element.style.setProperty('--heard', `${Math.round(360 * (toHear[slot] > 0 ? share : 1))}deg`);
      element.classList.toggle('heard', toHear[slot] === 0);
    });
    if (this.answer) return;
    const unheard = this.names.filter((_, slot) => toHear[slot] > 0);
    const sentence = unheard.length ? WORDS.listenMore(unheard.join(' and ')) : WORDS.ready;
    if (this.missing.textContent !== sentence) this.missing.textContent = sentence;
    this.missing.classList.toggle('met', !unheard.length);
    for (const button of this.votes) lock(button, unheard.length > 0 || this.sent);
    if (!unheard.length && !this.told) this.say(WORDS.ready);
    this.told = !unheard.length;
  }

  async vote(outcome) {
    if (this.answer) return;
    if (locked(this.votes[0])) {
      this.say(this.missing.textContent);
      return;
    }
    this.sent = true; // a double click finds the buttons locked
    this.player.pause();
    this.refresh();
    this.status.textContent = WORDS.sending;
    const listened = Object.fromEntries(this.player.heard.map((seconds, slot) => [String(slot), Number(seconds.toFixed(3))]));
    try {
      const answer = await this.onVote({ outcome, listened, events: this.events }, (seconds, again) => {
        this.status.textContent = WORDS.waiting(seconds);
        this.offer(WORDS.sendNow, again);
      });
      this.reveal(answer);
    } catch (error) {
      this.sent = false;
      this.retry.hidden = true;
      this.status.textContent = error.message || WORDS.noAnswer;
      if (error.status === 410 || error.status === 409) this.offer(WORDS.another, () => this.onNext(false));
      this.refresh();
    }
  }

  /** Show the names; the sounds stay. */
  reveal(answer) {
    this.answer = answer;
    this.element.classList.add('revealed');
    this.heading.textContent = WORDS.said[answer.outcome];
    this.eyebrow.textContent = WORDS.revealed;
    answer.systems.forEach((system, slot) => {
      const { element, told } = this.plates[slot];
      const chosen = answer.outcome === 'ab'[slot];
      element.classList.toggle('chosen', chosen);
      told.replaceChildren(
        make('h2', {}, system.title),
        make('p', { class: 'name' }, system.name),
        make('ul', { class: 'facts' }, Object.entries(system.settings).map(([name, value]) => make('li', {}, `${WORDS.settings[name] ?? name} ${value}`))),
        chosen ? make('p', { class: 'badge' }, WORDS.chosen) : '');
    });
    this.ballots.remove();
    const words = WORDS.write[this.state.task] ?? WORDS.goOn[this.state.task];
    const next = make('button', { type: 'button', class: 'go next', onclick: () => this.onNext(false) }, words.next);
    const same = make('button', { type: 'button', class: 'quiet', onclick: () => this.onNext(true) }, words.same);
    this.foot.replaceChildren(next, same, make('a', { href: '/leaderboard?study=arena' }, WORDS.leaderboard));
    this.heading.focus({ preventScroll: true });
    this.say(`${this.heading.textContent}. ${answer.systems.map(({ label, title }) => `${label}: ${title}`).join('. ')}.`);
  }

  key(event) {
    if (!this.shortcuts.checked || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const own = event.target.closest?.('input, textarea, select, button, a, summary');
    if (own?.matches('textarea, select')) return;
    const key = event.key.toLowerCase();
    if (key === ' ') {
      if (own) return; // the focused control is pressed
      if (!event.repeat) this.player.toggle();
    } else if (key === '1' || key === '2') this.player.choose(Number(key) - 1);
    else if (key === 'arrowleft' || key === 'arrowright') this.player.choose(key === 'arrowleft' ? 0 : 1);
    else if (key in KEYS && !event.repeat) this.vote(KEYS[key]);
    else if (key === 'n' && this.answer && !event.repeat) this.onNext(false);
    else return;
    event.preventDefault();
  }

  close() {
    this.player.leave();
    this.abort.abort();
  }
}
