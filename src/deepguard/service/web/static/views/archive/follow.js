/** Many jobs as they change: a few by watching each, the others by asking for all at once. */

import { get, problemOf } from '../../core/api.js';
import { over, watch } from '../../core/watch.js';

/** Where no websocket gets through each takes one of the six connections that a browser opens to a service. */
const WATCHED = 4;
const PAUSE = 4000;
const ACTIVE = 'state=queued&state=running&state=cancelling';

/** @typedef {import('../../core/types.js').Job} Job */

/** Tells of each job that is not over, now and then, until it is over, gone, or the signal is aborted. */
export class Follow {
  /** @type {Map<string, Job>} those whose turn to be watched has not come */
  #others = new Map();
  #watched = 0;
  #timer = 0;
  #told;
  #signal;

  /**
   * @param {(id: string, news: import('../../core/watch.js').News) => void} told
   * @param {AbortSignal} signal
   */
  constructor(told, signal) {
    this.#told = told;
    this.#signal = signal;
    signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** @param {Job[]} jobs */
  add(jobs) {
    for (const job of jobs) if (!over(job)) this.#others.set(job.id, job);
    this.#next();
  }

  #next() {
    const soonest = [...this.#others.values()].sort((one, other) => (turn(one) < turn(other) ? -1 : 1));
    for (const { id } of soonest.slice(0, Math.max(0, WATCHED - this.#watched))) {
      this.#others.delete(id);
      this.#watched += 1;
      watch(id, (news) => this.#told(id, news), { signal: this.#signal }).finally(() => {
        this.#watched -= 1;
        if (!this.#signal.aborted) this.#next();
      });
    }
    if (this.#others.size && !this.#timer) this.#timer = setTimeout(() => this.#ask(), PAUSE);
  }

  async #ask() {
    try {
      if (!document.hidden) await this.#compare();
    } catch {
      // those that are watched tell that nothing is heard
    }
    this.#timer = 0;
    if (!this.#signal.aborted) this.#next();
  }

  async #compare() {
    const page = await get(`/jobs?limit=100&${ACTIVE}`, { signal: this.#signal });
    const active = new Map(page.jobs.map((/** @type {Job} */ job) => [job.id, job]));
    for (const [id, known] of [...this.#others]) {
      const job = active.get(id) ?? (page.next ? known : await this.#alone(id));
      if (!job || !this.#others.has(id)) continue;
      this.#others.set(id, job);
      if (over(job)) this.#others.delete(id);
      if (job.revision !== known.revision) this.#told(id, { job });
    }
  }

  /** @param {string} id of one that is over or gone */
  async #alone(id) {
    try {
      return await get(`/jobs/${id}`, { signal: this.#signal });
    } catch (thrown) {
      const problem = problemOf(thrown);
      if (problem.passing) throw problem;
      this.#others.delete(id);
      this.#told(id, { gone: problem });
      return null;
    }
  }
}

/** @param {Job} job */
function turn(job) {
  return `${job.state === 'queued' ? 1 : 0} ${job.queued}`;
}
