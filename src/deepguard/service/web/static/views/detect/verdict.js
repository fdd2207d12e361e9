/** The verdict of the whole: one word, its probability on a scale, how often such a word errs, and what it is not. */

import { address } from '../../core/boot.js';
import { h, icon, s } from '../../core/dom.js';
import { chance, moment, number, say } from '../../core/words.js';
import { LOOKS } from '../../parts/verdict.js';
import { told } from './report.js';

/** @typedef {import('./report.js').Report} Report */

/** @param {Report} report */
export function verdict(report) {
  const look = LOOKS[report.word];
  const { threshold } = report;
  const title = h('h2.detect-word', { class: look.tone }, icon(look.icon), say(`verdict.${report.word}`));
  return h(
    'section.detect-verdict',
    { 'data-word': report.word },
    title,
    h('p.lead', null, say(`detect.means.${report.word}`)),
    report.probability === null ? null : figure(report, true),
    report.probability === null ? null : rates(threshold),
  );
}

/** @param {Report} report */
export function honest(report) {
  const facts = { when: moment(report.created), version: report.version, device: report.device };
  const link = h('a', { href: address('/victims') }, say('detect.victims'));
  return h(
    'div.honest',
    null,
    h('p', null, say('detect.honest')),
    h('p.quiet', null, say('detect.checked', facts)),
    link,
  );
}

/** @param {Report} report */
export function notes(report) {
  if (!report.notes.length) return null;
  const rows = report.notes.map((each) => h('li', null, icon('warning'), told(each)));
  return h('section.detect-notes', null, h('h2', null, say('detect.notes')), h('ul', null, rows));
}

/**
 * Return the probability in words and on a scale; a figure of models that were never calibrated is called a score.
 * @param {{probability: number | null, low: number | null, high: number | null, word: import('./report.js').Word,
 *   threshold: import('./report.js').Threshold | null}} given
 * @param {boolean} [whole] whether the marks on the scale are told as well
 */
export function figure({ probability, low, high, word, threshold }, whole = false) {
  const share = probability ?? 0;
  const spoken = [h('strong', null, say(threshold ? 'detect.probability' : 'detect.score', { share: chance(share) }))];
  const wide = low !== null && high !== null && chance(low) !== chance(high);
  const range = wide ? say('detect.interval', { low: chance(low), high: chance(high) }) : '';
  const marks = whole && threshold
    ? say('detect.scale.marks', { real: chance(threshold.real_to), fake: chance(threshold.fake_from) })
    : '';
  return h(
    'figure.detect-scale',
    null,
    h('p', null, spoken, ' ', range),
    scale({ share, low: low ?? share, high: high ?? share, tone: LOOKS[word].tone, threshold }),
    h('p.spread.quiet', { 'aria-hidden': 'true' }, h('span', null, say('detect.scale.real')), h('span', null, say('detect.scale.fake'))),
    marks ? h('figcaption', null, marks) : null,
  );
}

/**
 * @param {{share: number, low: number, high: number, tone: string,
 *   threshold: import('./report.js').Threshold | null}} given
 */
function scale({ share, low, high, tone, threshold }) {
  const drawing = s('svg', { class: 'detect-drawing', 'aria-hidden': 'true', focusable: 'false' });
  const at = (/** @type {number} */ value) => `${100 * Math.min(1, Math.max(0, value))}%`;
  drawing.append(s('rect', { class: 'detect-rail', x: 0, y: 12, width: '100%', height: 16, rx: 8 }));
  for (const mark of threshold ? [threshold.real_to, threshold.fake_from] : []) {
    drawing.append(s('line', { class: 'detect-mark', x1: at(mark), x2: at(mark), y1: 6, y2: 34 }));
  }
  drawing.append(s('rect', { class: `detect-range ${tone}`, x: at(low), y: 16, width: at(high - low), height: 8, rx: 4 }));
  drawing.append(s('circle', { class: `detect-dot ${tone}`, cx: at(share), cy: 20, r: 9 }));
  return drawing;
}

/** @param {import('./report.js').Threshold | null} threshold */
function rates(threshold) {
  if (!threshold) return h('p', null, say('detect.uncalibrated'));
  const { false_positive_rate: wrong, false_negative_rate: missed } = threshold;
  const of = wrong > 0 && wrong < 0.01 ? 1000 : 100;
  const count = Math.round(wrong * of);
  const first = count ? say('detect.rate', { of: number(of), count }) : say('detect.rate.none', { of: number(of) });
  const second = say('detect.missed', { of: number(100), count: Math.round(missed * 100) });
  return h('p', null, first, ' ', second);
}
