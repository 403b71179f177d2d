/** The filters, and the sentence on who is left out. */

import { make } from '../study/dom.js';
import { shown } from './address.js';
import { counted, FLAGS, GROUPS } from './words.js';

const form = document.getElementById('filters');
let painted = '';

/** Show the filters; they are built anew only when what can be chosen has changed. */
export function filters(view, go) {
  const { options } = view;
  const now = shown();
  const state = JSON.stringify([options, now]);
  if (state === painted) return;
  painted = state;
  const focus = document.activeElement?.id;
  const select = (name, label, choices) => make('label', {}, label,
    make('select', { id: `filter-${name}`, onchange: (event) => go({ [name]: event.target.value }) },
      withCurrent(choices, now[name]).map(([value, text]) => make('option', { value, selected: value === now[name] }, text))));
  const day = (name, label) => make('label', {}, label,
    make('input', {
      type: 'date', id: `filter-${name}`, value: now[name], min: options.from, max: options.to,
      onchange: (event) => go({ [name]: event.target.value }),
    }));
  const flagged = make('input', {
    type: 'checkbox', id: 'filter-flagged', checked: now.flagged === '1',
    onchange: (event) => go({ flagged: event.target.checked ? '1' : '' }),
  });
  const any = Object.entries(now).some(([name, value]) => value && name !== 'question');
  form.replaceChildren(
    select('study', 'Study', [['', 'All studies'], ...options.studies.map((one) => [one.slug, one.title])]),
    select('language', 'Language', [['', 'All'], ...options.languages.map((one) => [one, one])]),
    select('group', 'Listeners', [['', 'All'], ...options.groups.map((one) => [one, GROUPS[one] ?? one])]),
    day('from', 'From'), day('to', 'To'),
    make('label', { class: 'tick' }, flagged, 'Count flagged raters'),
    ...(any ? [make('button', {
      type: 'button', class: 'quiet', id: 'filter-none',
      onclick: () => go({ study: '', language: '', group: '', from: '', to: '', flagged: '' }),
    }, 'No filter')] : []));
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
}

/** A value of the address that no vote has can still be shown and changed. */
function withCurrent(choices, value) {
  return choices.some(([known]) => known === value) ? choices : [...choices, [value, value]];
}

export function leftOut(out) {
  const parts = [];
  if (out.excluded_raters) {
    parts.push(`${counted(out.excluded_raters, 'excluded rater')} (${counted(out.excluded_answers, 'answer')})`);
  }
  const flags = Object.entries(out.flags).map(([kind, count]) => `${FLAGS[kind] ?? kind}: ${count}`).join(', ');
  const flagged = out.flagged_raters
    ? `${counted(out.flagged_raters, 'flagged rater')} (${counted(out.flagged_answers, 'answer')}; ${flags})` : '';
  if (flagged && !out.flagged_counted) parts.push(flagged);
  const said = parts.length ? `Left out: ${parts.join(' and ')}.` : 'Nobody is left out.';
  return said + (flagged && out.flagged_counted ? ` Counted although flagged: ${flagged}.` : '');
}
form.addEventListener('submit', (event) => event.preventDefault());
