/** Drawing a frame around a face that no program found: with a finger, the mouse or the keyboard. */

import { h } from '../../core/dom.js';
import { say } from '../../core/words.js';
import { placed } from './faces.js';

/**
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {import('./photo.js').Box} Box
 */

/** Pixels; what is smaller is no face that could be worked on. */
const LEAST = 16;
const STEP = 0.02;
/** CSS pixels around a corner in which it is taken hold of. */
const REACH = 22;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Return a layer over a photo's picture on which a frame is drawn, and how to take the frame as it is.
 * @param {Photo} photo
 * @param {(box: Box | null) => void} done hears the frame, or null where it was dropped
 */
export function drawing(photo, done) {
  let box = photo.box ?? middle(photo);
  const frame = h('div.protect-box', { role: 'application', tabindex: '0', 'aria-label': say('protect.box.keys') });
  const layer = h('div.protect-draw', null, frame);
  const set = (/** @type {Box} */ wanted) => placed(frame, (box = within(wanted, photo)), photo);
  const take = () => done(box);
  const onkeydown = (/** @type {KeyboardEvent} */ event) => {
    const arrow = ARROWS[event.key];
    if (event.key === 'Enter') take();
    else if (event.key === 'Escape') done(null);
    else if (arrow) set(stepped(box, arrow, event.shiftKey, photo));
    else return;
    event.preventDefault();
  };
  frame.addEventListener('keydown', onkeydown);
  layer.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    event.preventDefault();
    frame.focus({ preventScroll: true });
    layer.setPointerCapture(event.pointerId);
    const now = point(layer, event, photo);
    const across = opposite(box, now, (REACH * photo.width) / layer.clientWidth);
    follow(layer, across ?? now, !across && event.target === frame ? box : null, photo, set);
  });
  set(box);
  return { layer, frame, take };
}

/**
 * Follow a pointer until it is lifted.
 * @param {HTMLElement} layer
 * @param {{x: number, y: number}} start the corner that stays, or where the frame was taken hold of
 * @param {Box | null} held the frame that is moved; null to draw one
 * @param {Photo} photo
 * @param {(box: Box) => void} set
 */
function follow(layer, start, held, photo, set) {
  const move = (/** @type {PointerEvent} */ event) => {
    const now = point(layer, event, photo);
    const [x, y] = [now.x - start.x, now.y - start.y];
    if (held) return set({ ...held, x: held.x + x, y: held.y + y });
    // a tap alone draws nothing
    if (Math.max(Math.abs(x), Math.abs(y)) < LEAST) return;
    set({ x: Math.min(start.x, now.x), y: Math.min(start.y, now.y), width: Math.abs(x), height: Math.abs(y) });
  };
  const end = new AbortController();
  layer.addEventListener('pointermove', move, { signal: end.signal });
  for (const last of ['pointerup', 'pointercancel']) {
    layer.addEventListener(last, () => end.abort(), { signal: end.signal });
  }
}

/**
 * Return the corner opposite the one that is taken hold of; null where none is.
 * @param {Box} box
 * @param {{x: number, y: number}} at
 * @param {number} reach
 */
function opposite({ x, y, width, height }, at, reach) {
  const near = Math.min(reach, width / 3, height / 3);
  const end = (/** @type {number} */ place, /** @type {number} */ from, /** @type {number} */ length) => {
    if (Math.abs(place - from) <= near) return from + length;
    return Math.abs(place - from - length) <= near ? from : null;
  };
  const [across, down] = [end(at.x, x, width), end(at.y, y, height)];
  return across === null || down === null ? null : { x: across, y: down };
}

/**
 * @param {HTMLElement} layer
 * @param {PointerEvent} event
 * @param {Photo} photo
 */
function point(layer, event, photo) {
  const shown = layer.getBoundingClientRect();
  return {
    x: (Math.min(Math.max(event.clientX - shown.left, 0), shown.width) / shown.width) * photo.width,
    y: (Math.min(Math.max(event.clientY - shown.top, 0), shown.height) / shown.height) * photo.height,
  };
}

/**
 * @param {Box} box
 * @param {[number, number]} arrow
 * @param {boolean} resize
 * @param {Photo} photo
 */
function stepped(box, [across, down], resize, photo) {
  const step = STEP * Math.min(photo.width, photo.height);
  if (resize) return { ...box, width: box.width + across * step, height: box.height + down * step };
  return { ...box, x: box.x + across * step, y: box.y + down * step };
}

/**
 * @param {Box} box
 * @param {Photo} photo
 * @returns {Box}
 */
function within(box, photo) {
  const side = (/** @type {number} */ length, /** @type {number} */ most) =>
    Math.round(Math.min(most, Math.max(Math.min(LEAST, most), length)));
  const width = side(box.width, photo.width);
  const height = side(box.height, photo.height);
  const place = (/** @type {number} */ at, /** @type {number} */ most) => Math.round(Math.min(most, Math.max(0, at)));
  return { x: place(box.x, photo.width - width), y: place(box.y, photo.height - height), width, height };
}

/** @param {Photo} photo */
function middle({ width, height }) {
  const side = Math.min(width, height) / 3;
  return { x: (width - side) / 2, y: (height - side) / 2, width: side, height: side };
}
