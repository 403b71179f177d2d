/** One study: its state, progress, results so far, sessions with exclusions, and the audit trail. */

import { make } from '../study/dom.js';
import { statistics } from './statistics.js';
import { bar, table } from './tables.js';

const SCALES = { mushra_scores: [0, 100] };

export async function detail(desk, slug) {
  const path = `studies/${encodeURIComponent(slug)}`;
  const study = await desk.office.get(path);
  const { words } = desk;
  return [
    make('div', { class: 'card' },
      make('a', { href: '#' }, `← ${words.back}`),
      make('h1', {}, study.title[desk.language] || Object.values(study.title).find(Boolean) || study.slug),
      make('p', {}, `${study.slug} · ${words.kinds[study.kind]} · ${words.version} ${study.version} `,
        make('span', { class: `badge ${study.state}` }, words.states[study.state])),
      make('p', { class: 'soft' }, `${words.link}: `,
        make('a', { href: invitation(study.slug) }, location.origin + invitation(study.slug))),
      tools(desk, study, path)),
    make('div', { class: 'card' },
      make('h2', {}, words.progress),
      make('p', { class: 'soft' }, words.wanted + study.ratings_wanted),
      table([study.kind === 'pairwise' ? words.pair : words.system, words.ratings, words.items, words.least, words.most],
        study.progress.map((row) => [row.name, row.ratings, row.items, row.least, row.most]), { numbers: 1 })),
    make('div', { class: 'card' },
      make('h2', {}, words.results),
      make('p', { class: 'soft' }, study.results.length ? words.resultsNote : words.noResults),
      ...study.results.map((result) => results(desk, result))),
    statistics(desk, slug, path),
    make('div', { class: 'card' }, make('h2', {}, words.sessions), sessions(desk, study)),
    make('div', { class: 'card' }, make('h2', {}, words.audit),
      !study.audit.length ? make('p', {}, words.noAudit) : table([words.when, words.who, words.what, words.target, words.why], study.audit.map((row) =>
        [moment(desk, row.at), row.actor, words.actions[row.action] ?? row.action, row.target, row.reason]))),
  ];
}

/** Where people take part; the arena's study has a page of its own. */
function invitation(slug) {
  return slug === 'arena' ? '/arena' : `/rate?study=${encodeURIComponent(slug)}`;
}

function tools(desk, study, path) {
  const { words, office } = desk;
  const button = (label, work, disabled = false) =>
    make('button', { class: 'quiet', disabled, onclick: work }, label);
  const state = (action, after) => button(words[action], async () => {
    if (await desk.act(() => office.post(`${path}/state`, { action }), words.done)) await desk.show();
  }, study.state === after);
  const format = make('select', { 'aria-label': words.exportAs },
    ['csv', 'parquet', 'json', 'all'].map((name) => make('option', {}, name)));
  const anonymous = make('input', { type: 'checkbox' });
  return make('div', { class: 'tools' },
    state('open', 'open'), state('pause', 'paused'), state('close', 'closed'),
    button(words.duplicate, async () => {
      const slug = await desk.ask(words.newName, words.duplicate);
      if (slug && await desk.act(() => office.post(`${path}/duplicate`, { slug }))) location.hash = encodeURIComponent(slug);
    }),
    format,
    make('label', { class: 'tick' }, anonymous, words.anonymous),
    button(words.exportAs, () => desk.act(() =>
      office.download(`${path}/export?format=${format.value}&anonymous=${anonymous.checked}`, `${study.slug}.zip`), words.done)),
    button(words.refresh, () => desk.show()));
}

function results(desk, result) {
  const { words } = desk;
  const number = (value) => (value === null ? '–' : value.toFixed(2));
  if (result.kind === 'comparisons') {
    return table([words.system, words.wins, words.ties, words.losses, words.share, words.ratings, words.raters],
      result.rows.map((row) => [row.system, row.wins, row.ties, row.losses,
        make('span', {}, `${(100 * row.share).toFixed(1)} %`, bar(0, row.share, 0, 1)), row.ratings, row.raters]),
      { caption: result.attribute, numbers: 1 });
  }
  const [low, high] = SCALES[result.kind] ?? [1, Math.max(5, ...result.rows.map((row) => row.high ?? row.mean))];
  const inside = (value) => Math.min(high, Math.max(low, value));
  return table([words.system, words.mean, words.interval, words.median, words.ratings, words.raters],
    result.rows.map((row) => [row.system, number(row.mean),
      row.low === null ? '–' : make('span', {}, `${number(row.low)} – ${number(row.high)}`,
        bar(inside(row.low), inside(row.high), low, high)),
      number(row.median), row.ratings, row.raters]),
    { caption: result.attribute, numbers: 1 });
}

function sessions(desk, study) {
  const { words } = desk;
  if (!study.sessions.length) return make('p', {}, words.noSessions);
  const rows = study.sessions.map((row) => [
    make('span', { title: row.rater }, row.rater.slice(0, 8)),
    row.panel_id ? `${row.panel}: ${row.panel_id}` : row.panel,
    moment(desk, row.started_at), words.sessionStates[row.state], `${row.answered} / ${row.of}`,
    row.median_answer_seconds === null ? '–' : row.median_answer_seconds.toFixed(1),
    make('span', {}, row.flags.map((flag) => make('span', { class: 'badge flag' }, words.flagKinds[flag] ?? flag))),
    decision(desk, row),
  ]);
  return table([words.rater, words.panel, words.started, words.state, words.answered, words.pace, words.flags, ''],
    rows, { classes: study.sessions.map((row) => (row.excluded_at ? 'excluded' : '')), caption: words.sessions });
}

function decision(desk, row) {
  const { words, office } = desk;
  const excluded = !row.excluded_at;
  const label = excluded ? words.exclude : words.include;
  const decide = async () => {
    const reason = await desk.ask(words.reason, label);
    if (!reason) return;
    const path = `raters/${encodeURIComponent(row.rater)}/excluded`;
    if (await desk.act(() => office.post(path, { excluded, reason }), words.done)) await desk.show();
  };
  return make('span', {}, make('button', { class: 'quiet', onclick: decide }, label),
    row.excluded_reason ? make('span', { class: 'soft' }, ` ${words.excludedFor}${row.excluded_reason}`) : null);
}

function moment(desk, text) {
  return text ? new Date(text).toLocaleString(desk.language === 'fr' ? 'fr' : 'en-GB', { dateStyle: 'short', timeStyle: 'short' }) : '–';
}
