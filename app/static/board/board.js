/** The leaderboard: asks for results while it is looked at, and draws what has changed. Names only become text nodes. */

import { make } from '../study/dom.js';
import { address, shown, source } from './address.js';
import { follow, frame } from './figures.js';
import { filters, leftOut } from './filters.js';
import { published, standings, tests } from './tables.js';
import { FIGURES, KINDS, METHODS, capital, counted } from './words.js';

const LOOK_MS = 500; // with the server's own look every 200 ms, a vote is seen well within two seconds
const main = document.getElementById('main');
const live = document.getElementById('live');
let tag = '';
let view = null;
let drawn = null;
let running = 0;

/** Ask once; 304 where nothing has changed. */
async function look() {
  const mine = ++running;
  try {
    const response = await fetch(source(''), { headers: tag ? { 'If-None-Match': `"${tag}"` } : {}, cache: 'no-store' });
    if (mine !== running) return;
    if (response.status === 200) {
      view = await response.json();
      tag = view.tag;
      paint();
    } else if (response.status !== 304) {
      const told = await response.json().catch(() => null);
      say('away', told?.error?.message ?? 'The results cannot be read.');
      if (!view && response.status !== 503) fail(told?.error?.message);
      return;
    }
    say('live', `Live · ${new Date(view.made_at).toLocaleTimeString('en-GB')}`);
  } catch {
    say('away', 'The server does not answer; trying again.');
  }
}

function say(state, text) {
  live.dataset.state = state;
  const place = live.querySelector('span');
  if (place.textContent !== text) place.textContent = text;
}

function fail(message) {
  main.replaceChildren(make('div', { class: 'card' }, make('p', {}, message ?? 'The results cannot be read.'),
    make('p', {}, make('a', { href: '/leaderboard' }, 'Show everything'))));
  document.body.dataset.ready = '';
}

function chosen() {
  return view.questions.find((one) => one.id === shown().question) ?? view.questions[0];
}

/** Show the view; the focus, opened parts and scrolled tables stay where they were. */
function paint() {
  const focus = document.activeElement?.id;
  const open = [...document.querySelectorAll('details[open]')].map((one) => one.id);
  const scrolled = [...document.querySelectorAll('.scroll')].map((one) => [one.id, one.scrollLeft]);
  filters(view, go);
  tabs();
  document.getElementById('left-out').textContent = leftOut(view.left_out);
  const question = chosen();
  if (!question) {
    main.replaceChildren(nothing());
  } else {
    const before = drawn?.id === question.id ? drawn : null;
    if (JSON.stringify(before) !== JSON.stringify(question)) show(question, before);
  }
  drawn = question ?? null;
  for (const id of open) document.getElementById(id)?.setAttribute('open', '');
  for (const [id, left] of scrolled) if (id) document.getElementById(id)?.scrollTo({ left });
  if (focus && document.activeElement?.id !== focus) document.getElementById(focus)?.focus({ preventScroll: true });
  document.title = `${question ? `${question.name} · ` : ''}Leaderboard · CALM Space`;
  document.body.dataset.ready = '';
  document.body.dataset.tag = view.tag;
}

function tabs() {
  const now = chosen();
  document.getElementById('questions').replaceChildren(...view.questions.map((one, at) =>
    make('a', {
      href: address({ question: one.id }), id: `question-${at}`, 'aria-current': one === now ? 'page' : null,
      onclick: (event) => { if (plain(event)) { event.preventDefault(); go({ question: one.id }, `question-${at}`); } },
    }, capital(one.name), make('small', {}, KINDS[one.kind]))));
}

const plain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);

function nothing() {
  const filtered = Object.values(shown()).some(Boolean);
  return make('div', { class: 'card empty' },
    make('h2', {}, filtered ? 'No vote lies within these filters.' : 'Nobody has voted yet.'),
    make('p', {}, filtered ? make('a', { href: '/leaderboard' }, 'Show everything')
      : make('a', { href: '/rate' }, 'Take part in a listening test')));
}

/** One question: what is established, the table, the figures, the paper's numbers. */
function show(question, before) {
  const frames = FIGURES[question.kind].map((each) => frame(question, each, (more) => source('/figure.svg', more)));
  const doubts = [...(question.warnings ?? []), question.failure].filter(Boolean);
  const titles = question.studies.map((slug) => view.options.studies.find((one) => one.slug === slug)?.title ?? slug);
  const link = make('button', { type: 'button', class: 'quiet', id: 'copy', onclick: () => copy(link) }, 'Copy the link');
  main.replaceChildren(
    make('section', { class: 'card', 'aria-labelledby': 'name' },
      make('p', { class: 'eyebrow' }, `${titles.join(' · ')} · ${KINDS[question.kind]}`),
      make('h2', { id: 'name' }, question.question || question.name),
      make('p', { class: 'facts' }, [
        counted(question.answers, question.kind === 'pairs' ? 'vote' : 'rating'), counted(question.raters, 'rater'),
        counted(question.items, 'item'), ...(question.screened?.length ? [`${counted(question.screened.length, 'exclusion')} by BS.1534-3`] : []),
      ].join(' · ')),
      make('div', { class: 'note', id: 'established' }, question.sentences.map((sentence) => make('p', {}, sentence))),
      doubts.length ? make('div', { class: 'note doubt' }, doubts.map((sentence) => make('p', {}, sentence))) : null,
      standings(question, before),
      make('div', { class: 'tools' },
        make('button', { type: 'button', class: 'quiet', id: 'csv', onclick: () => follow(source('/table.csv', { question: question.id })) }, 'Save the table (CSV)'),
        link),
      tests(question),
      make('details', { id: 'methods' }, make('summary', {}, 'How these numbers are made'),
        [...METHODS[question.kind], convergence(question)].filter(Boolean).map((sentence) => make('p', {}, sentence)))),
    make('div', { class: 'figures' }, frames.map((one) => one.figure)),
    ...published(question));
  const old = before ? keep(frames) : [];
  frames.forEach((one, at) => { if (old[at]) one.drawn.replaceChildren(old[at]); });
  frames.forEach((one) => one.draw());
  figures = frames;
}

let figures = [];

/** The pictures that are on the page already stay until the new ones come, so that nothing jumps. */
function keep() {
  return figures.map((one) => one.drawn.firstElementChild);
}

function convergence(question) {
  if (question.alpha !== undefined && question.alpha !== null) {
    return `Krippendorff's alpha of the raters (interval scale) is ${question.alpha.toFixed(2)}.`;
  }
  const found = question.convergence;
  return found && `Four chains of ${found.sweeps} sweeps agree: R-hat ${found.r_hat.toFixed(3)}, ${found.effective_draws} effective draws.`;
}

async function copy(button) {
  const url = new URL(address({ question: chosen().id }), location.href).href;
  try {
    await navigator.clipboard.writeText(url);
    button.textContent = 'Copied';
  } catch {
    history.replaceState(null, '', url);
    button.textContent = 'The link is in the address bar';
  }
}

/** Show something else, and say so in the address. */
function go(changes, focus = null) {
  history.pushState(null, '', address(changes));
  if (focus && view) {
    paint();
    document.getElementById(focus)?.focus();
  } else {
    tag = '';
    look();
  }
}

addEventListener('popstate', () => { tag = ''; look(); });
let room = innerWidth;
addEventListener('resize', () => {
  if (Math.abs(innerWidth - room) < 8) return;
  room = innerWidth;
  figures.forEach((one) => one.draw());
});

for (;;) {
  if (!document.hidden) await look();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
