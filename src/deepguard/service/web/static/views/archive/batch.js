/** The photos that were just started together: how far all of them are, and all results at once. */

import { Problem, get, post, problemOf, resultAddress } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { fault } from '../../core/route.js';
import { over } from '../../core/watch.js';
import { duration, percent, say } from '../../core/words.js';
import { doing } from '../../parts/doing.js';
import { Grid, lost } from './grid.js';

/** Browsers drop downloads that are asked for in the same moment. */
const PAUSE = 700;

/** @typedef {import('../../core/types.js').Job} Job */

/**
 * @param {import('../../core/types.js').Visit} visit
 * @param {string[]} ids
 */
export async function batch(visit, ids) {
  const { root, signal, title } = visit;
  title(say('archive.batch.title', { count: ids.length }));
  const heading = h('h1', null, say('archive.batch.title', { count: ids.length }));
  const whole = h('section.panel.archive-whole', { 'aria-label': say('job.progress') });
  const notices = h('div', { role: 'status' });
  const skeletons = ids.slice(0, 24).map(() => h('li.archive-skeleton'));
  const list = h('div', null, h('ul.archive-grid', { 'aria-hidden': 'true' }, skeletons));
  const everything = h('a', { href: address('/archive') }, say('archive.batch.everything'));
  const links = h('p.row', null, everything, h('a', { href: address('/') }, say('home')));
  fill(root, h('div.spread.archive-started', null, heading, links), whole, notices, list);
  const answers = await Promise.all(ids.map((id) => get(`/jobs/${id}`, { signal }).catch(problemOf)));
  const found = answers.filter((each) => !(each instanceof Error));
  // a job that could not be asked for is not one that is gone
  const broken = answers.find((each) => each instanceof Problem && each.passing) ?? (found.length ? null : answers[0]);
  if (broken) return fill(root, fault(broken, () => batch(visit, ids)));
  const down = (/** @type {boolean} */ is) => lost(notices, is);
  const total = new Total(whole, ids.length, signal, title);
  const grid = new Grid({ signal, selectable: false, changed: () => total.draw(grid.jobs), down });
  fill(list, grid.element);
  grid.add(found);
}

/** How far all jobs together are, and what can be done with all of them. */
class Total {
  #element;
  #count;
  #signal;
  #title;
  #bar = h('progress', { max: 1, value: 0, 'aria-label': say('job.progress') });
  #text = h('p');
  #acts = h('div.row');
  #drawn = '';

  /**
   * @param {HTMLElement} element
   * @param {number} count how many were started
   * @param {AbortSignal} signal
   * @param {(title: string) => void} title
   */
  constructor(element, count, signal, title) {
    this.#element = element;
    this.#count = count;
    this.#signal = signal;
    this.#title = title;
  }

  /** @param {Job[]} jobs */
  draw(jobs) {
    if (!this.#drawn) fill(this.#element, this.#text, this.#bar, this.#acts);
    const ready = jobs.filter((each) => each.state === 'done' && each.results.length);
    const active = jobs.filter((each) => !over(each));
    const shares = jobs.reduce((sum, each) => sum + (over(each) ? 1 : each.progress.share), 0);
    const share = shares / Math.max(1, jobs.length);
    this.#bar.value = share;
    this.#bar.hidden = !active.length;
    this.#title(active.length ? `${percent(share)} · ${say('job.progress')}` : say('archive.batch.over'));
    fill(this.#text, sentences(jobs, active, ready.length, this.#count).join(' '));
    const state = `${ready.length} ${active.length} ${active.some(stoppable)}`;
    if (state === this.#drawn) return;
    if (this.#drawn && !active.length) announce(say('archive.batch.over'));
    this.#drawn = state;
    this.#offer(ready, active);
  }

  /**
   * @param {Job[]} ready
   * @param {Job[]} active
   */
  #offer(ready, active) {
    const held = this.#acts.contains(document.activeElement);
    const all = h('button', { type: 'button', class: active.length ? '' : 'primary' }, icon('download'));
    all.append(say(active.length ? 'archive.batch.some' : 'archive.batch.all', { count: ready.length }));
    all.onclick = () => this.#download(all, ready);
    const stop = h('button', { type: 'button' }, say('archive.batch.cancel'));
    stop.onclick = () => this.#cancel(stop, active.filter(stoppable));
    fill(this.#acts, ready.length ? all : null, active.some(stoppable) ? stop : null);
    if (held) this.#acts.querySelector('button')?.focus();
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {Job[]} jobs
   */
  async #download(button, jobs) {
    await doing(button, async () => {
      for (const job of jobs) {
        // the first is what the job was for
        const { name, filename } = job.results[0];
        h('a', { href: resultAddress(job, name), download: filename }).click();
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        if (this.#signal.aborted) return;
      }
    });
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {Job[]} jobs
   */
  async #cancel(button, jobs) {
    const signal = this.#signal;
    // one that is over meanwhile needs no cancelling; what else went wrong is seen at the cards, which go on
    const stop = (/** @type {Job} */ job) => post(`/jobs/${job.id}/cancel`, undefined, { signal });
    await doing(button, () => Promise.allSettled(jobs.map(stop)));
  }
}

/** @param {Job} job */
function stoppable(job) {
  return job.state === 'queued' || job.state === 'running';
}

/**
 * @param {Job[]} jobs
 * @param {Job[]} active
 * @param {number} ready
 * @param {number} count how many were started
 */
function sentences(jobs, active, ready, count) {
  const text = [say('archive.batch.ready', { total: count, ready })];
  const seconds = active.reduce((sum, each) => sum + (each.progress.seconds_left ?? each.estimate ?? 0), 0);
  // those that run now run side by side
  const beside = Math.max(1, active.filter((each) => each.state === 'running').length);
  if (seconds) text.push(`${say('job.left', { time: duration(seconds / beside) })}.`);
  const failed = jobs.filter((each) => each.state === 'failed').length;
  if (failed) text.push(say('archive.batch.failed', { count: failed }));
  if (jobs.length < count) text.push(say('archive.batch.gone', { count: count - jobs.length }));
  return text;
}
