/** The administration: sign in, the list of studies, one study. Texts of users only ever become text nodes. */

import { make } from '../study/dom.js';
import { Office, Refusal } from './office.js';
import { detail } from './detail.js';
import { field, table } from './tables.js';
import { LANGUAGES } from './words.js';

const office = new Office();
const main = document.getElementById('main');
const status = document.getElementById('status');
let language = navigator.language.startsWith('fr') ? 'fr' : 'en';
let words = LANGUAGES[language];

/** What the views are given: words, requests, and ways to go on. */
const desk = {
  get words() {
    return words;
  },
  get language() {
    return language;
  },
  office,
  show,
  act,
  tell,
  ask,
};

function tell(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle('wrong', wrong);
}

/** Do something with the server; what it refuses is told in its own sentence. */
async function act(work, told) {
  tell(words.working);
  try {
    const result = await work();
    tell(told ?? '');
    return result;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401 && error.wasIn) await show();
    tell(error.message || words.noAnswer, true);
    return undefined;
  }
}

/** Ask for one line of text; null when cancelled. */
function ask(label, button) {
  return new Promise((resolve) => {
    const input = make('input', { type: 'text', required: true, maxlength: 1000 });
    const dialog = make('dialog', { 'aria-label': label },
      make('form', { method: 'dialog' },
        make('label', { class: 'field' }, label, input),
        make('div', { class: 'tools' },
          make('button', { class: 'go', value: 'yes' }, button),
          make('button', { class: 'quiet', value: 'no', formnovalidate: true }, words.cancel))));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes' && input.value.trim() ? input.value.trim() : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Show what the address names: a study (`#slug`), or all. */
async function show() {
  document.documentElement.lang = language;
  document.getElementById('name').textContent = words.name;
  document.title = words.name;
  paintLanguages();
  const slug = decodeURIComponent(location.hash.slice(1));
  const view = office.token ? await act(() => (slug ? detail(desk, slug) : list())) : await door();
  if (view) main.replaceChildren(...view);
  document.body.dataset.ready = '';
}

async function door() {
  const ways = await act(() => office.get('ways'));
  if (!ways) return [];
  if (!ways.password && !ways.hugging_face) return [make('div', { class: 'card' }, make('p', {}, words.closed))];
  const input = make('input', { type: 'password', autocomplete: 'current-password', required: true });
  const enter = async (event) => {
    event.preventDefault();
    if (await act(async () => { await office.enter(input.value); return true; })) await show();
  };
  const parts = [make('h1', {}, words.name)];
  if (ways.password) {
    parts.push(make('form', { onsubmit: enter }, field(words.password, input),
      make('div', { class: 'tools' }, make('button', { class: 'go' }, words.enter))));
  }
  if (ways.hugging_face) {
    const signed = async () => {
      try {
        await office.enter('');
        await show();
      } catch {
        location.assign('/login/huggingface?_target_url=/admin');
      }
    };
    parts.push(make('button', { class: 'quiet', onclick: signed }, words.huggingFace));
  }
  return [make('div', { class: 'card' }, ...parts)];
}

async function list() {
  const { data } = await office.get('studies');
  const rows = data.map((study) => [
    make('span', {}, make('a', { href: `#${encodeURIComponent(study.slug)}` }, study.title || study.slug),
      make('span', { class: 'soft' }, ` ${study.slug}`)),
    words.kinds[study.kind],
    make('span', { class: `badge ${study.state}` }, words.states[study.state]),
    study.version, study.sessions.finished ?? 0, study.sessions.active ?? 0, study.votes,
  ]);
  const heads = [words.study, words.kind, words.state, words.version, words.finished, words.active, words.votes];
  const file = make('input', { type: 'file', accept: '.zip,application/zip' });
  const again = make('input', { type: 'checkbox' });
  file.addEventListener('change', async () => {
    const made = await act(() => office.send(file.files[0], again.checked));
    file.value = '';
    if (!made) return;
    await show();
    tell([words.added + made.slug, ...made.notes, ...made.warnings].join('\n'));
  });
  return [
    make('div', { class: 'card' },
      make('h1', {}, words.studies),
      rows.length ? table(heads, rows, { numbers: 3 }) : make('p', {}, words.none)),
    make('div', { class: 'card' },
      field(words.upload, file),
      make('label', { class: 'tick' }, again, words.newVersion),
      make('div', { class: 'tools' },
        make('button', { class: 'quiet', onclick: () => act(() => office.download('backup', 'calm-backup.zip')) },
          words.backup),
        make('button', { class: 'quiet', onclick: () => { office.leave(); show(); } }, words.leave))),
  ];
}

function paintLanguages() {
  document.getElementById('languages').replaceChildren(...Object.keys(LANGUAGES).map((key) =>
    make('button', {
      class: 'quiet', lang: key, 'aria-pressed': String(key === language),
      onclick: () => { language = key; words = LANGUAGES[key]; show(); },
    }, key === 'en' ? 'English' : 'Français')));
}

addEventListener('hashchange', () => show());
show();
