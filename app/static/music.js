/** The two tabs of music: variants side by side, the prompt beside its codec, results that are handed on. */

import { Compare } from './compare.js';
import { Desk } from './desk.js';
import { GoingOnPlayer } from './going_on.js';
import { make, sendButton } from './history.js';
import { audioContext } from './sound.js';

const RATE = 32000;
const FORMATS = ['wav', 'flac', 'mp3', 'json'];
const CONTINUE = 'music_continuation';
const SENDS = [['Continue this', CONTINUE], ['Use as reference', 'clap_to_music']];

const steps = (info) => (info.top_k ? `top k ${info.top_k}` : `${info.steps} step${info.steps === 1 ? '' : 's'}`);
const named = (prompt) => (prompt?.startsWith('clip:') ? 'a result' : prompt);

/** What a row of the history says. */
const title = (info) => {
  if (info.task === CONTINUE) return `After ${named(info.prompt)}`;
  return info.description || `Like ${named(info.reference)}`;
};
const facts = (info) => [
  info.model.split('/').pop(),
  info.prompt_end ? `prompt ${Number(info.prompt_end).toFixed(1)} s` : '',
  info.description && info.reference ? `like ${named(info.reference)}` : '',
  `seed ${info.seed}`,
  `temperature ${info.temperature}`,
  steps(info),
  info.cfg !== undefined && info.cfg !== 1 ? `CFG ${info.cfg}` : '',
];

/** One of several variants: pressing Play while another one sounds goes on from its place. */
class MusicPlayer extends GoingOnPlayer {
  constructor(root, options) {
    super(root, options);
    Object.assign(this, { formats: FORMATS, words: { doing: 'Playing…', made: 'music' }, sends: options.sends });
    this.onNotices = options.onNotices;
    this.siblings = [];
  }

  onMessage(message, clicked) {
    if (message.type === 'started') this.onNotices(message.parameters.notices);
    super.onMessage(message, clicked);
  }

  toggle() {
    const other = this.siblings.find((player) => player !== this && player.sound?.playing);
    if (other && this.sound && !this.sound.playing) {
      this.sound.offset = Math.min(Math.round(other.sound.position()), this.sound.length);
    }
    super.toggle();
  }

  halt() {
    super.halt();
    this.hand(null);
  }

  finish(message) {
    super.finish(message);
    this.hand(message.clip, message.info);
  }

  async playClip(clip, info) {
    this.onNotices(info.notices);
    await super.playClip(clip, info);
    if (this.sound) this.hand(clip, info);
  }

  /** Offer to hand a finished result on. */
  hand(clip, info) {
    this.find('.sends').replaceChildren(...(clip ? this.sends.map((send) => sendButton(send, clip, info)) : []));
  }
}

export class MusicDesk extends Desk {
  /** `task` is the engine's name of what the tab does; `prefix` begins the ids of its controls. */
  constructor(root, tell, { task, prefix }) {
    const sends = SENDS.map(([label, to]) => ({
      label, does: (clip) => {
        tell('hand_over', { clip, to });
        document.getElementById('tasks')?.scrollIntoView({ behavior: 'smooth', block: 'start' });
      },
    }));
    const options = {
      sends, onFinished: (entry) => this.history.add(entry), onNotices: (notices) => this.notice(notices),
    };
    const players = [...root.querySelectorAll('.player')].map((part) => new MusicPlayer(part, options));
    for (const player of players) player.siblings = players;
    super(root, {
      players, start: `${prefix}-go`, rate: RATE, tell,
      history: { key: `calm-${task}`, facts, title, formats: FORMATS, sends },
    });
    this.task = task;
    this.prefix = prefix;
    document.addEventListener('keydown', (event) => this.key(event));
  }

  /** The run is open: the first variant sounds, the others are made with it and wait. */
  play({ runs }) {
    if (!this.claim(runs)) return;
    const [{ run, request }] = runs;
    const players = this.players.slice(0, request.count);
    players.forEach((player, at) => {
      player.root.hidden = false;
      player.quiet = at > 0;
      this.name(at, players.length > 1 ? `Variant ${at + 1}` : '');
    });
    this.root.classList.toggle('several', players.length > 1);
    players[0].stream(run, request, this.clicked, players.slice(1));
  }

  alone() {
    super.alone();
    this.root.classList.remove('several');
    this.notice([]);
  }

  notice(notices) {
    const box = this.root.querySelector('.notices');
    box.firstElementChild.replaceChildren(...(notices ?? []).map((sentence) => make('li', '', sentence)));
    box.hidden = !notices?.length;
  }

  /** The prompt alone, or before and after the codec. */
  hear(message) {
    this.prompt ??= new Compare(document.getElementById(`${this.prefix}-prompt`), { names: ['The prompt', 'Through the codec'] });
    this.prompt.show(message);
  }

  /** Digits choose a variant while the tab is open. */
  key(event) {
    const player = this.players[Number(event.key) - 1];
    if (!player?.sound || player.root.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.('input, textarea, select, [role=listbox]') || !this.root.checkVisibility()) return;
    audioContext(RATE);
    player.toggle();
  }
}

/** Chips with captions write their text into the description. */
document.addEventListener('click', (event) => {
  const text = event.target.closest?.('.caption')?.textContent;
  const area = document.querySelector('#cm-text textarea');
  if (!text || !area) return;
  area.value = text;
  area.dispatchEvent(new Event('input', { bubbles: true }));
  area.focus();
});
