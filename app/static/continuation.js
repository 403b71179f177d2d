/** Tab "Speech continuation": one player or two, the words as they are spoken, and what was made before. */

import { History, make } from './history.js';
import { Player } from './player.js';
import { audioContext } from './sound.js';
import { stopRun } from './stream.js';

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

/** A player that shows where the prompt ends and lights up each word when it is spoken. */
export class ContinuationPlayer extends Player {
  constructor(root, options) {
    super(root, options);
    this.formats = FORMATS;
    this.quiet = false; // a quiet player collects its sound and waits for a press on Play
    this.words = [];
    this.spoken = 0;
    this.promptEnd = null;
    this.line = this.find('.thoughts');
  }

  onMessage(message, clicked) {
    if (message.type === 'words') this.think(message.start, message.words);
    else {
      if (message.type === 'started') this.promptEnd = message.parameters.prompt_end;
      super.onMessage(message, clicked);
    }
  }

  begin(sound) {
    super.begin(sound);
    this.held = this.heard = this.quiet;
    this.think(0, []);
  }

  finish(message) {
    super.finish(message);
    if (this.sound && message.info.words) this.think(0, message.info.words);
  }

  async playClip(clip, info) {
    this.promptEnd = info.prompt_end;
    this.quiet = false;
    await super.playClip(clip, info);
    if (this.sound) this.think(0, info.words ?? []);
  }

  /** From place `start` on, `words` replace what was known. */
  think(start, words) {
    this.words.length = Math.min(this.words.length, start);
    while (this.line.childElementCount > start) this.line.lastElementChild.remove();
    for (const word of words) {
      this.words.push(word);
      this.line.append(make('span', '', `${word.text} `));
    }
    this.spoken = -1;
    this.draw();
  }

  draw() {
    super.draw();
    if (!this.sound) return;
    const axis = Number(this.find('.seek').dataset.axis);
    const mark = this.find('.prompt-end');
    mark.hidden = !this.promptEnd;
    if (this.promptEnd) mark.style.left = `${(100 * this.promptEnd) / axis}%`;
    this.light(this.sound.position() / this.sound.rate);
  }

  /** Words that were thought and not heard yet stay dim. */
  light(now) {
    let spoken = 0;
    while (spoken < this.words.length && this.words[spoken].seconds <= now) spoken += 1;
    if (spoken === this.spoken) return;
    this.spoken = spoken;
    [...this.line.children].forEach((word, at) => {
      word.classList.toggle('heard', at < spoken);
      word.classList.toggle('current', at === spoken - 1 && spoken < this.words.length);
    });
    const current = this.line.children[spoken - 1];
    if (current) this.line.scrollTop = current.offsetTop - this.line.clientHeight / 2;
  }
}

/** The whole tab. */
export class Desk {
  /** `tell(event, data)` reaches the handlers of the page. */
  constructor(root, tell) {
    const [first, second] = root.querySelectorAll('.player');
    const onFinished = (entry) => this.history.add(entry);
    this.wanted = false;
    this.players = [first, second].map((part) => new ContinuationPlayer(part, { onFinished }));
    this.history = new History(root.querySelector('.history'), {
      key: 'calm-continuations',
      facts,
      formats: FORMATS,
      onPlay: (clip, info) => {
        this.alone();
        this.name(0, info.model.split('/').pop());
        this.players[0].playClip(clip, info);
      },
      onReuse: (info) => {
        tell('reuse', info);
        document.getElementById('go-on')?.scrollIntoView({ behavior: 'smooth', block: 'center' });
        this.players[0].say('The parameters are back in the controls.');
      },
    });
  }

  /** Continue was pressed. */
  begin() {
    this.wanted = true;
    this.clicked = performance.now();
    audioContext();
    for (const player of this.players) player.halt();
    this.alone();
    this.players[0].show({ state: 'waiting', status: 'Starting…' });
  }

  /** Runs are open: play the first; the second is made after it and waits for a press on its Play. */
  play(runs) {
    if (!this.wanted) {
      for (const { run } of runs) stopRun(run);
      return;
    }
    this.players[1].root.hidden = runs.length < 2;
    runs.forEach(({ run, request, title }, at) => {
      const player = this.players[at];
      player.quiet = at > 0;
      this.name(at, runs.length > 1 ? title : '');
      player.stream(run, request, this.clicked);
    });
    if (runs.length > 1) this.players[1].say('Made when the first one is done; then press Play to compare.');
  }

  stop() {
    const starting = this.wanted && !this.players[0].run && !this.players[0].sound;
    this.wanted = false;
    for (const player of this.players) player.stop();
    if (starting) this.players[0].show({ state: 'empty', status: 'Stopped.' });
  }

  fail(sentence) {
    this.players[0].fail(sentence);
  }

  name(at, title) {
    this.players[at].find('.whose').textContent = title;
  }

  alone() {
    this.players[1].halt();
    this.players[1].root.hidden = true;
    this.name(0, '');
  }
}
