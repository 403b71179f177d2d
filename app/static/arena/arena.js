/** The way of a visitor: a text, two hidden systems, a vote, their names, and again. Texts only become text nodes. */

import { ServerError } from '../study/api.js';
import { lock, make } from '../study/dom.js';
import { ArenaApi } from './api.js';
import { Battle } from './battle.js';
import { beginningsForm } from './beginnings.js';
import { WORDS } from './words.js';

const POLL_MS = 400;
const SPEAK = 'tts';
const DESCRIBE = 'clap_to_music';
// what the arena tells of the tasks that go on from a sound
const BEGINNINGS = { speech_continuation: 'continuation', music_continuation: 'music' };

class Arena {
  constructor() {
    this.api = new ArenaApi();
    this.main = document.getElementById('main');
    this.live = document.getElementById('live');
    this.battle = null;
    this.written = { [SPEAK]: { text: '', voice: '' }, [DESCRIBE]: { text: '', voice: '' } };
    this.goOn = {}; // the same of what goes on from a sound
    this.task = SPEAK;
    this.turn = 0; // what an older request answers is left alone
  }

  /** Speak to a screen reader. */
  say(sentence) {
    this.live.textContent = '';
    requestAnimationFrame(() => (this.live.textContent = sentence));
  }

  async start() {
    try {
      this.told = await this.api.describe();
      if (!this.told.tasks.includes(this.task)) [this.task] = this.told.tasks;
      this.tally(this.told.own_votes, this.told.votes);
      if (this.told.state !== 'open') this.closed();
      else if (this.api.battle) await this.resume(this.api.battle);
      else this.ask();
    } catch (error) {
      if (error instanceof ServerError && error.status === 404) this.closed();
      else this.fail(error, () => this.start());
    }
    document.body.dataset.ready = 'true';
  }

  tally(own, all) {
    Object.assign(this, { own, all });
    document.getElementById('tally').textContent = WORDS.tally(own, all);
  }

  /** Replace the page; the heading takes the focus so that reading goes on there. */
  put(element, focus = 'h1') {
    this.battle?.close();
    this.battle = null;
    this.turn += 1;
    this.main.replaceChildren(element);
    window.scrollTo(0, 0);
    element.querySelector(focus)?.focus({ preventScroll: true });
    return this.turn;
  }

  closed() {
    this.put(make('section', { class: 'card' }, make('h1', { tabindex: '-1' }, WORDS.closed), make('p', {}, WORDS.closedNote)));
  }

  fail(error, again, label = WORDS.again) {
    if (!(error instanceof ServerError)) console.error(error);
    this.put(make('section', { class: 'card' }, make('h1', { tabindex: '-1' }, WORDS.failed),
      make('p', { class: 'trouble' }, error.message && error instanceof ServerError ? error.message : WORDS.noAnswer),
      make('div', { class: 'submit' }, make('button', { type: 'button', class: 'go', onclick: again }, label))));
  }

  /** The form of what the visitor wants to hear. */
  ask() {
    this.api.forgetBattle();
    if (this.task in BEGINNINGS) this.askBeginning();
    else this.askText();
  }

  /** The choice between the tasks, where there is one. */
  tasks() {
    if (this.told.tasks.length < 2) return null;
    return make('div', { class: 'tasks', role: 'group', 'aria-label': WORDS.task }, this.told.tasks.map((task) =>
      make('button', {
        type: 'button', class: 'task', 'data-task': task, 'aria-pressed': String(task === this.task), onclick: () => {
          this.task = task;
          this.goOn = {};
          this.ask();
          this.main.querySelector(`.task[data-task=${task}]`).focus();
        },
      }, WORDS.tasks[task])));
  }

  askBeginning() {
    const told = this.told[BEGINNINGS[this.task]];
    const words = WORDS.goOn[this.task];
    const form = beginningsForm({
      told, words, wish: this.goOn, send: (wish) => {
        this.goOn = wish;
        this.begin();
      },
    });
    this.put(make('section', { class: 'card ask' },
      make('h1', { tabindex: '-1' }, WORDS.title), this.tasks(),
      make('p', {}, words.intro(told.systems, told.prompt_seconds)), form));
  }

  /** What is written for the task: a text to speak, or a description of music. */
  get wish() {
    return this.written[this.task];
  }

  /** The texts to pick from. */
  get listed() {
    return this.task === DESCRIBE ? this.told.described.prompts : this.told.prompts;
  }

