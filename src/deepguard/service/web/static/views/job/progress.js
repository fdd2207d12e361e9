/** A job that waits or runs: one bar for the whole, and a row for each program that looks for faces. */

import { post } from '../../core/api.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { duration, known, percent, program, say } from '../../core/words.js';
import { doing } from '../../parts/doing.js';
import { heading, refocus } from './states.js';

const ANNOUNCED = 6000;
/** After so long it is asked anew how much is before a job. */
const ASKED = 15000;

/**
 * @typedef {import('../../core/types.js').Job} Job
 */

/**
 * Return the screen of a job that is not over.
 * @param {Job} first
 * @param {import('./job.js').Follower} follower
 * @returns {import('./job.js').Screen}
 */
export function working(first, { visit, again }) {
  const head = h('div');
  const stage = h('p.job-stage', { id: 'stage' });
  const bar = h('progress', { max: 1, 'aria-labelledby': 'stage' });
  const share = h('span');
  const left = h('span');
  const rows = detectorRows();
  const stop = cancelling(first, again);
  let waits = '';
  let queued = true;
  const tell = announcer();
  /** @param {Job} job */
  const update = (job) => {
    queued = job.state === 'queued';
    const focused = head.contains(document.activeElement) || document.activeElement === stop;
    const title = heading(job);
    const turned = head.textContent !== title.textContent;
    if (turned) fill(head, title);
    stage.textContent = (queued && waits) || stageOf(job);
    if (job.state === 'cancelling') bar.removeAttribute('value');
    else bar.value = job.progress.share;
    share.textContent = job.state === 'queued' ? '' : percent(job.progress.share);
    left.textContent = leftOf(job);
    stop.hidden = job.state === 'cancelling' || job.share === null;
    if (turned && focused) refocus(head);
    rows.update(job.progress.detectors);
    tell(job);
  };
  update(first);
  if (first.state === 'queued' && first.share !== null) {
    queue(first, visit.signal, (text) => {
      waits = text;
      if (queued) stage.textContent = text || say('stage.queued');
      return queued && stage.isConnected;
    });
  }
  const figures = h('p.spread.figure', null, share, left);
  const leave = h('p.quiet.job-leave', null, say('job.leave'));
  const panel = h('section.panel', null, stage, bar, figures, rows.element, leave);
  return { element: h('div.narrow', null, head, panel, h('div.row', null, stop)), update };
}

/** The rows of programs: "still sees it" turns into "no longer sees it". */
function detectorRows() {
  const list = h('ul.job-rows');
  const element = h('div', { hidden: true }, h('h2', null, say('job.detectors')), list);
  /** @type {Map<string, {row: HTMLElement, sees: boolean}>} */
  const rows = new Map();
  /** @param {Record<string, boolean>} detectors */
  const update = (detectors) => {
    element.hidden = !Object.keys(detectors).length;
    for (const [name, sees] of Object.entries(detectors)) {
      const kept = rows.get(name);
      if (kept?.sees === sees) continue;
      const state = h(sees ? 'span.warn' : 'span.good', null, icon(sees ? 'seen' : 'hidden'), saying(sees));
      const row = h('li', null, h('span', null, program(name)), state);
      if (kept) kept.row.replaceWith(row);
      else list.append(row);
      rows.set(name, { row, sees });
    }
  };
  return { element, update };
}

/** @param {boolean} sees */
function saying(sees) {
  return ` ${sees ? say('job.sees') : say('job.misses')}`;
}

/**
 * @param {Job} job
 * @param {(job: Job) => void} again
 */
function cancelling(job, again) {
  const button = h('button', { type: 'button' }, icon('stop'), say('act.cancel'));
  button.addEventListener('click', () => doing(button, async () => again(await post(`/jobs/${job.id}/cancel`))));
  return button;
}

/**
 * Say now and then how long others are before it; where that cannot be asked, nothing.
 * @param {Job} job
 * @param {AbortSignal} signal
 * @param {(text: string) => boolean} told returns whether it waits still
 */
async function queue(job, signal, told) {
  const wish = { kind: job.kind, upload: job.upload, options: job.options, job: job.id };
  try {
    const { waiting_seconds: seconds } = await post('/estimates', wish, { signal });
    if (!told(seconds >= 1 ? say('job.before', { time: duration(seconds) }) : '')) return;
  } catch {
    // without it the page says a little less
    if (!told('')) return;
  }
  setTimeout(() => signal.aborted || queue(job, signal, told), ASKED);
}

/** @param {Job} job */
function stageOf(job) {
  if (job.state === 'queued') return say('stage.queued');
  if (job.state === 'cancelling') return say('job.stopping');
  const name = job.progress.stage.split(' (')[0];
  return known(`stage.${name}`) ? say(`stage.${name}`) : say('stage.working');
}

/** @param {Job} job */
function leftOf(job) {
  if (job.state === 'queued') return job.estimate ? say('job.takes', { time: duration(job.estimate) }) : '';
  if (job.state === 'cancelling' || job.progress.seconds_left === null) return '';
  return say('job.left', { time: duration(job.progress.seconds_left) });
}

/** Return what tells screen readers of the progress: rarely, and only what is new. */
function announcer() {
  let last = performance.now();
  let told = '';
  /** @param {Job} job */
  return (job) => {
    const seen = Object.values(job.progress.detectors);
    const text = seen.length
      ? say('job.told', { stage: stageOf(job), misses: seen.filter((each) => !each).length, count: seen.length })
      : stageOf(job);
    if (text === told || performance.now() - last < ANNOUNCED) return;
    last = performance.now();
    told = text;
    announce(text);
  };
}
