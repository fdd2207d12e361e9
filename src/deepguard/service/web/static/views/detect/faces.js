/** The faces of a photo or the people of a clip: where they are, what is said of each, and where the classifier looks. */

import { resultAddress } from '../../core/api.js';
import { h, icon } from '../../core/dom.js';
import { chance, percent, say } from '../../core/words.js';
import { chip } from '../../parts/verdict.js';
import { clock, tile, told } from './report.js';
import { figure } from './verdict.js';

/**
 * @typedef {import('./report.js').Shown} Shown
 * @typedef {import('./report.js').Verdict} Verdict
 */

/**
 * Return the photo with its faces framed and numbered, each of which leads to what is said of it.
 * @param {Shown} shown
 */
export function photo({ job, share, report }) {
  const { width, height, duration } = report.input;
  const text = duration === null ? say('detect.picture') : say('detect.shot');
  const source = resultAddress(job, 'preview', { inline: true, share });
  const image = h('img', { src: source, alt: text, width, height, decoding: 'async' });
  const frame = h('div.detect-photo', null, image, report.faces.map((each) => framed(each, width, height)));
  frame.style.setProperty('--aspect', `${width / height}`);
  return h('figure', null, frame, duration === null ? null : h('figcaption', null, text));
}

/**
 * Return what is said of each face or person, the loudest first.
 * @param {Shown} shown
 * @param {(time: number) => void} [jump] leads to a time of the clip
 */
export function cards(shown, jump) {
  const { report } = shown;
  const verdicts = report.tracks.length ? report.tracks : report.faces;
  if (!verdicts.length) return null;
  const ranked = [...verdicts].sort((one, other) => (other.probability ?? -1) - (one.probability ?? -1));
  const title = say(report.tracks.length ? 'detect.people' : 'detect.faces');
  const rows = ranked.map((each) => h('li', null, card(shown, each, jump)));
  return h('section.detect-faces', null, h('h2', null, title), h('ol', { role: 'list' }, rows));
}

/**
 * @param {Verdict} verdict
 * @param {number} width
 * @param {number} height
 */
function framed({ number, word, face }, width, height) {
  if (!face) return null;
  const { left, top, right, bottom } = face.box;
  const label = say('detect.face.open', { number, word: say(`verdict.${word}`) });
  const link = h('a.detect-face', { href: `#detect-${number}`, 'aria-label': label, 'data-word': word });
  link.append(h('span', { 'aria-hidden': 'true' }, String(number)));
  const part = (/** @type {number} */ value, /** @type {number} */ whole) => `${(100 * value) / whole}%`;
  link.style.left = part(Math.max(0, left), width);
  link.style.top = part(Math.max(0, top), height);
  link.style.width = part(Math.min(width, right) - Math.max(0, left), width);
  link.style.height = part(Math.min(height, bottom) - Math.max(0, top), height);
  // the number stands inside where there is no room above
  link.classList.toggle('high', top < height * 0.06);
  return link;
}

/**
 * @param {Shown} shown
 * @param {Verdict} verdict
 * @param {((time: number) => void)} [jump]
 */
function card(shown, verdict, jump) {
  const { report } = shown;
  const { number, word, probability, low, high, first = 0, last = 0 } = verdict;
  const name = say(report.tracks.length ? 'detect.person' : 'detect.face', { number });
  const seen = report.tracks.length ? say('detect.span', { first: clock(first), last: clock(last) }) : '';
  return h(
    'article.panel.detect-card',
    { id: `detect-${number}`, tabindex: '-1' },
    h('div.spread', null, h('h3', null, name), chip(word)),
    seen ? h('p.quiet', null, seen) : null,
    probability === null ? null : figure({ probability, low, high, word, threshold: report.threshold }),
    verdict.reasons.map((each) => h('p.detect-reason', null, icon('warning'), told(each))),
    loudest(verdict, jump),
    heat(shown, verdict, name),
    opinions(verdict),
  );
}

/**
 * @param {Verdict} verdict
 * @param {((time: number) => void)} [jump]
 */
function loudest({ loudest: times = [], probability }, jump) {
  if (!jump || !times.length || probability === null) return null;
  const button = (/** @type {number} */ time) =>
    h('button', { type: 'button', 'aria-label': say('detect.jump', { time: clock(time) }), onclick: () => jump(time) }, clock(time));
  return h('p.row.detect-loud', null, h('span.quiet', null, say('detect.loud')), times.slice(0, 3).map(button));
}

/**
 * @param {Shown} shown
 * @param {Verdict} verdict
 * @param {string} name
 */
function heat({ job, share, report }, { number }, name) {
  const { numbers, width, height } = report.sheets.heat;
  const at = numbers.indexOf(number);
  if (at < 0 || !job.results.some((each) => each.name === 'heat')) return null;
  const source = resultAddress(job, 'heat', { inline: true, share });
  const cell = { at, of: numbers.length, width, height, text: say('detect.heat.alt', { name }) };
  return h(
    'details',
    null,
    h('summary', null, say('detect.heat')),
    h('div.detect-heat', null, tile(source, cell), h('p.quiet', null, say('detect.heat.help'))),
  );
}

/** @param {Verdict} verdict */
function opinions({ opinions: all, spread }) {
  if (!all.length) return null;
  const line = (/** @type {Verdict['opinions'][0]} */ { classifier, copies }) => {
    const { plain, ...others } = copies;
    const values = Object.values(others);
    const gaps = {
      classifier,
      plain: chance(plain ?? 0),
      low: chance(Math.min(plain ?? 1, ...values)),
      high: chance(Math.max(plain ?? 0, ...values)),
    };
    return h('p.quiet', null, say('detect.opinion', gaps));
  };
  const steady = spread === null ? null : h('p.quiet', null, say('detect.spread', { spread: percent(spread) }));
  return h('details', null, h('summary', null, say('detect.each')), h('div', null, all.map(line), steady));
}
