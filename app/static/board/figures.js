/** Figures: drawn by the server for the room there is, and saved as SVG or PNG. */

import { make } from '../study/dom.js';

const SAVED_WIDTH = 900;
const PNG_SCALE = 2;

/** An empty frame for a figure; `path(more)` is the address of its SVG. */
export function frame(question, { name, title, caption, wide }, path) {
  const drawn = make('div', { class: 'drawn' });
  const saved = () => path({ question: question.id, figure: name, width: SAVED_WIDTH });
  const figure = make('figure', { class: wide ? 'wide' : null, 'data-figure': name },
    make('div', { class: 'head' }, make('h3', {}, title),
      make('div', { class: 'tools', role: 'group', 'aria-label': `Save ${title}` },
        make('button', { type: 'button', class: 'quiet', id: `svg-${name}`, onclick: () => follow(saved()) }, 'SVG'),
        make('button', { type: 'button', class: 'quiet', id: `png-${name}`, onclick: () => savePng(saved(), question, name) }, 'PNG'))),
    drawn, make('figcaption', {}, caption));
  return { figure, drawn, draw: () => draw(drawn, question, name, path) };
}

async function draw(place, question, name, path) {
  const width = Math.min(1100, Math.max(280, Math.floor(place.clientWidth)));
  const response = await fetch(path({ question: question.id, figure: name, width, page: 1 }));
  if (response.ok) put(place, await response.text());
}

/** Put a figure's SVG into the page; its colours come from the page's sheets. */
export function put(place, text) {
  const svg = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  if (svg.nodeName === 'svg') place.replaceChildren(document.importNode(svg, true));
}

export function follow(url, name = '') {
  const link = make('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

async function savePng(url, question, name) {
  const response = await fetch(url);
  if (!response.ok) return;
  const text = await response.text();
  const source = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = make('canvas', { width: image.naturalWidth * PNG_SCALE, height: image.naturalHeight * PNG_SCALE });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(source);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
  const target = URL.createObjectURL(blob);
  follow(target, `${question.id.replaceAll(/[^A-Za-z0-9]+/g, '-')}-${name}.png`);
  setTimeout(() => URL.revokeObjectURL(target), 60_000);
}
