/** Frames around the faces that were found: each takes its face in or leaves it out. */

import { h } from '../../core/dom.js';
import { say } from '../../core/words.js';

/**
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {import('./photo.js').Box} Box
 * @typedef {import('./draft.js').Draft} Draft
 */

/**
 * Return a frame for every face of a photo, to be laid over its picture.
 * @param {Draft} draft
 * @param {Photo} photo
 */
export function frames(draft, photo) {
  const all = (photo.faces ?? []).map((face) => {
    const number = h('span', { 'aria-hidden': 'true' }, face.number);
    if (!face.large_enough) {
      const text = say('protect.face.small', { number: face.number });
      const frame = h('div.protect-face.small', { role: 'img', 'aria-label': text, title: text }, number);
      return placed(frame, face.box, photo);
    }
    const frame = h('button.protect-face', { type: 'button' }, number);
    frame.addEventListener('click', () => turn(draft, photo, face.number, frame));
    name(frame, photo, face.number);
    return placed(frame, face.box, photo);
  });
  return h('div.protect-faces', { role: 'group', 'aria-label': say('protect.faces') }, ...all);
}

/**
 * Lay an element over a picture.
 * @template {HTMLElement} T
 * @param {T} element
 * @param {Box} box
 * @param {{width: number, height: number}} picture
 */
export function placed(element, box, picture) {
  const share = (/** @type {number} */ part, /** @type {number} */ whole) => `${(100 * part) / whole}%`;
  element.classList.toggle('high', box.y < picture.height / 8);
  element.style.setProperty('left', share(box.x, picture.width));
  element.style.setProperty('top', share(box.y, picture.height));
  element.style.setProperty('width', share(box.width, picture.width));
  element.style.setProperty('height', share(box.height, picture.height));
  return element;
}

/**
 * @param {Draft} draft
 * @param {Photo} photo
 * @param {number} number
 * @param {HTMLElement} frame
 */
function turn(draft, photo, number, frame) {
  if (!photo.left.delete(number)) photo.left.add(number);
  name(frame, photo, number);
  draft.changed();
}

/**
 * @param {HTMLElement} frame
 * @param {Photo} photo
 * @param {number} number
 */
function name(frame, photo, number) {
  const taken = !photo.left.has(number);
  frame.setAttribute('aria-pressed', String(taken));
  frame.setAttribute('aria-label', say(taken ? 'protect.face.taken' : 'protect.face.left', { number }));
  frame.title = say(taken ? 'protect.face.leave' : 'protect.face.take');
}
