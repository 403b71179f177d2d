/** The arena's requests; the visitor's token lives in this browser. */

import { Api, insist } from '../study/api.js';

const VISITOR = 'calm-arena-visitor';
const BATTLE = 'calm-arena-battle';

export class ArenaApi extends Api {
  constructor() {
    super();
    this.token = read(localStorageOrNull(), VISITOR);
  }

  describe() {
    return this.request('GET', '/api/v1/arena');
  }

  async begin(wish) {
    const begun = await this.request('POST', '/api/v1/arena/battles', wish);
    this.token = begun.visitor;
    write(localStorageOrNull(), VISITOR, begun.visitor);
    write(sessionStorageOrNull(), BATTLE, begun.battle);
    return begun;
  }

  state(battle) {
    return this.request('GET', `/api/v1/arena/battles/${encodeURIComponent(battle)}`);
  }

  /** Send a vote until the server has it; the key stays the same, so that it counts once. */
  vote(battle, vote, onWait) {
    const body = { key: crypto.randomUUID(), battle, ...vote };
    return insist(() => this.request('POST', '/api/v1/arena/vote', body), onWait);
  }

  /** The pair that was open when the page was left. */
  get battle() {
    return this.token ? read(sessionStorageOrNull(), BATTLE) : null;
  }

  forgetBattle() {
    write(sessionStorageOrNull(), BATTLE, null);
  }
}

// private windows may refuse storage: the page works, only a reload begins anew
function localStorageOrNull() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function sessionStorageOrNull() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

function read(storage, name) {
  return storage?.getItem(name) ?? null;
}

function write(storage, name, value) {
  try {
    if (value === null) storage?.removeItem(name);
    else storage?.setItem(name, value);
  } catch {
    // full or refused: see above
  }
}
