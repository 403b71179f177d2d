/** The page of samples: tables of prompts and systems, one sound at a time. */

import { make } from '../study/dom.js';
import { Cell, silence } from './cell.js';

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const live = document.getElementById('live');

function say(sentence) {
  live.textContent = sentence;
}

function link(document) {
  return make('a', { href: document.address }, document.name);
}

/** A system as it is called aloud: its title and the settings that tell it from its neighbours. */
function spoken(system) {
  const { temperature } = system.settings;
  return temperature ? `${system.title} at temperature ${temperature}` : system.title;
}

function head(system) {
  const { temperature, ...others } = system.settings;
  const settings = Object.entries(others).map(([name, value]) => `${name} ${value}`).join(' · ');
  return make('th', { scope: 'col' },
    make('span', { class: 'title' }, system.title),
    temperature ? make('span', { class: 'temperature' }, `temperature ${temperature}`) : null,
    make('span', { class: 'settings' }, settings || 'what really followed'),
    system.figures.length
      ? make('dl', { class: 'figures' },
          system.figures.map((one) => make('div', {}, make('dt', {}, one.label), make('dd', {}, one.value))))
      : make('p', { class: 'unmeasured' }, system.model ? 'not measured yet' : ''),
    system.recipe ? make('p', { class: 'recipe' }, 'Recipe: ', link(system.recipe), system.changes ? ` with ${system.changes}` : '') : null);
}

function row(table, prompt, number, rate) {
  const cell = (clip, name, promptSeconds) => new Cell(clip, { name, promptSeconds, rate, say });
  const called = `prompt ${number}`;
  const given = cell({ ...prompt, text: '' }, called, table.prompt_seconds); // its words always stand there
  const cells = table.systems.map((system) =>
    cell(system.clips[prompt.name], `${spoken(system)}, ${called}`, table.prompt_seconds));
  const toggle = make('button', {
    type: 'button', class: 'quiet look', 'aria-expanded': 'false', 'aria-label': `Spectrograms and words of ${called}`,
    onclick: () => {
      const open = toggle.getAttribute('aria-expanded') === 'false';
      toggle.setAttribute('aria-expanded', String(open));
      [given, ...cells].forEach((one) => one.look(open));
    },
  }, 'Spectrograms');
  const first = make('th', { scope: 'row' },
    make('span', { class: 'title' }, `Prompt ${number}`), given.element,
    prompt.text ? make('p', { class: 'given' }, prompt.text, ' …') : null, toggle);
  return make('tr', {}, first, cells.map((one) => make('td', {}, one.element)));
}

function section(table, rate) {
  const id = `about-${table.name}`;
  return make('section', { class: 'card', id: table.name, 'aria-labelledby': id },
    make('h2', { id }, table.title),
    make('ul', { class: 'points' }, table.points.map((point) => make('li', {}, point))),
    make('div', { class: 'wide', role: 'region', tabindex: '0', 'aria-label': `Sounds: ${table.title}` },
      make('table', {},
        make('caption', { class: 'off-screen' }, `${table.title}: prompts in rows, systems in columns`),
        make('thead', {}, make('tr', {},
          make('th', { scope: 'col' },
            make('span', { class: 'title' }, 'Prompt'), make('span', { class: 'settings' }, `${table.prompt_seconds} s`)),
          table.systems.map(head))),
        make('tbody', {}, table.prompts.map((prompt, k) => row(table, prompt, k + 1, rate))))),
    make('dl', { class: 'meanings' },
      table.meanings.map((one) => make('div', {}, make('dt', {}, one.label), make('dd', {}, one.meaning)))),
    table.report
      ? make('p', { class: 'soft source' }, 'Measured on more prompts and seeds than are heard here: ', link(table.report), '.')
      : null);
}

/** Arrow keys go from play button to play button of a table. */
function walk(event) {
  if (event.key === 'Escape') return silence();
  const step = STEPS[event.key];
  const button = event.target.closest?.('button.play');
  if (!step || !button) return;
  const here = button.closest('th, td');
  const rows = [...here.closest('tbody').rows];
  const to = rows[rows.indexOf(here.parentElement) + step[0]]?.cells[here.cellIndex + step[1]];
  event.preventDefault();
  const next = to?.querySelector('button.play');
  next?.focus({ preventScroll: true });
  to?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function fill(tables) {
  const place = document.getElementById('tables');
  if (!tables.length) {
    place.replaceChildren(make('p', { class: 'card' }, 'No samples are bundled with this Space yet.'));
    return;
  }
  const rate = Math.max(...tables.map((table) => table.sample_rate));
  place.replaceChildren(...tables.map((table) => section(table, rate)));
  const contents = document.getElementById('contents');
  contents.hidden = tables.length < 2;
  contents.replaceChildren(...tables.map((table) => make('a', { href: `#${table.name}` }, table.title)));
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

async function open() {
  const response = await fetch('/api/v1/samples');
  if (!response.ok) throw new Error('The samples cannot be loaded; try again in a moment.');
  fill((await response.json()).data);
}

document.addEventListener('keydown', walk);
open()
  .catch((error) => document.getElementById('tables').replaceChildren(make('p', { class: 'card', role: 'alert' }, error.message)))
  .finally(() => document.body.setAttribute('data-ready', ''));
