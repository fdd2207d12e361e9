/** Figures by day, drawn as columns or lines as wide as there is room, so that the words in them keep their size. */

import { fill, h, s } from '../core/dom.js';
import { day, number, say } from '../core/words.js';

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {'first' | 'second' | 'third'} look
 * @property {Array<number | null>} values one for each day; null where there is none
 *
 * @typedef {object} Figures
 * @property {string} title
 * @property {string[]} days ISO 8601, the oldest first
 * @property {Series[]} series
 * @property {boolean} [stacked] columns on top of each other instead of lines
 */

const HEIGHT = 200;
const LEFT = 40;
const TOP = 10;
const BOTTOM = 172;
const LABEL = 96;
const TICKS = 4;

/**
 * Return the drawing, what its looks mean, and the same as a table.
 * @param {Figures} figures
 */
export function plot(figures) {
  const drawing = s('svg', { class: 'plot-drawing', height: HEIGHT, 'aria-hidden': 'true', focusable: 'false' });
  const draw = () => {
    const width = Math.round(drawing.getBoundingClientRect().width);
    if (!width) return;
    drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    fill(drawing, patterns(), ...parts(figures, width));
  };
  new ResizeObserver(draw).observe(drawing);
  const key = (/** @type {Series} */ each) =>
    h('li', null, s('svg', { class: 'plot-key', viewBox: '0 0 24 12' }, sample(each, figures)), each.name);
  const keys = h('ul.plot-keys', { 'aria-hidden': 'true' }, figures.series.map(key));
  return h('div.plot', null, drawing, keys, table(figures));
}

/**
 * @param {Series} series
 * @param {Figures} figures
 */
function sample({ look }, { stacked }) {
  if (stacked) return s('rect', { class: `plot-${look}`, width: 24, height: 12, rx: 2 });
  const dot = s('circle', { class: `plot-dot ${look}`, cx: 12, cy: 6, r: 3.5 });
  return [s('path', { class: `plot-line ${look}`, d: 'M0 6H24' }), dot];
}

/** Hatching and dots: the looks differ without their colours. They are found by name, so one of them will do. */
function patterns() {
  const size = { width: 6, height: 6, patternUnits: 'userSpaceOnUse' };
  const ground = () => s('rect', { class: 'plot-ground', width: 6, height: 6 });
  const hatched = s('path', { class: 'plot-hatching', d: 'M0 1.5H6M0 4.5H6' });
  const dots = s('circle', { class: 'plot-dots', cx: 3, cy: 3, r: 1.6 });
  return s(
    'defs',
    {},
    s('pattern', { id: 'plot-second', patternTransform: 'rotate(45)', ...size }, ground(), hatched),
    s('pattern', { id: 'plot-third', ...size }, ground(), dots),
  );
}

/**
 * @param {Figures} figures
 * @param {number} width
 */
function parts(figures, width) {
  const { days, series, stacked } = figures;
  const tops = days.map((_, at) => {
    const values = series.map((each) => each.values[at] ?? 0);
    return stacked ? values.reduce((sum, each) => sum + each, 0) : Math.max(...values);
  });
  // what is stacked is counted, and nothing is counted in halves
  const ticks = ticksTo(Math.max(...tops), stacked ? 1 : 0.5);
  const most = ticks[ticks.length - 1];
  const step = (width - LEFT) / days.length;
  const x = (/** @type {number} */ at) => LEFT + step * (at + 0.5);
  const y = (/** @type {number} */ value) => BOTTOM - ((BOTTOM - TOP) * value) / most;
  const drawn = stacked ? columns(figures, { x, y, step }) : series.map((each) => line(each, { x, y, step }));
  const rules = ticks.map((tick) => rule(tick, y(tick), width));
  return [...rules, ...drawn, ...dates(days, x, width), hints(figures, { x, step })];
}

/**
 * Return about four round numbers from 0 to at least the largest value.
 * @param {number} largest
 * @param {number} least the smallest step between two of them
 */
function ticksTo(largest, least) {
  const rough = Math.max(1, largest) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(largest > 2 ? 1 : least, power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10));
  return Array.from({ length: Math.ceil(Math.max(1, largest) / step) + 1 }, (_, at) => at * step);
}

