/** Tab "Speech continuation": one player or two, the words as they are spoken, and what was made before. */

import { Desk } from './desk.js';
import { GoingOnPlayer } from './going_on.js';
import { make } from './history.js';

const FORMATS = ['wav', 'flac', 'mp3', 'txt', 'json'];

/** What a row of the history says below its words. */
const facts = (info) => [
  info.model.split('/').pop(),
  `${info.prompt}, ${Number(info.prompt_end).toFixed(1)} s`,
  `seed ${info.seed}`,
  `temperature ${info.temperature}`,
  `of the words ${info.text_temperature}`,
  info.top_k ? `top k ${info.top_k}` : `${info.steps} step${info.steps === 1 ? '' : 's'}`,
];

/** A player that lights up each word when it is spoken. */
export class ContinuationPlayer extends GoingOnPlayer {
  constructor(root, options) {
    super(root, options);
    this.formats = FORMATS;
    this.thoughts = [];
    this.spoken = 0;
    this.line = this.find('.thoughts');
  }

  onMessage(message, clicked) {
    if (message.type === 'words') this.think(message.start, message.words);
    else super.onMessage(message, clicked);
  }

  begin(sound) {
    super.begin(sound);
    this.think(0, []);
  }

  finish(message) {
    super.finish(message);
    if (this.sound && message.info.words) this.think(0, message.info.words);
  }

  async playClip(clip, info) {
    await super.playClip(clip, info);
    if (this.sound) this.think(0, info.words ?? []);
  }

  /** From place `start` on, `words` replace what was known. */
  think(start, words) {
    this.thoughts.length = Math.min(this.thoughts.length, start);
    while (this.line.childElementCount > start) this.line.lastElementChild.remove();
    for (const word of words) {
      this.thoughts.push(word);
      this.line.append(make('span', '', `${word.text} `));
    }
    this.spoken = -1;
    this.draw();
  }

  draw() {
    super.draw();
    if (this.sound) this.light(this.sound.position() / this.sound.rate);
  }

  /** Words that were thought and not heard yet stay dim. */
  light(now) {
    let spoken = 0;
    while (spoken < this.thoughts.length && this.thoughts[spoken].seconds <= now) spoken += 1;
    if (spoken === this.spoken) return;
    this.spoken = spoken;
    [...this.line.children].forEach((word, at) => {
      word.classList.toggle('heard', at < spoken);
      word.classList.toggle('current', at === spoken - 1 && spoken < this.thoughts.length);
    });
    const current = this.line.children[spoken - 1];
    if (current) this.line.scrollTop = current.offsetTop - this.line.clientHeight / 2;
  }
}

/** The whole tab. */
export class ContinuationDesk extends Desk {
  constructor(root, tell) {
    const onFinished = (entry) => this.history.add(entry);
    const players = [...root.querySelectorAll('.player')].map((part) => new ContinuationPlayer(part, { onFinished }));
    super(root, { players, start: 'go-on', tell, history: { key: 'calm-continuations', facts, formats: FORMATS } });
  }

  /** Runs are open: play the first; the second is made after it and waits for a press on its Play. */
  play({ runs }) {
    if (!this.claim(runs)) return;
    this.players[1].root.hidden = runs.length < 2;
    runs.forEach(({ run, request, title }, at) => {
      const player = this.players[at];
      player.quiet = at > 0;
      this.name(at, runs.length > 1 ? title : '');
      player.stream(run, request, this.clicked);
    });
    if (runs.length > 1) this.players[1].say('Made when the first one is done; then press Play to compare.');
  }
}
