/** Which program finds or knows which face: as delivered, and after posting. */

import { h, icon } from '../../core/dom.js';
import { program, say } from '../../core/words.js';
import { DELIVERED, judgementsOf, likenessesOf, matched, versionsOf } from './result-log.js';
import { placeName } from './result-places.js';

/**
 * @typedef {import('./result-log.js').Log} Log
 * @typedef {import('./result-log.js').Judgement} Judgement
 * @typedef {import('./result-log.js').Likeness} Likeness
 *
 * @typedef {{tone: string, sign: string, word: string}} Look how a program's view of a version is shown
 * @typedef {{name: string, look: (version: string) => Look}} Row
 *
 * @typedef {object} Kind the programs that do one thing; those that were attacked never stand together with the others
 * @property {string} title
 * @property {Row[]} attacked
 * @property {Row[]} held
 */

/**
 * Return one chip for each program.
 * @param {Log} log
 */
export function chips(log) {
  const kinds = kindsOf(log);
  if (kinds.length === 1) {
    const [{ attacked, held }] = kinds;
    return [group('h2', held.length ? say('result.attacked') : say('result.programs'), attacked), group('h2', say('result.held'), held)];
  }
  return kinds.map(({ title, attacked, held }) => [
    h('h2', null, title),
    group('h3', say('result.attacked'), attacked),
    group('h3', say('result.held'), held),
  ]);
}

/**
 * Return the table of programs and ways of posting.
 * @param {Log} log
 */
export function posting(log) {
  const versions = versionsOf(log);
  if (versions.length < 2) return null;
  const kinds = kindsOf(log);
  const names = versions.map((each) => (each === DELIVERED ? say('result.table.delivered') : placeName(each)));
  const head = [say('result.table.program'), ...names].map((name) => h('th', { scope: 'col' }, name));
  const bodies = kinds.map(({ title, attacked, held }) => {
    // what follows is told apart only where there are two kinds
    const over = kinds.length > 1 ? h('tr', null, h('th', { scope: 'rowgroup', colSpan: versions.length + 1 }, h('span', null, title))) : null;
    return h('tbody', null, over, [...attacked, ...held].map((each) => row(each, versions)));
  });
  return [
    h('h2.result-posting', { id: 'posting' }, say('result.table')),
    h('p.quiet', null, kinds.length > 1 ? say('result.table.text.both') : say('result.table.text')),
    h(
      'div.panel.scrolls.result-table',
      { tabindex: '0', role: 'region', 'aria-labelledby': 'posting' },
      h('table', null, h('thead', null, h('tr', null, head)), bodies),
    ),
  ];
}

/**
 * Return the programs by what they do: detectors, and encoders where there are any; first the kind that was attacked.
 * @param {Log} log
 * @returns {Kind[]}
 */
function kindsOf(log) {
  const [attackedFinding, heldFinding] = [true, false].map((attacked) =>
    judgementsOf(log, attacked).map((each) => ({ name: each.detector, look: (/** @type {string} */ version) => found(each, version) })),
  );
  const [attackedKnowing, heldKnowing] = [true, false].map((attacked) =>
    likenessesOf(log, attacked).map((each) => ({ name: each.encoder, look: (/** @type {string} */ version) => knows(each, version) })),
  );
  const finding = { title: say('result.find'), attacked: attackedFinding, held: heldFinding };
  const knowing = { title: say('result.know'), attacked: attackedKnowing, held: heldKnowing };
  if (attackedKnowing.length) return [knowing, finding];
  return heldKnowing.length ? [finding, knowing] : [finding];
}

/**
 * Return programs below what they have in common; null where there are none.
 * @param {'h2' | 'h3'} level
 * @param {string} title
 * @param {Row[]} rows
 */
function group(level, title, rows) {
  return rows.length ? [h(level, null, title), h('ul.chips', null, rows.map(chip))] : null;
}

/** @param {Row} row */
function chip({ name, look }) {
  const { tone, sign, word } = look(DELIVERED);
  return h(`li.chip`, { class: tone }, icon(sign), h('b', null, program(name)), h('span', null, word));
}

/**
 * @param {Row} row
 * @param {string[]} versions
 */
function row({ name, look }, versions) {
  const cells = versions.map((version) => {
    const { tone, sign, word } = look(version);
    return h('td', { class: tone }, icon(sign), ' ', word);
  });
  return h('tr', null, h('th', { scope: 'row' }, program(name)), cells);
}

/**
 * Return how a detector's view of a version is shown: only faces that it found before count.
 * @param {Judgement} judgement
 * @param {string} version
 * @returns {Look}
 */
function found({ before, after }, version) {
  const seen = before.flatMap((known, face) => (known ? [after[version].found[face]] : []));
  const count = seen.length;
  const still = seen.filter(Boolean).length;
  if (!count) return { tone: '', sign: 'stop', word: say('result.chip.blind') };
  if (!still) return { tone: 'good', sign: 'hidden', word: say('result.chip.hidden') };
  const all = count > 1 ? say('result.chip.all') : say('result.chip.seen');
  const word = still < count ? say('result.chip.some', { count, seen: still }) : all;
  return { tone: 'warn', sign: 'seen', word };
}

/**
 * Return how an encoder's view of a version is shown: what is not known of any face is no success.
 * @param {Likeness} likeness
 * @param {string} version
 * @returns {Look}
 */
function knows(likeness, version) {
  const answers = matched(likeness, version);
  const count = answers.length;
  const still = answers.filter(Boolean).length;
  if (!still && answers.includes(null)) return { tone: '', sign: 'help', word: say('result.chip.unknown') };
  if (!still) return { tone: 'good', sign: 'hidden', word: say('result.chip.stranger') };
  const all = count > 1 ? say('result.chip.known.all') : say('result.chip.known');
  const word = still < count ? say('result.chip.known.some', { count, seen: still }) : all;
  return { tone: 'warn', sign: 'seen', word };
}
