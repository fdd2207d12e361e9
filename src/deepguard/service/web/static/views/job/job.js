/** One job at its own address: followed until it is over, then what came of it. */

import { Problem, problemOf } from '../../core/api.js';
import { boot } from '../../core/boot.js';
import { announce, fill, h } from '../../core/dom.js';
import { fault } from '../../core/route.js';
import { LATER, loadWords, percent, say, standing } from '../../core/words.js';
import { over, watch } from '../../core/watch.js';
import { working } from './progress.js';
import { ended, gone, heading, listed, refocus } from './states.js';

const GONE = new Set([404, 410]);
/** Milliseconds until an expired job is looked for at the soonest: files go a little after their time. */
const LATE = 60_000;

/**
 * @typedef {import('../../core/types.js').Job} Job
 * @typedef {import('../../core/types.js').Visit} Visit
 *
 * @typedef {object} Follower what a screen may ask of the one who follows the job
 * @property {Visit} visit
 * @property {string} share token that the visitor came with
 * @property {(job?: Job) => void} again looks at the job anew
 *
 * @typedef {{element: HTMLElement, update: (job: Job) => void}} Screen
 */

/** @type {import('../../core/types.js').View} */
export default {
  show: (visit) => new Promise((shown) => follow(visit, () => shown())),
};

/**
 * @param {Visit} visit
 * @param {() => void} shown called once there is something to see
 */
function follow(visit, shown) {
  const id = visit.params.job_id;
  const share = visit.query.get('share') ?? '';
  const lost = h('p.job-lost', { role: 'status' });
  const place = h('div');
  visit.root.append(lost, place);
  const screens = drawing(visit, place, { visit, share, again: (job) => again(job) });
  let resting = false;
  let timer = 0;

  /** @param {import('../../core/watch.js').News} news */
  const hear = async (news) => {
    // empty, so that it is read out when it is filled
    lost.textContent = news.down ? say('job.lost') : '';
    if (news.down && !place.hasChildNodes()) fill(place, fault(new Problem({ code: 'network' })));
    if (news.gone) screens.gone(news.gone);
    if (news.job) await screens.draw(news.job);
    resting = Boolean(news.gone || (news.job && over(news.job)));
    clearTimeout(timer);
    if (resting && news.job && news.job.state !== 'expired') timer = setTimeout(begin, lifetime(news.job));
    shown();
  };
  const begin = () => {
    resting = false;
    watch(id, hear, { signal: visit.signal, share });
  };
  /** @param {Job} [job] */
  function again(job) {
    if (job) screens.draw(job);
    // one that is watched still is heard of anyway
    if (resting) begin();
  }
  // deleted, tried again or expired while another window was looked at
  const back = () => document.visibilityState === 'visible' && resting && begin();
  document.addEventListener('visibilitychange', back, { signal: visit.signal });
  visit.signal.addEventListener('abort', () => clearTimeout(timer));
  begin();
}

/**
 * Return the milliseconds until a job's files are gone.
 * @param {Job} job
 */
function lifetime(job) {
  return Math.max(LATE, Date.parse(job.expires) - Date.now() + LATE);
}

/**
 * Return how a job is drawn into a place: anew where it has become something else, in the same elements otherwise.
 * @param {Visit} visit
 * @param {HTMLElement} place
 * @param {Follower} follower
 */
function drawing(visit, place, follower) {
  let kind = '';
  /** @type {Screen | null} */
  let screen = null;
  /** @type {Job | null} */
  let latest = null;
  /** @param {HTMLElement} element */
  const put = (element) => {
    const focused = place.contains(document.activeElement);
    fill(place, element);
    if (focused) refocus(place);
  };
  /** @param {Job} job */
  const draw = async (job) => {
    visit.title(titled(job));
    latest = job;
    const next = over(job) ? `${job.state} ${job.attempt}` : 'working';
    if (next === kind) return screen?.update(job);
    const before = kind;
    kind = next;
    const made = await screenOf(job, follower);
    // meanwhile it may have changed again
    if (kind !== next || visit.signal.aborted) return;
    screen = made;
    made.update(latest);
    put(made.element);
    // with the first sentence of what came of it
    const lead = place.querySelector('.lead')?.textContent;
    if (before) announce([standing(job), lead].filter(Boolean).join('. '));
  };
  /** @param {import('../../core/api.js').Problem} problem */
  const leave = (problem) => {
    visit.title(say('fault.title'));
    put(GONE.has(problem.status) ? gone(Boolean(kind)) : fault(problem));
    kind = 'gone';
  };
  return { draw, gone: leave };
}

/**
 * @param {Job} job
 * @param {Follower} follower
 * @returns {Promise<Screen>}
 */
async function screenOf(job, follower) {
  const still = () => undefined;
  try {
    // what is done and what became of it, its kind says in its own words
    await Promise.all([loadWords(LATER), loadWords(boot.kinds[job.kind]?.split('/')[1])]);
  } catch (thrown) {
    return { element: fault(problemOf(thrown)), update: still };
  }
  if (!over(job)) return working(job, follower);
  if (job.state !== 'done') return { element: ended(job, follower), update: still };
  const element = h('div', null, heading(job));
  const root = h('div');
  element.append(root);
  try {
    await result(root, job, follower);
  } catch (thrown) {
    fill(root, fault(problemOf(thrown), () => location.reload()));
  }
  return { element, update: still };
}

/**
 * @param {HTMLElement} root
 * @param {Job} job
 * @param {Follower} follower
 */
async function result(root, job, { visit, share }) {
  const script = boot.kinds[job.kind];
  if (!script) return root.append(listed(job, share));
  const module = await import(`${boot.assets}/${script}`);
  await module.default.draw(root, { job, share, signal: visit.signal, go: visit.go });
}

/** @param {Job} job */
function titled(job) {
  const state = standing(job);
  return job.state === 'running' ? `${percent(job.progress.share)} ${state}` : `${state} · ${job.name}`;
}
