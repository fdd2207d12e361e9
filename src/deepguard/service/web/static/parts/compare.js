/** A picture before and after in one frame: a handle between both, the heat map of the difference, and a zoom. */

import { fill, h, icon } from '../core/dom.js';
import { percent, say } from '../core/words.js';
import { segments } from './segments.js';
import { zooming } from './zoom.js';

const STEP = 2;
const PAGE = 10;

/**
 * @typedef {object} Pictures addresses of the pictures, and what is known of them before they are here
 * @property {string} after
 * @property {string} [before]
 * @property {string} [heatmap]
 * @property {string} [thumbnail] small, shown until the others are here
 * @property {number} width
 * @property {number} height
 * @property {[number, number]} centre what is in the middle at 100 %, in the picture's pixels
 */

/**
 * Return the figure; its size is known before the pictures are here.
 * @param {Pictures} pictures
 * @param {{signal: AbortSignal, again: () => void}} options `again` is asked for where pictures do not come
 */
export function compare(pictures, { signal, again }) {
  const frame = h('div.compare-frame');
  frame.style.setProperty('--ratio', String(pictures.width / pictures.height));
  frame.style.setProperty('--height', `${pictures.height}px`);
  const after = layer('after', pictures.after, say('compare.after'));
  const before = pictures.before ? layer('before', pictures.before, say('compare.before')) : null;
  const small = pictures.thumbnail ? h('img.compare-small', { src: pictures.thumbnail, alt: '' }) : null;
  const handle = before ? slider(frame) : null;
  frame.append(...[small, after, before, handle?.element].filter((each) => each !== null && each !== undefined));
  const help = h('figcaption.compare-help', null, before ? say('compare.help') : '');
  const zoom = zooming(frame, before ? [before, after] : [after], pictures, signal);
  dragged(frame, handle, zoom);
  const heat = pictures.heatmap ? heating(frame, after, pictures.heatmap) : null;
  const explain = (/** @type {boolean} */ failed = false) => {
    if (failed) help.textContent = say('compare.failed');
    else if (heat?.on()) fill(help, legend());
    else help.textContent = zoom.on() ? say('compare.help.zoom') : before ? say('compare.help') : '';
  };
  heat?.told(explain);
  const sizes = segments(say('compare.zoom'), [['fit', say('compare.fit')], ['whole', percent(1)]], 'fit', (chosen) => {
    zoom.set(chosen === 'whole');
    explain();
  });
  const bar = h('div.spread.compare-bar', null, sizes, heat?.button);
  arrival(frame, [after, before], () => fill(frame, failure(again)));
  // what is not looked at any more must not keep the network busy
  const leave = () => frame.querySelectorAll('img').forEach((image) => image.removeAttribute('src'));
  signal.addEventListener('abort', leave, { once: true });
  return h('figure.compare', null, bar, frame, help);
}

/**
 * @param {'before' | 'after'} side
 * @param {string} source
 * @param {string} name
 */
function layer(side, source, name) {
  const image = h('img', { src: source, alt: name, decoding: 'async', draggable: false });
  const label = h('span.compare-name', { 'aria-hidden': 'true' }, say(`compare.${side}.short`));
  return h('div', { class: `compare-layer ${side}` }, image, label);
}

/**
 * Show pictures once they can be drawn without a stutter.
 * @param {HTMLElement} frame
 * @param {Array<HTMLElement | null>} layers
 * @param {() => void} failed
 */
async function arrival(frame, layers, failed) {
  try {
    const images = layers.flatMap((each) => each?.querySelector('img') ?? []);
    await Promise.all(images.map((each) => each.decode()));
    frame.classList.add('here');
  } catch {
    failed();
  }
}

/**
 * The handle: what is left of it is before, what is right of it after.
 * @param {HTMLElement} frame
 */
function slider(frame) {
  let at = 50;
  const element = h(
    'div.compare-handle',
    { role: 'slider', tabindex: '0', 'aria-label': say('compare.handle'), 'aria-valuemin': 0, 'aria-valuemax': 100 },
    h('span.compare-knob'),
  );
  /** @param {number} next */
  const set = (next) => {
    at = Math.min(100, Math.max(0, next));
    frame.style.setProperty('--at', `${at}%`);
    element.setAttribute('aria-valuenow', String(Math.round(at)));
    element.setAttribute('aria-valuetext', say('compare.value', { share: percent(at / 100) }));
  };
  element.addEventListener('keydown', (event) => {
    const next = moved(at, event.key);
    if (next === null) return;
    event.preventDefault();
    // the frame itself moves the picture by the same keys
    event.stopPropagation();
    set(next);
  });
  set(at);
  return { element, set };
}

