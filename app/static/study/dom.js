/** Small helpers to build the page; texts only ever become text nodes. */

/** An element: `make('button', { class: 'go', onclick: f }, 'Go')`; attributes that are null or false are left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** One of the icons, by its outline. */
export function icon(path) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const shape = document.createElementNS(space, 'path');
  shape.setAttribute('d', path);
  svg.append(shape);
  return svg;
}

export const PLAY = 'M8 5v14l11-7z';
export const PAUSE = 'M7 5h4v14H7zM13 5h4v14h-4z';

/** A button that looks and acts locked but can still be reached, so that its reason can be read. */
export function lock(button, locked) {
  button.setAttribute('aria-disabled', String(locked));
}

export function locked(button) {
  return button.getAttribute('aria-disabled') === 'true';
}

/** A group of radio buttons as fieldset and legend. `choices` are [value, label, hint?]. */
export function radios({ name, legend, choices, chosen = null, onchange, row = false, legendClass = '' }) {
  const options = choices.map(([value, label, hint]) =>
    make('label', { class: 'choice' },
      make('input', { type: 'radio', name, value, checked: value === chosen, onchange: () => onchange?.(value) }),
      make('span', { class: 'choice-label' }, label),
      hint ? make('kbd', { 'aria-hidden': 'true' }, hint) : null));
  return make('fieldset', { class: row ? 'choices row' : 'choices' },
    make('legend', { class: legendClass }, legend), make('div', { class: 'options' }, options));
}
