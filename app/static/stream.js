/** Reads a run from the server: blocks of kind byte, little-endian length, payload (see app/responses.py). */

const JSON_FRAME = 0;
const FIRST_PCM_FRAME = 1; // that of the first variant; the next ones follow
const HEAD = 5;

/** Int16 little-endian bytes to float samples in [-1, 1]. */
export function toFloat(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.byteLength >> 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = view.getInt16(2 * i, true) / 32768;
  return samples;
}

/**
 * Play out a run: `onMessage(object)` for each message, `onSamples(Float32Array, variant)` for each block of sound.
 * Rejects with the server's own sentence when the run cannot be read.
 */
export async function readRun(id, { signal, onMessage, onSamples }) {
  const response = await fetch(`/api/v1/runs/${encodeURIComponent(id)}/stream`, { signal });
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new Error(body?.error?.message ?? 'The server did not answer; please try again.');
  }
  const reader = response.body.getReader();
  let rest = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const bytes = new Uint8Array(rest.length + value.length);
    bytes.set(rest);
    bytes.set(value, rest.length);
    rest = takeFrames(bytes, onMessage, onSamples);
  }
}

function takeFrames(bytes, onMessage, onSamples) {
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (bytes.length - at >= HEAD) {
    const length = view.getUint32(at + 1, true);
    if (bytes.length - at < HEAD + length) break;
    const payload = bytes.slice(at + HEAD, at + HEAD + length);
    if (bytes[at] === JSON_FRAME) onMessage(JSON.parse(new TextDecoder().decode(payload)));
    else onSamples(toFloat(payload), bytes[at] - FIRST_PCM_FRAME);
    at += HEAD + length;
  }
  return bytes.slice(at);
}

/** Tell the server that a run may end; the page does not wait for the answer. */
export function stopRun(id) {
  fetch(`/api/v1/runs/${encodeURIComponent(id)}/stop`, { method: 'POST', keepalive: true }).catch(() => {});
}
