/** Cards that can be chosen, in the order in which they came; those that are not over follow their jobs. */

import { fill, h, icon } from '../../core/dom.js';
import { say } from '../../core/words.js';
import { card, renew } from '../../parts/card.js';
import { Follow } from './follow.js';

/** @typedef {import('../../core/types.js').Job} Job */

export class Grid {
  element = h('ul.archive-grid', { role: 'list' });
  /** @type {Set<string>} */
  chosen = new Set();
  /** @type {Map<string, {job: Job, item: HTMLElement, card: HTMLElement}>} */
  #cards = new Map();
  #last = '';
  #follow;
  #options;

  /** @param {{signal: AbortSignal, selectable: boolean, changed: () => void, down?: (is: boolean) => void}} options */
  constructor(options) {
    this.#options = options;
    this.#follow = new Follow((id, news) => {
      options.down?.(news.down === true);
      if (news.job) this.#renew(news.job);
      if (news.gone) this.take([id]);
      if (!news.down) options.changed();
    }, options.signal);
  }

  /** How all jobs are now. */
  get jobs() {
    return [...this.#cards.values()].map((each) => each.job);
  }

  /** @param {Job[]} jobs */
  add(jobs) {
    const { signal, selectable } = this.#options;
    for (const job of jobs.filter((each) => !this.#cards.has(each.id))) {
      const onSelect = (/** @type {string} */ id, /** @type {boolean} */ chosen, /** @type {boolean} */ range) =>
        this.#choose(id, chosen, range);
      const element = card(job, { signal, selectable, onSelect, onChange: (next) => this.#renew(next) });
      const item = h('li', null, element);
      this.#cards.set(job.id, { job, item, card: element });
      this.element.append(item);
    }
    this.#follow.add(jobs);
    this.#options.changed();
  }

  /** @param {boolean} chosen whether all are to be chosen, or none */
  chooseAll(chosen) {
    for (const id of this.#cards.keys()) this.#mark(id, chosen);
    this.#options.changed();
  }

  /**
   * Take cards away, and return the link of the one that is now where the last of them was; null where none is left.
   * @param {string[]} ids
   * @returns {HTMLElement | null}
   */
  take(ids) {
    const gone = new Set(ids);
    const all = [...this.#cards.keys()];
    const last = all.findLastIndex((id) => gone.has(id));
    const stays = (/** @type {string} */ id) => !gone.has(id);
    const next = all.slice(last + 1).find(stays) ?? all.slice(0, Math.max(0, last)).findLast(stays);
    for (const id of gone) {
      this.#cards.get(id)?.item.remove();
      this.#cards.delete(id);
      this.chosen.delete(id);
    }
    return next ? (this.#cards.get(next)?.card.querySelector('a') ?? null) : null;
  }

  /** @param {Job} job */
  #renew(job) {
    const shown = this.#cards.get(job.id);
    if (!shown || shown.job.revision > job.revision) return;
    shown.job = job;
    renew(shown.card, job);
  }

  /**
   * @param {string} id
   * @param {boolean} chosen
   * @param {boolean} range whether all between this one and the last one are meant
   */
  #choose(id, chosen, range) {
    const all = [...this.#cards.keys()];
    const from = range && this.#cards.has(this.#last) ? all.indexOf(this.#last) : all.indexOf(id);
    const ends = [from, all.indexOf(id)].sort((one, other) => one - other);
    for (const each of all.slice(ends[0], ends[1] + 1)) this.#mark(each, chosen);
    this.#last = id;
    this.#options.changed();
  }

  /**
   * @param {string} id
   * @param {boolean} chosen
   */
  #mark(id, chosen) {
    const box = this.#cards.get(id)?.card.querySelector('input');
    if (box) box.checked = chosen;
    if (chosen) this.chosen.add(id);
    else this.chosen.delete(id);
  }
}

/**
 * Say that nothing is heard of the jobs, or no longer say so.
 * @param {HTMLElement} place
 * @param {boolean} is
 */
export function lost(place, is) {
  if (is !== place.hasChildNodes()) fill(place, is && h('p.notice', null, icon('offline'), say('archive.down')));
}
