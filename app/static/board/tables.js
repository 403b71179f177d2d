/** Tables of results, one for each kind of question. */

import { make } from '../study/dom.js';
import { capital, counted, interval, number, percent } from './words.js';

/** A table that scrolls in itself; the first column is the row's head unless it is a rank. */
export function table(id, label, heads, rows) {
  return make('div', { class: 'scroll', id, role: 'region', tabindex: '0', 'aria-label': label },
    make('table', {},
      make('thead', {}, make('tr', {}, heads.map((head) =>
        make('th', { scope: 'col', class: head.number ? 'number' : null, title: head.told ?? null }, head.name)))),
      make('tbody', {}, rows.map(({ cells, moved }) => make('tr', { class: moved ? 'moved' : null },
        cells.map((cell, at) => (heads[at].row
          ? make('th', { scope: 'row', title: typeof cell === 'string' ? cell : null }, cell)
          : make('td', { class: heads[at].number ? 'number' : null }, cell instanceof Node ? cell : String(cell)))))))));
}

const head = (name, told) => ({ name, number: true, told });
const SYSTEM = { name: 'System', row: true };

export function standings(question, before) {
  const kinds = { pairs: pairRows, mos: opinionRows, mushra: gradeRows };
  const [heads, rows, key] = kinds[question.kind](question);
  const old = new Map((before?.standings ?? []).map((row) => [row.system, row]));
  const marked = question.standings.map((row, at) => ({
    cells: rows[at], moved: old.has(row.system) && old.get(row.system)[key] !== row[key],
  }));
  return table('standings', `Results: ${question.name}`, heads, marked);
}

function pairRows(question) {
  const bad = question.both_bad > 0;
  const heads = [
    head('Rank'), SYSTEM, head('Elo'), head('95 % interval'), head('Ranks', '95 % interval of the rank'),
    head('P(best)', 'Probability of being the best'), head('Votes'), head('Wins'), head('Ties'), head('Losses'),
    ...(bad ? [head('Both bad', 'Votes that called both bad; they count as ties')] : []),
    head('Fixed point', 'Equation 9 of the CALM paper'),
  ];
  const rows = question.standings.map((row) => [
    row.rank, row.system, make('strong', {}, number(row.elo)), make('span', { class: 'soft' }, interval(row.low, row.high)),
    row.rank_low === row.rank_high ? row.rank_low : `${row.rank_low} – ${row.rank_high}`, percent(row.best),
    row.votes, row.wins, row.ties, row.losses, ...(bad ? [row.both_bad] : []), number(row.paper_elo),
  ]);
  return [heads, rows, 'elo'];
}

function opinionRows(question) {
  const heads = [SYSTEM, head('MOS'), head('95 % interval'), head('Ratings'), head('Raters')];
  return [heads, question.standings.map((row) => [
    row.system, make('strong', {}, number(row.mean, 2)), interval(row.ci_low, row.ci_high, 2), row.ratings, row.raters,
  ]), 'mean'];
}

function gradeRows(question) {
  const heads = [SYSTEM, head('Median'), head('Quartiles'), head('Mean'), head('95 % interval'), head('Ratings')];
  return [heads, question.standings.map((row) => [
    row.system, make('strong', {}, number(row.median, 1)), interval(row.q1, row.q3, 1), number(row.mean, 1),
    interval(row.ci_low, row.ci_high, 1), row.ratings,
  ]), 'mean'];
}

/** Every test between two systems, in a part that can be opened. */
export function tests(question) {
  if (!question.tests?.length) return null;
  const heads = [SYSTEM, { name: 'against' }, head('Difference'), head('p (Holm)'), head('Pairs')];
  const rows = question.tests.map((test) => ({ cells: [
    test.system_a, test.system_b, number(test.difference, 2),
    test.adjusted === null ? '–' : test.adjusted < 0.001 ? '< 0.001' : test.adjusted.toFixed(3), test.pairs,
  ] }));
  return make('details', { id: 'tests' }, make('summary', {}, counted(rows.length, 'test', 'tests') + ' between two systems'),
    table('test-table', 'Tests between two systems', heads, rows));
}

/** The paper's own numbers, marked as such. */
export function published(question) {
  if (!question.published.length) return [];
  const heads = [SYSTEM, head('Elo'), head('95 % interval')];
  return [make('section', { class: 'card published' },
    make('h2', {}, 'Published in the paper'),
    make('p', { class: 'soft' },
      `${question.published[0].source}. Other systems, other listeners and another zero: compare differences within a table, not numbers across tables.`),
    make('div', { class: 'tables' }, question.published.map((each, at) =>
      make('div', {}, make('h3', {}, capital(each.table)),
        table(`published-${at}`, each.table, heads, each.rows.map((row) =>
          ({ cells: [row.system, number(row.elo), interval(row.low, row.high)] })))))))];
}
