/** A picture at 100 %: one pixel of the picture is one pixel of the screen. What is moved moves in all panes. */

import { say } from '../core/words.js';

/** Width in CSS pixels from which before and after stand side by side. */
const PAIRED = 560;
const STEP = 40;
/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

/**
 * @param {HTMLElement} frame
 * @param {HTMLElement[]} layers each with pictures of the same size
 * @param {{width: number, height: number, centre: [number, number]}} picture
 * @param {AbortSignal} signal
 */
export function zooming(frame, layers, { width, height, centre }, signal) {
  let zoomed = false;
  let [x, y] = centre;
  const draw = () => {
    frame.classList.toggle('zoomed', zoomed);
    frame.classList.toggle('paired', zoomed && layers.length > 1 && frame.clientWidth >= PAIRED);
    // a picture pixel as large as a pixel of the screen, also on dense screens and in a zoomed browser
    const scale = 1 / devicePixelRatio;
    const size = [width * scale, height * scale];
    for (const layer of layers) {
      const left = offset(layer.clientWidth, size[0], x * scale);
      const top = offset(layer.clientHeight, size[1], y * scale);
      for (const image of layer.querySelectorAll('img')) laid(image, zoomed ? size : null, [left, top]);
    }
  };
  /**
   * @param {number} right
   * @param {number} down
   */
  const move = (right, down) => {
    const pane = layers[0];
    x = kept(x - right * devicePixelRatio, width, pane.clientWidth * devicePixelRatio);
    y = kept(y - down * devicePixelRatio, height, pane.clientHeight * devicePixelRatio);
    draw();
  };
  frame.addEventListener('keydown', (event) => {
    const way = zoomed && WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    move(...way);
  });
  frame.addEventListener('grown', draw);
  const observer = new ResizeObserver(draw);
  observer.observe(frame);
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  /** @param {boolean} next */
  const set = (next) => {
    zoomed = next;
    reachable(frame, next);
    draw();
  };
  return { set, move, on: () => zoomed };
}

/**
 * Only what can be moved by keys takes the focus.
 * @param {HTMLElement} frame
 * @param {boolean} zoomed
 */
function reachable(frame, zoomed) {
  if (!zoomed) return ['tabindex', 'role', 'aria-label'].forEach((each) => frame.removeAttribute(each));
  frame.setAttribute('tabindex', '0');
  frame.setAttribute('role', 'group');
  frame.setAttribute('aria-label', say('compare.moves'));
}

/**
 * Return where a picture begins so that a point of it is in the middle of its pane, without an empty border.
 * @param {number} pane
 * @param {number} picture
 * @param {number} point
 */
function offset(pane, picture, point) {
  if (picture <= pane) return (pane - picture) / 2;
  return Math.round(Math.min(0, Math.max(pane - picture, pane / 2 - point)));
}

/**
 * Return a middle that leaves no empty border.
 * @param {number} middle
 * @param {number} picture
 * @param {number} pane
 */
function kept(middle, picture, pane) {
  return picture <= pane ? picture / 2 : Math.min(picture - pane / 2, Math.max(pane / 2, middle));
}

/**
 * @param {HTMLElement} image
 * @param {number[] | null} size
 * @param {number[]} place
 */
function laid(image, size, place) {
  if (!size) return ['width', 'height', 'transform'].forEach((each) => image.style.removeProperty(each));
  image.style.setProperty('width', `${size[0]}px`);
  image.style.setProperty('height', `${size[1]}px`);
  image.style.setProperty('transform', `translate(${place[0]}px, ${place[1]}px)`);
}
