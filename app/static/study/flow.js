/** The way of a participant: from the list of studies or an invitation to the completion code. */

import { Api, ServerError } from './api.js';
import { make } from './dom.js';
import {
  closedPage, consentPage, donePage, feedbackPage, heading, headphonesPage, questionnairePage, setupPage,
} from './steps.js';
import { TrialPage } from './trial.js';
import { WORDS } from './words.js';

const PANEL_KEYS = ['PROLIFIC_PID', 'STUDY_ID', 'SESSION_ID', 'workerId', 'assignmentId', 'hitId'];
const STEPS = { consent: consentPage, setup: setupPage, headphones: headphonesPage, questionnaire: questionnairePage, done: donePage, closed: closedPage };

class Flow {
  constructor() {
    this.api = new Api();
    this.main = document.getElementById('main');
    this.live = document.getElementById('live');
    this.query = new URLSearchParams(location.search);
    this.trial = null;
    this.setLanguage(this.query.get('lang') ?? navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in WORDS) ?? 'en');
  }

  /** Speak to a screen reader. */
  say(sentence) {
    this.live.textContent = '';
    requestAnimationFrame(() => (this.live.textContent = sentence));
  }

  setLanguage(language) {
    this.words = WORDS[language] ?? WORDS.en;
    document.documentElement.lang = this.words.locale;
    document.getElementById('skip').textContent = this.words.skip;
    document.getElementById('name').textContent = this.words.page;
  }

  async start() {
    try {
      const participant = this.query.get('p');
      if (participant) await this.resume(participant);
      else if (this.query.get('study')) await this.invite(this.query.get('study'));
      else await this.list();
    } catch (error) {
      this.fail(error, () => this.start());
    }
    document.body.dataset.ready = 'true';
  }

  fail(error, again) {
    const button = make('button', { type: 'button', class: 'go', onclick: again }, this.words.again);
    const told = error instanceof ServerError && error.message;
    if (!told && !(error instanceof ServerError)) console.error(error);
    this.put({ element: make('section', { class: 'card' }, heading(told || this.words.failed), make('div', { class: 'submit' }, button)) });
  }

  /** Replace the page; the heading takes the focus so that reading goes on there. */
  put({ element }) {
    this.trial?.close();
    this.trial = null;
    this.main.replaceChildren(element);
    window.scrollTo(0, 0);
    const title = element.querySelector('h1');
    title?.focus({ preventScroll: true });
    document.title = `${title?.textContent ?? this.words.page} · ${this.words.page}`;
  }

  // -------------------------------------------------------------------------------- before a session

  async list() {
    const { data } = await this.api.studies();
    this.head(null);
    const cards = data.map((study) =>
      make('article', { class: 'card study' }, make('h2', {}, study.title[this.words.locale] ?? study.title.en ?? study.title.fr),
        make('p', { class: 'soft' }, this.words.minutes(study.minutes)),
        make('a', { class: 'go', href: `?study=${encodeURIComponent(study.slug)}&lang=${this.words.locale}` }, this.words.take)));
    this.put({ element: make('section', { class: 'list' }, heading(this.words.openStudies), cards.length ? cards : make('p', {}, this.words.noStudies)) });
    this.languages(Object.keys(WORDS), (language) => {
      this.setLanguage(language);
      this.list();
    });
  }

  /** An invitation: panels bring their ids and begin at once; others may have begun here before. */
  async invite(slug) {
    const panel = Object.fromEntries(PANEL_KEYS.flatMap((key) => (this.query.get(key) ? [[key, this.query.get(key)]] : [])));
    const kept = recall(slug);
    if (kept && !Object.keys(panel).length) {
      this.offerResume(slug, kept);
      return;
    }
    await this.join(slug, panel);
  }

  offerResume(slug, kept) {
    const go = make('button', { type: 'button', class: 'go', onclick: () => this.resume(kept).catch((error) => this.fail(error, () => this.join(slug, {}))) }, this.words.resume);
    const anew = make('button', { type: 'button', class: 'quiet', onclick: () => this.join(slug, {}).catch((error) => this.fail(error, () => this.start())) }, this.words.anew);
    this.put({ element: make('section', { class: 'card' }, heading(this.words.page), make('div', { class: 'submit' }, go, anew)) });
  }

  async join(slug, panel) {
    const { participant, state } = await this.api.join(slug, this.words.locale, panel);
    this.enter(participant, slug);
    this.show(state);
  }

  async resume(participant) {
    this.api.token = participant;
    const resent = await this.api.deliverPending((seconds) => this.say(this.words.offline(seconds))).catch((error) => {
      if (error.status === 401 || error.status === 403) throw error;
      return null; // the vote was taken before, or its trial is over: the state below says where to go on
    });
    const state = resent?.state ?? (await this.api.session());
    this.enter(participant, state.study.slug);
    this.show(state);
    if (resent) this.say(this.words.resent);
  }

  /** Keep the signed link in the address bar, so that a reload or a bookmark goes on here. */
  enter(participant, slug) {
    this.api.token = participant;
    history.replaceState(null, '', `/rate?p=${encodeURIComponent(participant)}`);
    remember(slug, participant);
  }

  // -------------------------------------------------------------------------------- in a session

  show(state) {
    this.state = state;
    this.setLanguage(state.language);
    this.head(state);
    this.languages(state.languages, async (language) => this.show(await this.api.answer('language', { language })));
    if (state.step === 'trial' || state.step === 'training') this.showTrial(state);
    else {
      const page = STEPS[state.step]({
        state, words: this.words, api: this.api, say: (sentence) => this.say(sentence),
        onAnswer: async (step, answers) => this.show(await this.api.answer(step, answers)),
      });
      this.put(page);
    }
    this.pauseNote(state);
  }

  showTrial(state) {
    const { words } = this;
    const practice = state.step === 'training';
    const trial = new TrialPage({
      trial: state.trial, words, api: this.api, say: (sentence) => this.say(sentence),
      onSubmit: (vote, onWait) => this.vote(vote, onWait, practice),
    });
    const count = words.trial(Math.min(state.progress.done + 1, state.progress.of), state.progress.of);
    const element = make('section', { class: 'card' },
      make('p', { class: 'eyebrow' }, practice ? words.training : count),
      heading(state.trial.question), practice ? make('p', { class: 'note' }, words.trainingNote) : null, trial.element);
    this.put({ element });
    this.trial = trial;
    trial.load();
  }

  async vote(vote, onWait, practice) {
    let answer;
    try {
      answer = await this.api.vote(vote, onWait);
    } catch (error) {
      // answered in another tab, or opened too long ago: the server knows where to go on
      if (error.status !== 409 && error.status !== 410) throw error;
      const state = await this.api.session();
      this.show(state);
      this.notice(error.message);
      return;
    }
    if (practice && answer.feedback?.length)
      this.put(feedbackPage({ feedback: answer.feedback, words: this.words, onNext: () => this.show(answer.state) }));
    else this.show(answer.state);
  }

  notice(sentence) {
    this.main.prepend(make('p', { class: 'notice', role: 'status' }, sentence));
  }

  // -------------------------------------------------------------------------------- around the page

  head(state) {
    const bar = document.getElementById('progress');
    const shown = Boolean(state?.progress?.of) && !['done', 'closed', 'consent'].includes(state.step);
    bar.hidden = !shown;
    if (!shown) return;
    const { done, of } = state.progress;
    const meter = make('progress', { max: String(of), value: String(done), 'aria-label': this.words.progress(done, of) });
    bar.replaceChildren(meter, make('span', {}, this.words.progress(done, of)));
  }

  languages(offered, choose) {
    const place = document.getElementById('languages');
    const shown = offered.filter((language) => language in WORDS);
    place.hidden = shown.length < 2;
    place.setAttribute('aria-label', this.words.language);
    place.replaceChildren(...shown.map((language) =>
      make('button', {
        type: 'button', class: 'quiet', lang: language, 'aria-pressed': String(language === this.words.locale),
        onclick: () => language !== this.words.locale && Promise.resolve(choose(language)).catch((error) => this.notice(error.message || this.words.failed)),
      }, WORDS[language].name)));
  }

  pauseNote(state) {
    const note = document.getElementById('pause');
    const link = `${location.origin}/rate?p=${encodeURIComponent(this.api.token)}`;
    note.hidden = ['done', 'closed'].includes(state.step);
    const copy = make('button', { type: 'button', class: 'quiet', onclick: async () => {
      await navigator.clipboard.writeText(link).catch(() => {});
      this.say(this.words.copied);
    } }, this.words.copy);
    note.replaceChildren(make('summary', {}, this.words.pauseTitle), make('p', {}, this.words.pause),
      make('input', { type: 'text', readonly: true, value: link, 'aria-label': this.words.pause }), copy);
  }
}

function remember(slug, participant) {
  try {
    localStorage.setItem(`calm-participant-${slug}`, participant);
  } catch {
    // without storage the link in the address bar still leads back
  }
}

function recall(slug) {
  try {
    return localStorage.getItem(`calm-participant-${slug}`);
  } catch {
    return null;
  }
}

const flow = new Flow();
window.calmStudy = flow;
flow.start();
