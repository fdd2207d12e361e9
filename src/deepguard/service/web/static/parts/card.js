/** A job as a card: its picture, where it stands and what came of it. It leads to the job. */

import { post, problemOf, resultAddress, sentence } from '../core/api.js';
import { address } from '../core/boot.js';
import { fill, h, icon } from '../core/dom.js';
import { over } from '../core/watch.js';
import { duration, moment, percent, say, standing } from '../core/words.js';
import { chip } from './verdict.js';

/**
 * @typedef {import('../core/types.js').Job} Job
 * @typedef {object} Options
 * @property {AbortSignal} signal
 * @property {boolean} [selectable] whether it has a box to choose it by
 * @property {(id: string, chosen: boolean, range: boolean) => void} [onSelect] `range`: Shift was held
 * @property {(job: Job) => void} [onChange] hears of a cancellation from here
 */

const ICONS = {
  queued: 'wait',
  running: 'shield',
  cancelling: 'stop',
  done: 'hidden',
  failed: 'warning',
  cancelled: 'stop',
  expired: 'delete',
};
/** @type {Record<string, string>} */
const TONES = { done: 'good', failed: 'bad' };
/** @type {WeakMap<HTMLElement, (job: Job) => void>} */
const drawings = new WeakMap();

/**
 * Return a new card.
 * @param {Job} job
 * @param {Options} options
 * @returns {HTMLElement}
 */
export function card(job, options) {
  const link = h('a.job-card-name', { href: address(`/jobs/${job.id}`), title: job.name }, job.name);
  const frame = h('div.job-card-frame');
  const facts = h('div.job-card-facts');
  const acts = h('div.job-card-acts');
  const box = options.selectable ? choice(job, options) : null;
  const element = h(
    'article.job-card',
    { 'data-job': job.id, 'aria-label': job.name },
    frame,
    h('div.job-card-body', null, link, facts, acts),
    box,
  );
  /** @type {Job | null} */
  let last = null;
  drawings.set(element, (next) => {
    if (last && last.revision > next.revision) return;
    if (last?.state !== next.state) {
      element.setAttribute('data-state', next.state);
      fill(frame, picture(next));
      const held = acts.contains(document.activeElement);
      fill(acts, stopper(next, element, options));
      if (held && !acts.firstChild) link.focus();
    }
    last = next;
    fill(facts, factsOf(next));
  });
  renew(element, job);
  return element;
}

/**
 * Show on a card how its job is now.
 * @param {HTMLElement} element made by `card`
 * @param {Job} job
 */
export function renew(element, job) {
  drawings.get(element)?.(job);
}

/**
 * @param {Job} job
 * @param {Options} options
 */
function choice(job, options) {
  const told = (/** @type {MouseEvent} */ event) =>
    options.onSelect?.(job.id, /** @type {HTMLInputElement} */ (event.target).checked, event.shiftKey);
  const label = say('archive.choose', { name: job.name });
  return h('label.job-card-choice', null, h('input', { type: 'checkbox', 'aria-label': label, onclick: told }));
}

/** @param {Job} job */
function picture(job) {
  const instead = () => icon(job.state === 'expired' ? 'delete' : 'photo');
  if (!job.results.some((each) => each.name === 'thumbnail')) return instead();
  const image = h('img', { alt: '', loading: 'lazy', decoding: 'async', width: 480, height: 360 });
  image.onerror = () => image.replaceWith(instead());
  image.src = resultAddress(job, 'thumbnail', { inline: true });
  return image;
}

/**
 * @param {Job} job
 * @param {HTMLElement} element
 * @param {Options} options
 */
function stopper(job, element, options) {
  if (job.state !== 'queued' && job.state !== 'running') return null;
  const label = say('archive.cancel', { name: job.name });
  const button = h('button', { type: 'button', 'aria-label': label }, say('act.cancel'));
  button.onclick = async () => {
    // not disabled: that would lose the focus
    if (button.getAttribute('aria-disabled')) return;
    button.setAttribute('aria-disabled', 'true');
    try {
      const stopped = await post(`/jobs/${job.id}/cancel`, undefined, { signal: options.signal });
      renew(element, stopped);
      options.onChange?.(stopped);
    } catch (thrown) {
      if (options.signal.aborted) return;
      button.removeAttribute('aria-disabled');
      button.after(h('p.quiet.bad', { role: 'alert' }, sentence(problemOf(thrown))));
    }
  };
  return button;
}

/** @param {Job} job */
function factsOf(job) {
  const tone = TONES[job.state] ?? '';
  return [
    h('p.job-card-state', { class: tone }, icon(ICONS[job.state]), standing(job)),
    over(job) ? outcome(job) : advance(job),
    h('p.quiet.job-card-times', null, h('time', { datetime: job.created }, moment(job.created)), removal(job)),
  ];
}

/** @param {Job} job */
function advance(job) {
  const { share, seconds_left: left } = job.progress;
  if (job.state === 'queued') {
    return job.estimate && h('p.quiet', null, say('archive.takes', { time: duration(job.estimate) }));
  }
  if (job.state === 'cancelling') return h('progress', { 'aria-label': say('job.progress') });
  const text = [percent(share), left !== null && say('job.left', { time: duration(left) })];
  return [
    h('progress', { max: 1, value: share, 'aria-label': say('job.progress') }),
    h('p.quiet.figure', null, text.filter(Boolean).join('\u00a0· ')),
  ];
}

/** @param {Job} job */
function outcome(job) {
  if (job.state === 'failed') return h('p', null, sentence(job.error ?? { code: 'error' }));
  const { found_before: before, found_after: after, faces, verdict, probability, encoders, known_after: known } = job.summary;
  if (job.state === 'done' && verdict) return judged(verdict, probability);
  if (job.state !== 'done' || typeof before !== 'number' || typeof after !== 'number') return null;
  // detectors that were left alone tell nothing of what was reached
  if (encoders) return h('p', null, known ? icon('seen') : null, ' ', recognised(encoders, known));
  return h('p', null, after || !before ? icon('seen') : null, ' ', effect(before, after, faces));
}

/**
 * @param {import('./verdict.js').Word} word
 * @param {number | null} probability
 */
function judged(word, probability) {
  const share = probability === null ? null : h('p.quiet.figure', null, say('verdict.share', { share: percent(probability) }));
  return [h('p', null, chip(word)), share];
}

/**
 * @param {number} count
 * @param {number} known
 */
function recognised(count, known) {
  return known ? say('archive.effect.known', { count, known }) : say('archive.effect.stranger', { count });
}

/**
 * @param {number} before
 * @param {number} after
 * @param {number} faces
 */
function effect(before, after, faces) {
  if (!before) return say('archive.effect.before');
  if (faces > 1) return say('archive.effect.faces', { faces, before, after });
  if (after >= before) return say('archive.effect.none', { count: before });
  return say('archive.effect', { before, hidden: before - after });
}

/** @param {Job} job */
function removal(job) {
  if (!over(job) || job.state === 'expired') return null;
  const seconds = (Date.parse(job.expires) - Date.now()) / 1000;
  const soon = seconds <= 0;
  return h('span', null, soon ? say('archive.removed.soon') : say('archive.removed', { time: duration(seconds) }));
}
