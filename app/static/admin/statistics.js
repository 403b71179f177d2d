/** Results of one study as the leaderboard computes them, live, with who is left out and by which rule. */

import { FIGURES } from '../board/words.js';
import { put } from '../board/figures.js';
import { standings, tests } from '../board/tables.js';
import { make } from '../study/dom.js';
import { table } from './tables.js';

const LOOK_MS = 3000;

/** A card that fills itself and follows the votes for as long as it is on the page. */
export function statistics(desk, slug, path) {
  const { words, office } = desk;
  const body = make('div', { id: 'results' }, make('p', { class: 'soft' }, words.working));
  const card = make('div', { class: 'card' },
    make('h2', {}, words.statistics), make('p', { class: 'soft' }, words.statisticsNote), body,
    make('div', { class: 'tools' }, make('button', {
      class: 'quiet', onclick: () => desk.act(() => office.download(`${path}/report.html`, `${slug}-report.html`), words.done),
    }, words.report)));
  follow(desk, path, card, body);
  return card;
}

async function follow(desk, path, card, body) {
  let tag = null;
  do {
    try {
      const found = document.hidden && tag ? null : await desk.office.get(`${path}/results`);
      if (found && found.tag !== tag) {
        tag = found.tag;
        await paint(desk, path, body, found);
      }
    } catch (error) {
      if (tag === null) body.replaceChildren(make('p', { class: 'soft' }, error.message || desk.words.noAnswer));
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  } while (card.isConnected);
}

async function paint(desk, path, body, found) {
  const { words } = desk;
  const parts = await Promise.all(found.questions.map((question) => one(desk, path, body, question)));
  if (!parts.length) parts.push(make('p', {}, words.noResults));
  body.replaceChildren(...parts, ...leftOut(words, found));
}

async function one(desk, path, body, question) {
  const width = Math.min(1000, Math.max(280, Math.floor(body.clientWidth)));
  const figures = await Promise.all(FIGURES[question.kind].map(async ({ name, title }) => {
    const drawn = make('div', { class: 'drawn' });
    const query = new URLSearchParams({ question: question.id, figure: name, width });
    put(drawn, await (await desk.office.ask('GET', `${path}/results/figure.svg?${query}`)).text());
    return make('details', { open: name !== 'heat' && name !== 'time' }, make('summary', {}, title), drawn);
  }));
  const doubts = [...(question.warnings ?? []), question.failure].filter(Boolean);
  return make('section', { lang: 'en', 'aria-label': question.name },
    make('h3', {}, question.name),
    [...question.sentences, ...doubts].map((sentence) => make('p', {}, sentence)),
    standings(question, null), tests(question), figures);
}

/** Every rater who does not count, and why. */
function leftOut(words, found) {
  const screened = found.questions.flatMap((question) => (question.screened ?? []).map((each) =>
    [each.rater.slice(0, 8), 'BS.1534-3', `${each.rule}: ${(100 * each.share).toFixed(0)} %`]));
  const rows = [
    ...Object.entries(found.raters.excluded).map(([rater, reason]) => [rater.slice(0, 8), words.actions.exclude, reason]),
    ...Object.entries(found.raters.flagged).map(([rater, flags]) =>
      [rater.slice(0, 8), words.flags, flags.map((flag) => words.flagKinds[flag] ?? flag).join(', ')]),
    ...screened,
  ];
  if (!rows.length) return [];
  return [make('h3', {}, words.leftOut), table([words.rater, words.what, words.why], rows, { caption: words.leftOut })];
}
