/** Tables and fields. */

import { make } from '../study/dom.js';

/** A table that scrolls in itself on a narrow screen; columns from `numbers` on are numbers. */
export function table(heads, rows, { caption = null, numbers = heads.length, classes = [] } = {}) {
  const kind = (at) => (at >= numbers ? 'number' : '');
  return make('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption ?? heads[0] },
    make('table', {},
      caption ? make('caption', {}, caption) : null,
      make('thead', {}, make('tr', {}, heads.map((head, at) => make('th', { scope: 'col', class: kind(at) }, head)))),
      make('tbody', {}, rows.map((row, line) =>
        make('tr', { class: classes[line] ?? null }, row.map((cell, at) =>
          make('td', { class: kind(at) }, cell instanceof Node ? cell : String(cell ?? '–'))))))));
}

export function field(label, input) {
  return make('label', { class: 'field' }, label, input);
}

/** An interval as a bar on the scale from `low` to `high`, beside its numbers. */
export function bar(from, to, low, high) {
  const place = (value) => `${(100 * (value - low)) / (high - low)}%`;
  const inner = make('i', {});
  inner.style.left = place(from);
  inner.style.width = `calc(${place(to)} - ${place(from)})`;
  return make('span', { class: 'bar', 'aria-hidden': 'true' }, inner);
}
