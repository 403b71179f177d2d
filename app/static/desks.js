/** The desks of the page by the place that messages name; each is made when its part of the page is there. */

import { ContinuationDesk } from './continuation.js';
import { MusicDesk } from './music.js';

const PLACES = {
  continuation: { root: 'continuation', start: 'go-on', stop: 'go-on-stop', make: (root, tell) => new ContinuationDesk(root, tell) },
  'music-continuation': {
    root: 'mc-stage', start: 'mc-go', stop: 'mc-stop',
    make: (root, tell) => new MusicDesk(root, tell, { task: 'music_continuation', prefix: 'mc' }),
  },
  'clap-to-music': {
    root: 'cm-stage', start: 'cm-go', stop: 'cm-stop',
    make: (root, tell) => new MusicDesk(root, tell, { task: 'clap_to_music', prefix: 'cm' }),
  },
};

export class Desks {
  /** `tell(event, data)` reaches the handlers of the page; `present(selector)` resolves when an element is there. */
  constructor(tell, present, onReady) {
    this.made = {};
    this.starts = Object.values(PLACES).map(({ start }) => start);
    for (const [place, { root, make }] of Object.entries(PLACES)) {
      present(`#${root} .history`).then(() => {
        this.made[place] = make(document.getElementById(root), tell);
        onReady();
      });
    }
  }

  /** The button with this id was pressed. */
  pressed(id) {
    for (const [place, { start, stop }] of Object.entries(PLACES)) {
      if (id === start) this.made[place]?.begin();
      if (id === stop) this.made[place]?.stop();
    }
  }

  stop() {
    for (const desk of Object.values(this.made)) desk.stop();
  }
}
