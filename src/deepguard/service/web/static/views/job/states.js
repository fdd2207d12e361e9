/** A job that is over without a result to show, and what can be done then. */

import { post, resultAddress, sentence } from '../../core/api.js';
import { address, boot } from '../../core/boot.js';
import { h, icon } from '../../core/dom.js';
import { known, say, size, standing } from '../../core/words.js';
import { doing } from '../../parts/doing.js';
import { deletion } from '../../parts/deletion.js';

/** Codes of what is wrong with the file itself: the same again would change nothing. */
const OF_THE_FILE = new Set(['input', 'unreadable_image', 'unsupported_image', 'image_too_large', 'too_large']);
/** Codes of what asks for a smaller or another photo: the same again is the last thing to try. */
const OF_THE_SIZE = new Set(['over_time', 'over_memory', 'worker_lost', 'error']);
/** @type {Record<string, string>} */
const ICONS = { queued: 'wait', running: 'shield', cancelling: 'stop', done: 'hidden', failed: 'warning' };

/**
 * @typedef {import('../../core/types.js').Job} Job
 */

/**
 * Return whose job it is and how it stands.
 * @param {Job} job
 */
export function heading(job) {
  const mark = icon(ICONS[job.state] ?? 'stop');
  return h(
    'header.job-head',
    { 'data-state': job.state },
    h('p.quiet', null, job.name),
    h('h1', null, mark, standing(job)),
  );
}

/**
 * Put the focus on a screen's heading, where what had it is gone.
 * @param {HTMLElement} place
 */
export function refocus(place) {
  const title = place.querySelector('h1');
  title?.setAttribute('tabindex', '-1');
  title?.focus({ preventScroll: true });
}

/**
 * Return the screen of a job that failed, was cancelled or has expired.
 * @param {Job} job
 * @param {import('./job.js').Follower} follower
 */
export function ended(job, { visit, again }) {
  const own = job.share !== null;
  const best = !OF_THE_SIZE.has(job.error?.code ?? '');
  const retry = h('button', { type: 'button', class: best ? 'primary' : '' }, icon('repeat'), say('act.retry'));
  retry.addEventListener('click', () => doing(retry, async () => again(await post(`/jobs/${job.id}/retry`))));
  const deleting = own && job.state !== 'expired' ? deletion(job, visit) : null;
  return h(
    'div.narrow',
    null,
    heading(job),
    h('section.panel', null, h('p', null, reason(job))),
    h('div.row', null, ...steps(job, own, retry), deleting),
  );
}

/**
 * Return the screen for an address without a job.
 * @param {boolean} before whether it was there a moment ago
 */
export function gone(before) {
  return h(
    'section.narrow',
    { role: 'alert' },
    h('h1', null, say('job.gone')),
    h('div.panel', null, h('p', null, before ? say('job.gone.now') : say('job.gone.never'))),
    h('div.row', null, h('a.button.primary', { href: address('/') }, say('home'))),
  );
}

/**
 * Return the files of a job whose kind has no screen of its own.
 * @param {Job} job
 * @param {string} share
 */
export function listed(job, share) {
  const files = job.results.map((each) => {
    const href = resultAddress(job, each.name, { share });
    const link = h('a', { href, download: each.filename }, icon('download'), each.filename);
    return h('li', null, link, h('span.quiet', null, size(each.size)));
  });
  return h('ul.panel.job-rows', null, ...files);
}

/** @param {Job} job */
function reason(job) {
  if (job.state === 'failed') return sentence(job.error ?? { code: 'error' });
  if (job.state !== 'expired') return say('job.cancelled.text');
  return known(`job.${job.kind}.expired.text`) ? say(`job.${job.kind}.expired.text`) : say('job.expired.text');
}

/**
 * Return what to do next, the best first.
 * @param {Job} job
 * @param {boolean} own
 * @param {HTMLElement} retry
 */
function steps(job, own, retry) {
  const code = job.error?.code ?? '';
  const fresh = (/** @type {boolean} */ best) => link(startOf(job), say('job.other'), best);
  const change = (/** @type {boolean} */ best) => link(`${startOf(job)}?again=${job.id}`, say('job.change'), best);
  if (!own || job.state === 'expired' || OF_THE_FILE.has(code)) return [fresh(true)];
  if (job.options.of) return [retry, link(`/jobs/${job.options.of}`, say('job.back'), false)];
  if (code === 'no_face') {
    return [link(`${startOf(job)}?again=${job.id}&draw=1`, say('job.draw'), true), fresh(false)];
  }
  if (code === 'option') return [change(true), fresh(false)];
  if (OF_THE_SIZE.has(code)) return [fresh(true), change(false), retry];
  return [retry, change(false), fresh(false)];
}

/**
 * @param {string} path
 * @param {string} text
 * @param {boolean} primary
 */
function link(path, text, primary) {
  return h('a.button', { href: address(path), class: primary ? 'primary' : '' }, text);
}

/**
 * Return where jobs of this kind are begun.
 * @param {Job} job
 */
function startOf(job) {
  const folder = boot.kinds[job.kind]?.split('/')[1];
  return boot.views.find((each) => each.name === folder)?.path ?? '/';
}
