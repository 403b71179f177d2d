/** What the tabs with several players share: a press on Start that may be taken back, players, a history. */

import { History } from './history.js';
import { audioContext } from './sound.js';
import { stopRun } from './stream.js';

export class Desk {
  /**
   * `players` in the order of the page; `start` is the id of the button that begins, `rate` of its sounds in hertz;
   * `history` are options of `History`; `tell(event, data)` reaches the handlers of the page.
   */
  constructor(root, { players, start, rate, history, tell }) {
    Object.assign(this, { root, players, start, rate, tell });
    this.wanted = false; // Start was pressed, and not Stop since
    this.history = new History(root.querySelector('.history'), {
      onPlay: (clip, info) => {
        this.alone();
        this.name(0, info.model.split('/').pop());
        this.players[0].playClip(clip, info);
      },
      onReuse: (info) => {
        tell('reuse', info);
        document.getElementById(start)?.scrollIntoView({ behavior: 'smooth', block: 'center' });
        this.players[0].say('The parameters are back in the controls.');
      },
      ...history,
    });
  }

  /** Start was pressed. */
  begin() {
    this.wanted = true;
    this.clicked = performance.now();
    audioContext(this.rate);
    this.alone();
    this.players[0].show({ state: 'waiting', status: 'Starting…' });
  }

  /** Whether runs that are open now are still wanted; they are stopped where not. */
  claim(runs) {
    if (!this.wanted) for (const { run } of runs) stopRun(run);
    return this.wanted;
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

  /** Only the first player stays, and it is empty. */
  alone() {
    this.players.forEach((player, at) => {
      player.halt();
      player.root.hidden = at > 0;
    });
    this.name(0, '');
  }
}
