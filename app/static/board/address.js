/** What is shown, as the query string of the page and of the requests: an address is a permanent link. */

const NAMES = ['study', 'language', 'group', 'from', 'to', 'flagged'];

/** The filters and the question of the page's address. */
export function shown() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries([...NAMES, 'question'].map((name) => [name, query.get(name) ?? '']));
}

/** A query string without what is empty. */
export function query(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== '' && value !== false && value !== null);
  const text = new URLSearchParams(kept).toString();
  return text ? `?${text}` : '';
}

/** The page's address with other values; what is not named stays. */
export function address(changes) {
  return `/leaderboard${query({ ...shown(), ...changes })}`;
}

/** The address of something of the REST interface under the filters that are shown. */
export function source(path, more = {}) {
  const { question: _, ...filters } = shown();
  return `/api/v1/leaderboard${path}${query({ ...filters, ...more })}`;
}
