/** The study server: requests that say what went wrong, and votes that are sent until they are acknowledged. */

const RETRY_SECONDS = [1, 2, 4, 8, 15];
const PENDING = 'calm-pending-vote';

/** An answer of the server that is an error; `status` 0 means that no answer came. */
export class ServerError extends Error {
  constructor(message, { status = 0, field = null, code = null } = {}) {
    super(message);
    Object.assign(this, { status, field, code });
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export class Api {
  constructor() {
    this.token = null;
  }

  async request(method, path, body) {
    const headers = { Accept: 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetch(path, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body),
        cache: 'no-store', credentials: 'omit',
      });
    } catch {
      throw new ServerError('');
    }
    const answer = await response.json().catch(() => null);
    if (response.ok && answer) return answer;
    const error = answer?.error ?? {};
    throw new ServerError(error.message ?? '', { status: response.status || 0, field: error.param, code: error.code });
  }

  studies() {
    return this.request('GET', '/api/v1/studies');
  }

  join(slug, language, panel) {
    return this.request('POST', `/api/v1/studies/${encodeURIComponent(slug)}/join`, { language, panel });
  }

  session() {
    return this.request('GET', '/api/v1/session');
  }

  answer(step, answers) {
    return this.request('POST', '/api/v1/session/answer', { step, answers });
  }

  /** The bytes of a sound. */
  async sound(path, signal) {
    let response;
    try {
      response = await fetch(path, {
        signal, credentials: 'omit', headers: this.token ? { Authorization: `Bearer ${this.token}` } : {},
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ServerError('');
    }
    if (!response.ok) throw new ServerError('', { status: response.status });
    return response.arrayBuffer();
  }

  /**
   * Send a vote until the server has it. The key stays the same for all attempts and survives a reload, so that a
   * vote whose answer got lost is not counted twice. `onWait(seconds, again)` hears of every pause between attempts.
   */
  async vote(vote, onWait) {
    const body = { key: crypto.randomUUID(), ...vote };
    remember({ token: this.token, body });
    return this.deliver(body, onWait);
  }

  /** A vote that an earlier load of the page could not get through, sent now; null when there is none. */
  async deliverPending(onWait) {
    const pending = recall();
    if (!pending || pending.token !== this.token) return null;
    return this.deliver(pending.body, onWait);
  }

  async deliver(body, onWait) {
    try {
      return await insist(() => this.request('POST', '/api/v1/session/vote', body), onWait);
    } finally {
      forget();
    }
  }
}

/** Do `work` again until it succeeds, or fails in a way that another attempt would not mend. */
export async function insist(work, onWait) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ServerError) || !error.passing) throw error;
      await pause(RETRY_SECONDS[Math.min(attempt, RETRY_SECONDS.length - 1)], onWait);
    }
  }
}

/** Wait, but go on at once when the connection is back or the listener asks for it. */
function pause(seconds, onWait) {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      window.removeEventListener('online', go);
      resolve();
    };
    const timer = setTimeout(go, seconds * 1000);
    window.addEventListener('online', go);
    onWait?.(seconds, go);
  });
}

function remember(pending) {
  try {
    localStorage.setItem(PENDING, JSON.stringify(pending));
  } catch {
    // private windows may refuse storage; the vote is still sent, only a reload would lose it
  }
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(PENDING));
  } catch {
    return null;
  }
}

function forget() {
  try {
    localStorage.removeItem(PENDING);
  } catch {
    // nothing was kept
  }
}