  /** A text or one of the list, and a voice where it is spoken. */
  askText() {
    const { told, wish, listed } = this;
    const words = WORDS.write[this.task];
    const speaks = this.task === SPEAK;
    const text = make('textarea', { id: 'text', rows: '3', placeholder: words.placeholder, 'aria-describedby': 'count' });
    text.value = wish.text;
    const count = make('p', { id: 'count', class: 'count soft' });
    const voice = make('select', { id: 'voice' }, make('option', { value: '' }, WORDS.anyVoice),
      told.voices.map(({ name, title }) => make('option', { value: name, selected: name === wish.voice }, title)));
    const go = make('button', { type: 'submit', class: 'go' }, words.begin);
    const status = make('p', { class: 'status', role: 'status' });
    const chips = listed.map((prompt) => make('button', {
      type: 'button', class: 'chip', 'aria-pressed': 'false', onclick: () => {
        text.value = prompt.text;
        changed();
      },
    }, prompt.text));
    const changed = () => {
      const length = text.value.trim().length;
      const over = length - told.max_chars;
      count.textContent = over > 0 ? WORDS.tooLong(over) : WORDS.counter(length, told.max_chars);
      count.classList.toggle('over', over > 0);
      lock(go, over > 0 || length === 0);
      listed.forEach((prompt, i) => chips[i].setAttribute('aria-pressed', String(prompt.text === text.value.trim())));
    };
    const send = (event) => {
      event?.preventDefault();
      Object.assign(wish, { text: text.value.trim(), voice: voice.value });
      if (!wish.text) status.textContent = WORDS.empty;
      else if (wish.text.length <= told.max_chars) this.begin();
    };
    text.addEventListener('input', changed);
    text.addEventListener('keydown', (event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) && send(event));
    this.put(make('section', { class: 'card ask' },
      make('h1', { tabindex: '-1' }, WORDS.title), this.tasks(), make('p', {}, words.intro((told.described && !speaks ? told.described : told).systems)),
      make('form', { onsubmit: send },
        make('label', { class: 'field', for: 'text' }, words.text), text, count,
        make('div', { class: 'chips', role: 'group', 'aria-label': WORDS.pick }, make('p', { class: 'soft' }, WORDS.pick), chips),
        make('div', { class: 'send' },
          speaks ? make('label', { class: 'field voice', for: 'voice' }, make('span', {}, WORDS.voice), voice) : null, go,
          make('kbd', { 'aria-hidden': 'true' }, WORDS.keysBegin)), status)));
    changed();
  }

  async begin() {
    const { task } = this;
    const turn = this.preparing(this.wish ? this.wish.text : WORDS.goOn[task].preparing);
    const written = this.wish && (this.wish.voice ? { text: this.wish.text, voice: this.wish.voice } : { text: this.wish.text });
    try {
      const begun = await this.begun({ task, ...(written ?? this.goOn) }, turn);
      if (turn === this.turn) await this.follow(begun.battle, turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error, () => this.ask(), WORDS.cancel);
    }
  }

  /** Ask for a pair; one that was left while it was being made is waited for. */
  async begun(wish, turn) {
    for (;;) {
      try {
        return await this.api.begin(wish);
      } catch (error) {
        if (error.code !== 'still_making' || turn !== this.turn) throw error;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }

  async resume(battle) {
    const turn = this.preparing('');
    try {
      await this.follow(battle, turn);
    } catch (error) {
      if (!(error instanceof ServerError) || error.passing) throw error;
      if (turn === this.turn) this.ask(); // it is gone, or was another visitor's
    }
  }

  /** Ask until both recordings are there. */
  async follow(battle, turn) {
    for (;;) {
      const state = await this.api.state(battle);
      if (turn !== this.turn) return;
      if (state.state === 'ready') {
        this.show(state);
        return;
      }
      if (state.state !== 'preparing') {
        if (state.state === 'answered') this.ask();
        else this.fail(new ServerError(state.error.message), () => this.ask(), WORDS.another);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  preparing(text) {
    return this.put(make('section', { class: 'card waiting', 'aria-busy': 'true' },
      make('h1', { tabindex: '-1' }, WORDS.preparing), text ? make('blockquote', {}, text) : null,
      make('div', { class: 'stage', 'aria-hidden': 'true' }, ['A', 'B'].map((name) =>
        make('div', { class: 'plate' }, make('div', { class: 'disc' }, make('span', { class: 'face-of' }, make('span', { class: 'letter' }, name)))))),
      make('p', { class: 'soft' }, WORDS.preparingNote),
      make('button', { type: 'button', class: 'quiet', onclick: () => this.ask() }, WORDS.cancel)));
  }

  show(state) {
    this.task = state.task;
    const battle = new Battle({
      state, number: this.own + 1, api: this.api, say: (sentence) => this.say(sentence),
      onVote: async (vote, onWait) => {
        const answer = await this.api.vote(state.battle, vote, onWait);
        this.api.forgetBattle();
        this.tally(answer.own_votes, this.all + 1);
        return answer;
      },
      onNext: (same) => (state.task in BEGINNINGS ? this.nextBeginning(same) : this.next(same ? state.text : null)),
    });
    this.put(battle.element);
    this.battle = battle;
    battle.load();
  }

  nextBeginning(same) {
    if (same) this.begin();
    else {
      this.goOn = {};
      this.ask();
    }
  }

  /** The same line with another pair, or the form with a line of the list that was not just heard. */
  next(text) {
    if (text) {
      this.wish.text = text;
      this.begin();
      return;
    }
    const at = this.listed.findIndex((prompt) => prompt.text === this.wish.text);
    this.wish.text = this.listed[(at + 1) % this.listed.length].text;
    this.ask();
  }
}

const arena = new Arena();
window.calmArena = arena;
arena.start();
