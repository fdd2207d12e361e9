/** What became of the jobs of the last days: few figures, each with its sentence and its table. */

import { get, problemOf } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { fault, keep } from '../../core/route.js';
import { known, say } from '../../core/words.js';
import { segments } from '../../parts/segments.js';
import { health } from './health.js';
import { sections } from './sections.js';

const DAYS = ['7', '30', '90'];

/** @typedef {import('./sections.js').Day} Day */

/** @type {import('../../core/types.js').View} */
export default {
  async show(visit) {
    const { root, query, signal, title } = visit;
    title(say('tab.statistics'));
    const asked = query.get('days') ?? '';
    const wanted = { days: DAYS.includes(asked) ? asked : '30', kind: query.get('kind') ?? 'protect' };
    const kinds = h('div.statistics-kinds');
    const body = h('div.statistics-body');
    const line = h('div.statistics-health');
    const change = (/** @type {Partial<typeof wanted>} */ next) => {
      Object.assign(wanted, next);
      keep(new URLSearchParams({ days: wanted.days, ...(wanted.kind !== 'protect' && { kind: wanted.kind }) }));
      return draw();
    };
    const choices = DAYS.map((each) => /** @type {[string, string]} */ ([each, say('unit.days', { n: Number(each) })]));
    const days = segments(say('statistics.days'), choices, wanted.days, (value) => change({ days: value }));
    let leaving = new AbortController();
    signal.addEventListener('abort', () => leaving.abort(), { once: true });
    const draw = async () => {
      leaving.abort();
      leaving = new AbortController();
      await show(body, kinds, wanted, leaving.signal, change, draw);
    };
    const head = h('div', null, h('h1', null, say('tab.statistics')), h('p.quiet', null, say('statistics.lead')));
    fill(root, h('div.statistics-head', null, head, h('div.stack', null, days, kinds)), body, line);
    fill(body, Array.from({ length: 4 }, () => h('div.panel.statistics-skeleton', { 'aria-hidden': 'true' })));
    await Promise.all([draw(), health(line, signal)]);
  },
};

/**
 * @param {HTMLElement} body
 * @param {HTMLElement} kinds where the choice of the kind is, if there is one
 * @param {{days: string, kind: string}} wanted
 * @param {AbortSignal} signal
 * @param {(next: {kind: string}) => void} change
 * @param {() => void} again
 */
async function show(body, kinds, wanted, signal, change, again) {
  body.setAttribute('aria-busy', 'true');
  try {
    const answer = await get(`/statistics?days=${wanted.days}`, { signal });
    /** @type {Day[]} */
    const found = answer.days.filter((/** @type {Day} */ each) => each.kind !== 'find');
    const names = [...new Set(found.map((each) => each.kind))].sort();
    const name = (/** @type {string} */ kind) => (known(`tab.${kind}`) ? say(`tab.${kind}`) : kind);
    const several = names.length > 1 || (names.length === 1 && names[0] !== wanted.kind);
    const choices = names.map((kind) => /** @type {[string, string]} */ ([kind, name(kind)]));
    if (!kinds.contains(document.activeElement)) {
      fill(kinds, several && segments(say('statistics.kind'), choices, wanted.kind, (kind) => change({ kind })));
    }
    const days = found.filter((each) => each.kind === wanted.kind);
    fill(body, days.length ? sections(days, Number(wanted.days)) : empty(Number(wanted.days)));
    announce(body.querySelector('p')?.textContent ?? '');
  } catch (thrown) {
    if (signal.aborted) return;
    const problem = problemOf(thrown);
    const wrong = fault(problem, again);
    wrong.querySelector('h1')?.replaceWith(h('h2', null, say('fault.title')));
    fill(body, problem.status === 403 ? closed() : wrong);
  }
  body.removeAttribute('aria-busy');
}

/** @param {number} days */
function empty(days) {
  const link = h('a.button.primary', { href: address('/') }, say('statistics.start'));
  return h('div.empty.statistics-empty', null, icon('wait'), h('p', null, say('statistics.empty', { days })), link);
}

function closed() {
  const texts = [h('h2', null, say('statistics.closed')), h('p', null, say('statistics.closed.text'))];
  const link = h('a.button', { href: address('/') }, say('fault.back'));
  return h('div.empty.statistics-empty', { role: 'alert' }, icon('stop'), texts, link);
}
