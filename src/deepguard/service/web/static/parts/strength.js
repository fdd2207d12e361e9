/** The same photo protected once more, fainter or stronger. */

import { get, post } from '../core/api.js';
import { address } from '../core/boot.js';
import { h, icon } from '../core/dom.js';
import { duration, say } from '../core/words.js';
import { doing } from './doing.js';

/** How much more or less one step of the choice is. */
const FACTOR = 1.4;
const STEPS = [-2, -1, 0, 1, 2];
const SAME = STEPS.indexOf(0);
const DIGITS = 2;
const PAUSE = 300;
const RANGE = 'strength';

/**
 * @typedef {object} Given
 * @property {import('../core/types.js').Job} job that protected the photo
 * @property {number} own the strength that it had; none where it is not known
 * @property {AbortSignal} signal
 * @property {(path: string) => void} go
 * @property {string} [text] what stronger and fainter mean, where more is known than in general
 * @property {string} [query] what the address of the new job ends with
 */

/**
 * Return the choice of another strength; only the way to other settings where none is known: another defence has
 * none, nor have the logs of earlier versions.
 * @param {Given} given
 */
export function strength({ job, own, signal, go, text = say('result.strength.text'), query = '' }) {
  if (!own) return h('p.row', null, other(job));
  let most = Infinity;
  const steps = { min: 0, max: STEPS.length - 1, step: 1, value: String(SAME) };
  const range = h('input', { type: 'range', id: RANGE, ...steps });
  const said = h('output.figure', { for: RANGE });
  const takes = h('span.quiet');
  const start = h('button', { type: 'button', disabled: true }, icon('repeat'), say('result.strength.go'));
  const chosen = () => Math.min(most, stepped(own, STEPS[Number(range.value)]));
  const wish = () => ({ kind: job.kind, upload: job.upload, options: { ...job.options, strength: chosen() } });
  const estimate = estimating(signal, wish, takes);
  const show = () => {
    const same = chosen() === own;
    const gaps = { now: own, next: chosen() };
    const highest = same && Number(range.value) > SAME;
    if (highest) said.textContent = say('result.strength.most', gaps);
    else said.textContent = same ? say('result.strength.same', gaps) : say('result.strength.value', gaps);
    range.setAttribute('aria-valuetext', said.textContent);
    start.disabled = same;
    estimate(!same);
  };
  range.addEventListener('input', show);
  start.addEventListener('click', () =>
    doing(start, async () => {
      // the same wish twice is one job
      const made = await post('/jobs', wish(), { key: `again-${job.id}-${job.attempt}-${chosen()}` });
      go(`/jobs/${made.id}${query}`);
    }),
  );
  limit(job.kind, signal).then((found) => ((most = found), show()));
  show();
  return panel(job, text, range, said, takes, start);
}

/**
 * Return a button that leads to the next stronger step, for a photo in which most still find the face; null where
 * there is no choice of the strength.
 * @param {HTMLElement} root where the choice would be
 */
export function stronger(root) {
  const range = /** @type {HTMLInputElement | null} */ (root.querySelector(`#${RANGE}`));
  if (!range) return null;
  const lead = () => {
    range.value = String(SAME + 1);
    range.dispatchEvent(new Event('input'));
    range.focus({ preventScroll: true });
    range.closest('.panel')?.scrollIntoView({ block: 'center' });
  };
  return h('button', { type: 'button', onclick: lead }, icon('repeat'), say('result.strength.more'));
}

/**
 * @param {import('../core/types.js').Job} job
 * @param {string} text
 * @param {HTMLElement} range
 * @param {HTMLElement} said
 * @param {HTMLElement} takes
 * @param {HTMLElement} start
 */
function panel(job, text, range, said, takes, start) {
  return h(
    'div.panel.result-strength',
    null,
    h('h2', null, say('result.strength')),
    h('p.quiet', null, text),
    h('label.unseen', { for: RANGE }, say('result.strength.label')),
    range,
    h(
      'div.spread.quiet',
      { 'aria-hidden': true },
      h('span', null, say('result.strength.weaker')),
      h('span', null, say('result.strength.stronger')),
    ),
    h('p.result-chosen', null, said, ' ', takes),
    h('div.row', null, start, other(job)),
  );
}

/** @param {import('../core/types.js').Job} job */
function other(job) {
  return h('a.button', { href: address(`/?again=${job.id}`) }, say('result.other'));
}

/**
 * Return a strength so many steps up or down; the same one for none.
 * @param {number} own
 * @param {number} steps
 */
function stepped(own, steps) {
  return steps ? Number((own * FACTOR ** steps).toPrecision(DIGITS)) : own;
}

/**
 * Return what asks, a moment after the last change, how long it would take.
 * @param {AbortSignal} signal
 * @param {() => unknown} wish
 * @param {HTMLElement} takes
 */
function estimating(signal, wish, takes) {
  let timer = 0;
  return (/** @type {boolean} */ wanted) => {
    clearTimeout(timer);
    takes.textContent = '';
    if (!wanted) return;
    timer = setTimeout(async () => {
      const asked = timer;
      try {
        const found = await post('/estimates', wish(), { signal });
        const seconds = found.seconds + found.waiting_seconds;
        if (asked === timer) takes.textContent = say('result.strength.takes', { time: duration(seconds) });
      } catch {
        // what is wrong is said when it is asked for
      }
    }, PAUSE);
  };
}

/**
 * Return the strongest change that the service takes.
 * @param {string} kind
 * @param {AbortSignal} signal
 */
async function limit(kind, signal) {
  try {
    const found = await get(`/kinds/${kind}`, { signal });
    return Number(found.schema.properties.strength.maximum ?? Infinity);
  } catch {
    return Infinity;
  }
}
