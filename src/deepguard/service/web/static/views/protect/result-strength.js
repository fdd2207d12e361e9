/** The same photo once more, fainter or stronger. */

import { get, post } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { h, icon } from '../../core/dom.js';
import { duration, number, say } from '../../core/words.js';
import { doing } from '../../parts/doing.js';

/** Multiples of what this photo was changed by. */
const FACTORS = [0.5, 0.75, 1, 1.5, 2];
const SAME = FACTORS.indexOf(1);
const LEVELS = 255;
const PAUSE = 300;

/**
 * @param {import('./result.js').Given} given
 * @param {import('./result-log.js').Log} log
 */
export function strength({ job, signal, go }, log) {
  const own = Number(log.options.epsilon);
  if (!own) return null;
  let most = Infinity;
  const steps = { min: 0, max: FACTORS.length - 1, step: 1, value: String(SAME) };
  const range = h('input', { type: 'range', id: 'strength', ...steps });
  const said = h('output.figure', { for: 'strength' });
  const takes = h('span.quiet');
  const start = h('button', { type: 'button', disabled: true }, icon('repeat'), say('result.strength.go'));
  const chosen = () => Math.min(most, own * FACTORS[Number(range.value)]);
  const wish = () => ({ kind: job.kind, upload: job.upload, options: { ...job.options, epsilon: chosen() } });
  const estimate = estimating(signal, wish, takes);
  const show = () => {
    const same = chosen() === own;
    const gaps = { now: levels(own), next: levels(chosen()) };
    said.textContent = same ? say('result.strength.same', gaps) : say('result.strength.value', gaps);
    range.setAttribute('aria-valuetext', said.textContent);
    start.disabled = same;
    estimate(!same);
  };
  range.addEventListener('input', show);
  start.addEventListener('click', () =>
    doing(start, async () => {
      // the same wish twice is one job
      const made = await post('/jobs', wish(), { key: `again-${job.id}-${job.attempt}-${chosen()}` });
      go(`/jobs/${made.id}`);
    }),
  );
  limit(job.kind, signal).then((found) => (most = found));
  show();
  return panel(job, range, said, takes, start);
}

/**
 * Return a button that leads to the next stronger step, for a photo in which most still find the face.
 * @param {HTMLElement} root where the choice of the strength is
 */
export function stronger(root) {
  const lead = () => {
    const range = /** @type {HTMLInputElement} */ (root.querySelector('#strength'));
    range.value = String(SAME + 1);
    range.dispatchEvent(new Event('input'));
    range.focus({ preventScroll: true });
    range.closest('.panel')?.scrollIntoView({ block: 'center' });
  };
  return h('button', { type: 'button', onclick: lead }, icon('repeat'), say('result.strength.more'));
}

/**
 * @param {import('../../core/types.js').Job} job
 * @param {HTMLElement} range
 * @param {HTMLElement} said
 * @param {HTMLElement} takes
 * @param {HTMLElement} start
 */
function panel(job, range, said, takes, start) {
  return h(
    'div.panel.result-strength',
    null,
    h('h2', null, say('result.strength')),
    h('p.quiet', null, say('result.strength.text')),
    h('label.unseen', { for: 'strength' }, say('result.strength.label')),
    range,
    h(
      'div.spread.quiet',
      { 'aria-hidden': true },
      h('span', null, say('result.strength.weaker')),
      h('span', null, say('result.strength.stronger')),
    ),
    h('p.result-chosen', null, said, ' ', takes),
    h('div.row', null, start, h('a.button', { href: address(`/?again=${job.id}`) }, say('result.other'))),
  );
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
    return Number(found.schema.properties.epsilon.maximum ?? Infinity);
  } catch {
    return Infinity;
  }
}

/** @param {number} epsilon */
function levels(epsilon) {
  return number(epsilon * LEVELS, 1);
}
