/** The figures of the last days, one section each. */

import { sentence } from '../../core/api.js';
import { h, s } from '../../core/dom.js';
import { day, duration, number, say } from '../../core/words.js';
import { plot } from '../../parts/plot.js';

/** Words of a verdict, the gravest first. */
const WORDS = ['likely_fake', 'uncertain', 'likely_real', 'cannot_judge'];
const DAY = 24 * 3600 * 1000;

/**
 * @typedef {object} Day what ended on one day, in UTC
 * @property {string} day
 * @property {string} kind
 * @property {Record<string, number>} states
 * @property {Record<string, number>} failures
 * @property {number | null} seconds_median
 * @property {number | null} seconds_90
 * @property {number | null} found_before
 * @property {number | null} found_after
 * @property {Record<string, number>} verdicts word -> how many
 *
 * @typedef {(pick: (day: Day) => number | null | undefined) => Array<number | null>} Values
 * @typedef {import('../../parts/plot.js').Series} Series
 */

/**
 * Return the sections; what there is nothing of has none.
 * @param {Day[]} found of one kind, the newest first, at least one
 * @param {number} count how many days were asked for
 */
export function sections(found, count) {
  const days = Array.from({ length: count }, (_, at) => iso(Date.now() - (count - 1 - at) * DAY));
  const places = new Map(found.map((each) => [each.day, each]));
  /** @type {Values} */
  const values = (pick) => {
    const value = (/** @type {Day | undefined} */ known) => (known ? (pick(known) ?? null) : null);
    return days.map((each) => value(places.get(each)));
  };
  return [
    jobs(found, days, values),
    seconds(found, days, values),
    effect(found, days, values),
    verdicts(found),
    failures(found),
  ];
}

/** @param {number} moment */
function iso(moment) {
  return new Date(moment).toISOString().slice(0, 10);
}

/**
 * @param {string} title
 * @param {string} reading
 * @param {...import('../../core/dom.js').Child} rest
 */
function section(title, reading, ...rest) {
  return h('section.panel', null, h('h2', null, title), h('p', null, reading), ...rest);
}

/**
 * @param {Day[]} found
 * @param {string[]} days
 * @param {Values} values
 */
function jobs(found, days, values) {
  const total = (/** @type {string} */ state) => found.reduce((sum, each) => sum + (each.states[state] ?? 0), 0);
  const title = say('statistics.jobs');
  const reading = { days: days.length, done: total('done'), failed: total('failed'), cancelled: total('cancelled') };
  const looks = { done: 'first', failed: 'second', cancelled: 'third' };
  const series = Object.entries(looks).map(([state, look]) => ({
    name: say(`statistics.is.${state}`),
    look: /** @type {'first'} */ (look),
    values: values((each) => each.states[state] ?? 0),
  }));
  return section(title, say('statistics.jobs.reading', reading), plot({ title, days, series, stacked: true }));
}

/**
 * @param {Day[]} found
 * @param {string[]} days
 * @param {Values} values
 */
function seconds(found, days, values) {
  const newest = found.find((each) => each.seconds_median !== null);
  if (!newest) return null;
  const title = say('statistics.seconds');
  const reading = say('statistics.seconds.reading', {
    day: day(newest.day),
    half: duration(newest.seconds_median ?? 0),
    most: duration(newest.seconds_90 ?? 0),
  });
  /** @type {Series[]} */
  const series = [
    { name: say('statistics.median'), look: 'first', values: values((each) => each.seconds_median) },
    { name: say('statistics.most'), look: 'second', values: values((each) => each.seconds_90) },
  ];
  return section(title, reading, plot({ title, days, series }));
}

/**
 * @param {Day[]} found
 * @param {string[]} days
 * @param {Values} values
 */
function effect(found, days, values) {
  const measured = found.filter((each) => each.found_before !== null && each.found_after !== null);
  if (!measured.length) return null;
  const title = say('statistics.effect');
  const mean = (/** @type {'found_before' | 'found_after'} */ name) => {
    const weights = measured.map((each) => each.states.done ?? 0);
    const sum = measured.reduce((whole, each, at) => whole + (each[name] ?? 0) * weights[at], 0);
    return Math.round((10 * sum) / Math.max(1, weights.reduce((whole, each) => whole + each, 0))) / 10;
  };
  const reading = say('statistics.effect.reading', { before: mean('found_before'), after: mean('found_after') });
  /** @type {Series[]} */
  const series = [
    { name: say('statistics.before'), look: 'second', values: values((each) => each.found_before) },
    { name: say('statistics.after'), look: 'first', values: values((each) => each.found_after) },
  ];
  return section(title, reading, plot({ title, days, series }), h('p.quiet', null, say('statistics.effect.honest')));
}

/** @param {Day[]} found */
function failures(found) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const { failures: reasons } of found) {
    for (const [code, count] of Object.entries(reasons)) counts[code] = (counts[code] ?? 0) + count;
  }
  const ranked = Object.entries(counts).sort((one, other) => other[1] - one[1]);
  const title = say('statistics.failures');
  if (!ranked.length) return section(title, say('statistics.failures.none'));
  const most = ranked[0][1];
  const rows = ranked.map(([code, count]) => /** @type {[string, number]} */ ([shortened(code), count]));
  const reading = say('statistics.failures.reading', { reason: shortened(ranked[0][0]), n: most });
  return section(title, reading, counted(say('statistics.reason'), rows));
}

/** @param {Day[]} found */
function verdicts(found) {
  /** @type {Array<[string, number]>} */
  const rows = WORDS.map((word) => [
    say(`verdict.${word}`),
    found.reduce((sum, each) => sum + (each.verdicts?.[word] ?? 0), 0),
  ]);
  const count = rows.reduce((sum, each) => sum + each[1], 0);
  if (!count) return null;
  const table = counted(say('statistics.verdict'), rows);
  const honest = h('p.quiet', null, say('statistics.verdicts.honest'));
  return section(say('statistics.verdicts'), say('statistics.verdicts.reading', { count }), table, honest);
}

/**
 * Return a table of counts with a bar for each, as long as its share of the largest.
 * @param {string} name of what is counted
 * @param {Array<[string, number]>} rows
 */
function counted(name, rows) {
  const most = Math.max(...rows.map((each) => each[1]));
  const row = (/** @type {[string, number]} */ [text, count]) =>
    h('tr', null, h('th', { scope: 'row' }, text, bar(count / most)), h('td', null, number(count)));
  const names = [name, say('statistics.count')].map((each) => h('th', { scope: 'col' }, each));
  return h('table', null, h('thead', null, h('tr', null, names)), h('tbody', null, rows.map(row)));
}

/**
 * Return what went wrong, without what to do about it.
 * @param {string} code
 */
function shortened(code) {
  return sentence({ code }).replace(/([.!?]) .*/, '$1');
}

/** @param {number} share */
function bar(share) {
  const look = { class: 'statistics-bar', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' };
  return s('svg', look, s('rect', { width: 100 * share, height: 8 }));
}
