/** The visitor's jobs, page by page. */

import { get } from '../../core/api.js';
import { boot } from '../../core/boot.js';

const MOST = 100;

/** @type {Record<string, string[]>} what can be narrowed to -> the states that it stands for */
export const FILTERS = {
  all: [],
  active: ['queued', 'running', 'cancelling'],
  done: ['done'],
  failed: ['failed', 'cancelled'],
  expired: ['expired'],
};

/** Looking for faces is a part of protecting them, and nothing to come back to. */
export const KINDS = Object.keys(boot.kinds).filter((each) => each !== 'find');

export class Pages {
  /** Whether there are more. */
  more = true;
  #query;
  #signal;

  /**
   * @param {{search: string, filter: string, kind: string}} wanted `kind` is one of them, or empty for all
   * @param {AbortSignal} signal
   */
  constructor(wanted, signal) {
    this.#signal = signal;
    this.#query = new URLSearchParams(wanted.search ? { search: wanted.search } : {});
    for (const state of FILTERS[wanted.filter]) this.#query.append('state', state);
    for (const kind of wanted.kind ? [wanted.kind] : KINDS) this.#query.append('kind', kind);
  }

  /**
   * Return further jobs, at least `count` where there are as many.
   * @param {number} count
   * @returns {Promise<import('../../core/types.js').Job[]>}
   */
  async next(count) {
    const jobs = [];
    while (this.more && jobs.length < count) {
      this.#query.set('limit', String(Math.min(MOST, count - jobs.length)));
      const page = await get(`/jobs?${this.#query}`, { signal: this.#signal });
      jobs.push(...page.jobs);
      this.more = page.next !== null;
      this.#query.set('cursor', page.next ?? '');
    }
    return jobs;
  }
}
