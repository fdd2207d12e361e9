/** A clip over time: for each person a line of probabilities, and a handle that goes through the frames. */

import { resultAddress } from '../../core/api.js';
import { fill, h, s } from '../../core/dom.js';
import { chance, number, say } from '../../core/words.js';
import { clock, tile } from './report.js';

const HEIGHT = 96;
const [TOP, BOTTOM] = [8, 88];

/**
 * @typedef {import('./report.js').Shown} Shown
 * @typedef {import('./report.js').Verdict} Verdict
 */

/**
 * Return the timeline and a way to lead to a time; null for a photo.
 * @param {Shown} shown
 */
export function timeline(shown) {
  const { report } = shown;
  if (!report.frames.length) return null;
  const times = report.frames.map((each) => each.time);
  const length = Math.max(report.input.duration ?? 0, times[times.length - 1], 0.001);
  const place = h('div.detect-moment');
  const spoken = h('p.figure', { role: 'status' });
  const lines = report.tracks.map((each) => line(each, report, length));
  const scrub = h('input', {
    type: 'range', min: '0', max: String(times.length - 1), step: '1', 'aria-label': say('detect.scrub'),
  });
  const show = (/** @type {number} */ at) => {
    const told = moment(report, at);
    fill(place, picture(shown, at));
    spoken.textContent = told;
    scrub.setAttribute('aria-valuetext', told);
    for (const each of lines) each.move(times[at] / length);
  };
  const jump = (/** @type {number} */ time) => {
    const at = nearest(times, time);
    scrub.value = String(at);
    show(at);
    scrub.scrollIntoView({ block: 'center' });
    scrub.focus({ preventScroll: true });
  };
  scrub.addEventListener('input', () => show(Number(scrub.value)));
  const first = loudest(report, times);
  scrub.value = String(first);
  show(first);
  const body = h(
    'section.detect-timeline',
    null,
    h('h2', null, say('detect.timeline')),
    h('p.quiet', null, say('detect.timeline.help')),
    h('div.panel', null, place, spoken, scrub, lines.map((each) => each.element)),
    table(report),
  );
  return { element: body, jump };
}

/**
 * @param {import('./report.js').Report} report
 * @param {number[]} times
 */
function loudest(report, times) {
  const loud = [...report.tracks].sort((one, other) => (other.probability ?? -1) - (one.probability ?? -1))[0];
  return loud?.loudest?.length ? nearest(times, loud.loudest[0]) : 0;
}

/**
 * @param {number[]} times
 * @param {number} time
 */
function nearest(times, time) {
  return times.reduce((best, each, at) => (Math.abs(each - time) < Math.abs(times[best] - time) ? at : best), 0);
}

/**
 * @param {import('./report.js').Report} report
 * @param {number} at
 */
function moment(report, at) {
  const { time } = report.frames[at];
  const there = report.tracks.flatMap(({ number: who, sightings = [] }) => {
    const sighting = sightings.find((each) => Math.abs(each.time - time) < 0.001);
    if (!sighting || sighting.probability === null) return [];
    return [say('detect.moment.person', { number: who, share: chance(sighting.probability) })];
  });
  return [clock(time), ...(there.length ? there : [say('detect.moment.none')])].join('\u00a0· ');
}

/**
 * @param {Shown} shown
 * @param {number} at
 */
function picture({ job, share, report }, at) {
  const { times, width, height } = report.sheets.frames;
  if (!times.length || !job.results.some((each) => each.name === 'frames')) return null;
  const { time } = report.frames[at];
  const text = say('detect.frame', { time: clock(time) });
  const source = resultAddress(job, 'frames', { inline: true, share });
  return tile(source, { at: nearest(times, time), of: times.length, width, height, text });
}

/**
 * Return one person's line, and a way to move its cursor.
 * @param {Verdict} verdict
 * @param {import('./report.js').Report} report
 * @param {number} length of the clip in seconds
 */
function line({ number: who, sightings = [] }, { threshold }, length) {
  const drawing = s('svg', { class: 'detect-line', height: HEIGHT, 'aria-hidden': 'true', focusable: 'false' });
  const cursor = s('line', { class: 'detect-cursor', y1: 0, y2: HEIGHT });
  const y = (/** @type {number} */ share) => BOTTOM - (BOTTOM - TOP) * share;
  const draw = () => {
    const across = Math.round(drawing.getBoundingClientRect().width);
    if (!across) return;
    drawing.setAttribute('viewBox', `0 0 ${across} ${HEIGHT}`);
    const x = (/** @type {number} */ time) => 6 + (across - 12) * (time / length);
    const judged = sightings.flatMap(({ time, probability }) =>
      probability === null ? [] : [{ x: x(time), y: y(probability) }],
    );
    const d = judged.map((each, at) => `${at ? 'L' : 'M'}${each.x.toFixed(1)} ${each.y.toFixed(1)}`).join('');
    const marks = (threshold ? [threshold.real_to, threshold.fake_from] : []).map((mark) =>
      s('line', { class: 'detect-mark', x1: 0, x2: across, y1: y(mark), y2: y(mark) }),
    );
    const dots = judged.map((each) => s('circle', { class: 'detect-point', cx: each.x, cy: each.y, r: 3 }));
    fill(drawing, s('rect', { class: 'detect-ground', width: across, height: HEIGHT, rx: 8 }), ...marks, s('path', { d }), ...dots, cursor);
  };
  let share = 0;
  const move = (/** @type {number} */ to) => {
    share = to;
    const x = String(6 + (drawing.getBoundingClientRect().width - 12) * share);
    for (const end of ['x1', 'x2']) cursor.setAttribute(end, x);
  };
  new ResizeObserver(() => (draw(), move(share))).observe(drawing);
  const element = h('figure', null, h('figcaption', null, say('detect.person', { number: who })), drawing);
  return { element, move };
}

/** @param {import('./report.js').Report} report */
function table({ frames }) {
  const names = [say('detect.table.time'), say('detect.table.faces'), say('detect.table.share')];
  const row = (/** @type {import('./report.js').Report['frames'][0]} */ { time, faces, probability }) =>
    h(
      'tr',
      null,
      h('th', { scope: 'row' }, clock(time)),
      h('td', null, number(faces)),
      h('td', null, probability === null ? '–' : chance(probability)),
    );
  const head = h('tr', null, names.map((each) => h('th', { scope: 'col' }, each)));
  const whole = h('table', null, h('thead', null, head), h('tbody', null, frames.map(row)));
  const scrolls = h('div.scrolls', { tabindex: '0', role: 'region', 'aria-label': say('detect.timeline') }, whole);
  return h('details', null, h('summary', null, say('detect.table')), scrolls);
}