/**
 * @param {number} tick
 * @param {number} y
 * @param {number} width
 */
function rule(tick, y, width) {
  const text = s('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, number(tick));
  return s('g', {}, s('path', { class: tick ? 'plot-rule' : 'plot-base', d: `M${LEFT} ${y}H${width}` }), text);
}

/**
 * @param {Figures} figures
 * @param {{x: (at: number) => number, y: (value: number) => number, step: number}} scale
 */
function columns({ days, series }, { x, y, step }) {
  const width = Math.min(32, Math.max(2, step * 0.7));
  return days.map((_, at) => {
    let sum = 0;
    const column = s('g', {});
    for (const { look, values } of series) {
      const value = values[at] ?? 0;
      const top = y(sum + value);
      const place = { x: x(at) - width / 2, y: top, width, height: y(sum) - top };
      if (value) column.append(s('rect', { class: `plot-${look}`, ...place }));
      sum += value;
    }
    return column;
  });
}

/**
 * @param {Series} series
 * @param {{x: (at: number) => number, y: (value: number) => number, step: number}} scale
 */
function line({ look, values }, { x, y, step }) {
  const places = values.flatMap((value, at) => (value === null ? [] : [{ x: x(at), y: y(value) }]));
  const d = places.map((each, at) => `${at ? 'L' : 'M'}${each.x.toFixed(1)} ${each.y.toFixed(1)}`).join('');
  // close together they would hide the line; a day alone has no line
  const dotted = step > 7 || places.length < 2 ? places : [];
  const dots = dotted.map((each) => s('circle', { class: `plot-dot ${look}`, cx: each.x, cy: each.y, r: 3.5 }));
  return s('g', {}, s('path', { class: `plot-line ${look}`, d }), dots);
}

/**
 * @param {string[]} days
 * @param {(at: number) => number} x
 * @param {number} width
 */
function dates(days, x, width) {
  const every = Math.ceil(days.length / Math.max(1, Math.floor((width - LEFT) / LABEL)));
  const last = days.length - 1;
  return days.flatMap((each, at) => {
    if ((last - at) % every) return [];
    // the first and last one would reach out
    const end = x(at) > width - LABEL / 2;
    const start = x(at) < LEFT + LABEL / 4;
    const anchor = end ? 'end' : start ? 'start' : 'middle';
    return [s('text', { x: end ? width : start ? LEFT : x(at), y: HEIGHT - 6, 'text-anchor': anchor }, day(each))];
  });
}

/**
 * Return what the pointer is told of each day.
 * @param {Figures} figures
 * @param {{x: (at: number) => number, step: number}} scale
 */
function hints({ days, series }, { x, step }) {
  const hint = (/** @type {string} */ each, /** @type {number} */ at) => {
    const known = series.filter(({ values }) => values[at] !== null);
    if (!known.length) return null;
    const told = known.map(({ name, values }) => `${name} ${cell(values[at])}`);
    const text = `${day(each)}: ${told.join(' · ')}`;
    const place = { class: 'plot-hint', x: x(at) - step / 2, y: TOP, width: step, height: BOTTOM - TOP };
    return s('rect', place, s('title', {}, text));
  };
  return s('g', {}, days.map(hint));
}

/** @param {Figures} figures */
function table({ title, days, series }) {
  const row = (/** @type {number} */ at) => {
    const cells = series.map(({ values }) => h('td', null, cell(values[at])));
    return h('tr', null, h('th', { scope: 'row' }, day(days[at])), cells);
  };
  const known = days.map((_, at) => at).filter((at) => series.some(({ values }) => values[at] !== null));
  const names = series.map((each) => h('th', { scope: 'col' }, each.name));
  const head = h('thead', null, h('tr', null, h('th', { scope: 'col' }, say('statistics.day')), names));
  const body = h('tbody', null, known.reverse().map(row));
  const whole = h('table', null, head, body);
  const scrolls = h('div.scrolls', { tabindex: '0', role: 'region', 'aria-label': title }, whole);
  return h('details', null, h('summary', null, say('statistics.table')), scrolls);
}

/** @param {number | null} value */
function cell(value) {
  return value === null ? '–' : number(value, 1);
}
