/** Requests of the administration; the token lives in this tab and nowhere else. */

const TOKEN = 'calm-admin';

export class Refusal extends Error {
  constructor(message, status, wasIn = false) {
    super(message);
    this.status = status;
    this.wasIn = wasIn;
  }
}

export class Office {
  get token() {
    return sessionStorage.getItem(TOKEN);
  }

  async ask(method, path, body, raw = false) {
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined && !raw) headers['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetch(`/api/v1/admin/${path}`, {
        method, headers, body: body === undefined || raw ? body : JSON.stringify(body), cache: 'no-store',
      });
    } catch {
      throw new Refusal('', 0);
    }
    if (response.ok) return response;
    const told = await response.json().catch(() => null);
    const wasIn = Boolean(this.token);
    if (response.status === 401) this.leave();
    throw new Refusal(told?.error?.message ?? '', response.status, wasIn);
  }

  async get(path) {
    return (await this.ask('GET', path)).json();
  }

  async post(path, body) {
    return (await this.ask('POST', path, body)).json();
  }

  async enter(password) {
    const { token } = await this.post('sign-in', { password });
    sessionStorage.setItem(TOKEN, token);
  }

  leave() {
    sessionStorage.removeItem(TOKEN);
  }

  async send(file, newVersion) {
    return (await this.ask('POST', `studies?new_version=${newVersion}`, file, true)).json();
  }

  /** Fetch a file and hand it to the browser. */
  async download(path, name) {
    const response = await this.ask('GET', path);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await response.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}
