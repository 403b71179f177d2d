/** Sounds of this visit; kept in the tab's session storage, so that a reload does not lose them. */

import { downloadLinks } from './player.js';

const LIMIT = 50;

/** What a row of speech says below its text. */
const speechFacts = (info) => [
  info.model,
  info.voice,
  `seed ${info.seed}`,
  `temperature ${info.temperature ?? 'default'}`,
  `${info.steps ?? 'default'} step${info.steps === 1 ? '' : 's'}`,
  `CFG ${info.cfg ?? 'default'}`,
  info.speed === 1 ? '' : `speed ${info.speed}`,
];

const textOf = (info) => info.text || 'No words';

/** A button that hands a result on. */
export function sendButton({ label, does }, clip, info) {
  const button = make('button', 'quiet send', label);
  button.type = 'button';
  button.addEventListener('click', () => does(clip, info));
  return button;
}

export class History {
  /** `sends` are further things to do with a row: `{ label, does(clip, info) }`. */
  constructor(root, { onPlay, onReuse, key = 'calm-history', facts = speechFacts, title = textOf, formats, sends = [] }) {
    Object.assign(this, { root, key, facts, title, formats, sends });
    this.list = root.querySelector('ol');
    this.onPlay = onPlay;
    this.onReuse = onReuse;
    this.entries = read(key);
    root.querySelector('.clear').addEventListener('click', () => {
      this.entries = [];
      this.save();
    });
    this.render();
  }

  add(entry) {
    this.entries = [entry, ...this.entries.filter(({ clip }) => clip !== entry.clip)].slice(0, LIMIT);
    this.save();
  }

  save() {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(this.entries));
    } catch {
      // a full or forbidden storage only means that a reload forgets
    }
    this.render();
  }

  render() {
    this.root.hidden = !this.entries.length;
    this.list.replaceChildren(...this.entries.map((entry) => this.row(entry)));
  }

  row({ clip, info }) {
    const row = make('li', '');
    const text = this.title(info);
    const title = make('p', 'line', text);
    const facts = [...this.facts(info), info.stopped ? 'stopped' : ''];
    const detail = make('p', 'detail', facts.filter(Boolean).join(' · '));
    const play = make('button', 'round', '');
    play.type = 'button';
    play.setAttribute('aria-label', `Play again: ${text.slice(0, 60)}`);
    play.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 5v14l11-7z"/></svg>';
    play.addEventListener('click', () => this.onPlay(clip, info));
    const reuse = make('button', 'quiet', 'Use again');
    reuse.type = 'button';
    reuse.setAttribute('aria-label', `Use these parameters again: ${text.slice(0, 60)}`);
    reuse.addEventListener('click', () => this.onReuse(info));
    const links = make('div', 'downloads');
    links.setAttribute('role', 'group');
    links.setAttribute('aria-label', 'Download');
    links.append(...downloadLinks(clip, this.formats));
    const words = make('div', 'words');
    words.append(title, detail);
    const tools = make('div', 'tools');
    tools.append(make('span', 'length', `${Number(info.seconds).toFixed(1)} s`), reuse, ...this.sends.map((send) => sendButton(send, clip, info)), links);
    row.append(play, words, tools);
    return row;
  }
}

function read(key) {
  try {
    const entries = JSON.parse(sessionStorage.getItem(key) ?? '[]');
    return Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}

/** An element with a class and text. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
