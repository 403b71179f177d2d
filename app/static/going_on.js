/** A player of a sound that begins with a prompt: it shows where the prompt ends. */

import { Player } from './player.js';

export class GoingOnPlayer extends Player {
  constructor(root, options) {
    super(root, options);
    this.quiet = false; // a quiet player collects its sound and waits for a press on Play
    this.promptEnd = null;
  }

  onMessage(message, clicked) {
    if (message.type === 'started') this.promptEnd = message.parameters.prompt_end;
    super.onMessage(message, clicked);
  }

  begin(sound) {
    super.begin(sound);
    this.held = this.heard = this.quiet;
  }

  async playClip(clip, info) {
    this.promptEnd = info.prompt_end;
    this.quiet = false;
    await super.playClip(clip, info);
  }

  draw() {
    super.draw();
    if (!this.sound) return;
    const axis = Number(this.find('.seek').dataset.axis);
    const mark = this.find('.prompt-end');
    mark.hidden = !this.promptEnd;
    if (this.promptEnd) mark.style.left = `${(100 * this.promptEnd) / axis}%`;
  }
}
