/** Joins the page's controls (Gradio) with the player, the history and the other tabs. */

import { Compare } from './compare.js';
import { Desks } from './desks.js';
import { History, make } from './history.js';
import { Player } from './player.js';
import { audioContext } from './sound.js';
import { stopRun } from './stream.js';

const HEALTH_SECONDS = 1.5;
const state = { clicked: 0, limit: 5000, wanted: false }; // wanted: Speak was pressed, and not Stop since
const byId = (id) => document.getElementById(id);

function whenPresent(selector) {
  return new Promise((resolve) => {
    const look = () => {
      const found = document.querySelector(selector);
      if (found) {
        observer.disconnect();
        resolve(found);
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(document.documentElement, { childList: true, subtree: true });
    look();
  });
}

function tellServer(event, data) {
  window.calmRelay?.trigger(event, data);
}

// Gradio puts the parts of the page into the document one by one, in no fixed order
const PARTS = ['#text textarea', '#counter', '#theme-switch', '#engine', '#examples', '#voice-source .wrap'];

const GROUPS = [
  ['voice-source', 'Kind of voice'], ['prompt-source', 'Kind of prompt'], ['mc-source', 'Kind of prompt'],
  ['mc-part', 'Part of the prompt'], ['cm-source', 'Kind of reference'],
];

async function main() {
  await Promise.all(PARTS.map(whenPresent));
  const playerRoot = await whenPresent('#player .player');
  const history = new History(await whenPresent('#history .history'), {
    onPlay: (clip, info) => player.playClip(clip, info),
    onReuse: (info) => {
      tellServer('reuse', info);
      byId('text').scrollIntoView({ behavior: 'smooth', block: 'center' });
      player.say('The parameters are back in the controls.');
    },
  });
  const player = new Player(playerRoot, { onFinished: (entry) => history.add(entry) });
  window.calmStudio = { player, history, state };
  let compare = null; // its tab may not be in the document before it is opened
  const codec = () => (compare ??= document.querySelector('#compare .compare') && new Compare(byId('compare')));

  const desks = new Desks(tellServer, whenPresent, () => drain());
  window.calmStudio.desks = desks.made;

  const receive = (detail) => {
    if (detail.type === 'run') {
      if (state.wanted) player.stream(detail.run, detail.request, state.clicked);
      else stopRun(detail.run);
    }
    else if (detail.type === 'runs') desks.made[detail.place]?.play(detail);
    else if (detail.type === 'prompt') desks.made[detail.place]?.hear(detail);
    else if (detail.type === 'error' && detail.place) desks.made[detail.place]?.fail(detail.message);
    else if (detail.type === 'error' && detail.param === 'codec') codec()?.fail(detail.message);
    else if (detail.type === 'error') player.fail(detail.message);
    else if (detail.type === 'status') player.say(detail.message, detail.fraction);
    else if (detail.type === 'codec') codec()?.show(detail);
    else if (detail.type === 'ready') {
      setLimit(detail.limit);
      if (detail.error) player.fail(detail.error);
    }
  };
  const drain = () => {
    for (const detail of (window.calmMessages ?? []).splice(0)) if (detail) receive(detail);
  };

  connectActions(player, codec, desks);
  connectText();
  connectTheme();
  nameGroups();
  showExamples(player);
  watchHealth();
  window.addEventListener('calm-message', drain);
  drain(); // what came before this script was ready
}

function connectActions(player, codec, desks) {
  // capture: the audio context has to be opened inside the gesture, before Gradio handles the click
  document.addEventListener(
    'click',
    (event) => {
      const target = event.target.closest?.('button');
      if (!target) return;
      if (target.id === 'speak') beginSpeaking(player);
      if (target.id === 'stop') stopSpeaking(player);
      desks.pressed(target.id);
      if (target.id === 'codec-run') {
        audioContext();
        codec()?.say('Encoding and decoding…');
      }
    },
    true,
  );
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      speakNow(['speak', ...desks.starts]);
    } else if (event.key === 'Escape' && !event.target.closest?.('[role=listbox], [aria-expanded=true]')) {
      stopSpeaking(player);
      desks.stop();
    }
  });
}

function stopSpeaking(player) {
  const starting = state.wanted && !player.run && !player.sound;
  state.wanted = false;
  player.stop();
  if (starting) player.show({ state: 'empty', status: 'Stopped.' });
}

function beginSpeaking(player) {
  state.wanted = true;
  state.clicked = performance.now();
  audioContext();
  player.halt();
  player.show({ state: 'waiting', status: 'Starting…' });
}

/** Press the button of the tab that is open; a textbox hands its value to Gradio on input, so nothing is waited for. */
function speakNow(ids) {
  ids.map(byId).find((button) => button?.checkVisibility())?.click();
}

function connectText() {
  const area = document.querySelector('#text textarea');
  area.addEventListener('input', count);
  setInterval(count, 500); // the text also changes from the server, which sends no event
}

function count() {
  const length = document.querySelector('#text textarea')?.value.length ?? 0;
  const counter = byId('counter');
  const text = `${length.toLocaleString('en')} of ${state.limit.toLocaleString('en')} characters`;
  if (counter.textContent !== text) counter.textContent = text;
  counter.classList.toggle('over', length > state.limit);
}

function setLimit(limit) {
  state.limit = limit;
  document.body.dataset.ready = 'true';
  count();
}

function connectTheme() {
  const stored = localStorage.getItem('calm-theme');
  if (stored) document.body.classList.toggle('dark', stored === 'dark');
  byId('theme-switch').addEventListener('click', () => {
    const dark = document.body.classList.toggle('dark');
    localStorage.setItem('calm-theme', dark ? 'dark' : 'light');
  });
}

/** Gradio's radio groups have no accessible name; give them theirs. */
function nameGroups() {
  for (const [id, name] of GROUPS)
    whenPresent(`#${id} .wrap`).then((group) => {
      group.setAttribute('role', 'radiogroup');
      group.setAttribute('aria-label', name);
    });
}

async function showExamples(player) {
  const response = await fetch('/api/v1/examples');
  if (!response.ok) return;
  const { data } = await response.json();
  const chips = data.map((info) => {
    const chip = make('button', 'chip');
    chip.type = 'button';
    chip.append(make('b', '', info.title ?? info.voice), make('span', '', info.text));
    chip.addEventListener('click', () => {
      tellServer('reuse', { ...info, ...info.request });
      player.playClip(info.id, info);
    });
    return chip;
  });
  byId('examples').replaceChildren(...chips);
  byId('examples').closest('.examples').hidden = !chips.length;
}

async function watchHealth() {
  const chip = byId('engine');
  for (;;) {
    const health = await fetch('/healthz')
      .then((response) => response.json())
      .catch(() => ({ status: 'offline' }));
    const words = { ready: 'Ready', warming: 'Starting', failed: 'No engine', offline: 'No server' };
    chip.dataset.status = health.status;
    const label = chip.querySelector('b');
    if (label.textContent !== words[health.status]) label.textContent = words[health.status];
    chip.title = health.detail ?? '';
    if (health.status === 'ready' || health.status === 'failed') return;
    await new Promise((resolve) => setTimeout(resolve, HEALTH_SECONDS * 1000));
  }
}

main();