/**
 * @param {number} at
 * @param {string} key
 */
function moved(at, key) {
  if (key === 'Home') return 0;
  if (key === 'End') return 100;
  /** @type {Record<string, number>} */
  const ways = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -PAGE, PageUp: PAGE };
  return key in ways ? at + ways[key] : null;
}

/**
 * Let fingers and mice move the handle, and the enlarged picture.
 * @param {HTMLElement} frame
 * @param {{element: HTMLElement, set: (at: number) => void} | null} handle
 * @param {ReturnType<typeof zooming>} zoom
 */
function dragged(frame, handle, zoom) {
  /** @type {((event: PointerEvent) => void) | null} */
  let move = null;
  const slide = (/** @type {PointerEvent} */ event) => {
    const box = frame.getBoundingClientRect();
    handle?.set((100 * (event.clientX - box.left)) / box.width);
  };
  frame.addEventListener('pointerdown', (event) => {
    if (event.button || !event.isPrimary || !frame.classList.contains('here')) return;
    const grabbed = event.target instanceof Node && handle?.element.contains(event.target);
    move = zoom.on() && !grabbed ? panning(event, zoom) : slide;
    frame.setPointerCapture(event.pointerId);
    // a finger may be about to scroll the page
    if (move === slide && event.pointerType === 'mouse') slide(event);
  });
  frame.addEventListener('pointermove', (event) => move?.(event));
  frame.addEventListener('pointerup', (event) => {
    if (move === slide) slide(event);
    move = null;
  });
  frame.addEventListener('pointercancel', () => (move = null));
}

/**
 * @param {PointerEvent} start
 * @param {ReturnType<typeof zooming>} zoom
 */
function panning(start, zoom) {
  let { clientX: x, clientY: y } = start;
  return (/** @type {PointerEvent} */ event) => {
    zoom.move(event.clientX - x, event.clientY - y);
    [x, y] = [event.clientX, event.clientY];
  };
}

/**
 * The heat map over the picture: while a mouse is on the button, or since it was pressed.
 * @param {HTMLElement} frame
 * @param {HTMLElement} after
 * @param {string} source
 */
function heating(frame, after, source) {
  const button = h('button', { type: 'button', 'aria-pressed': 'false' }, icon('photo'), say('result.heatmap'));
  /** @type {HTMLElement | null} */
  let image = null;
  let pressed = false;
  /** @type {(failed?: boolean) => void} */
  let told = () => {};
  const on = () => frame.classList.contains('heated');
  // the next try asks for it anew
  const fail = () => {
    image?.remove();
    image = null;
    press(false);
    told(true);
  };
  /** @param {boolean} next */
  const set = (next) => {
    if (next && !image) {
      image = h('img.compare-heat', { src: source, alt: say('result.heatmap.text'), draggable: false });
      image.addEventListener('error', fail);
      after.append(image);
      frame.dispatchEvent(new Event('grown'));
    }
    frame.classList.toggle('heated', next);
    told();
  };
  /** @param {boolean} next */
  const press = (next) => {
    pressed = next;
    button.setAttribute('aria-pressed', String(pressed));
    set(pressed);
  };
  button.addEventListener('click', () => press(!pressed));
  button.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && set(true));
  button.addEventListener('pointerleave', () => set(pressed));
  return { button, on, told: (/** @type {(failed?: boolean) => void} */ hear) => (told = hear) };
}

/** What the heat map's colours mean; always the same. */
function legend() {
  return [
    h('span.compare-scale', null, h('span', null, '0'), h('span.compare-colours'), h('span', null, '16/255')),
    say('result.heatmap.text'),
  ];
}

/** @param {() => void} again */
function failure(again) {
  const button = h('button', { type: 'button', onclick: again }, icon('repeat'), say('compare.again'));
  return h('div.compare-failed', { role: 'alert' }, icon('photo'), h('p', null, say('compare.failed')), button);
}
