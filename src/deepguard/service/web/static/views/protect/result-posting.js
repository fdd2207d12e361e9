/** Which program finds which face: as delivered, and after posting. */

import { h, icon } from '../../core/dom.js';
import { program, say } from '../../core/words.js';
import { DELIVERED, judgementsOf, versionsOf } from './result-log.js';
import { placeName } from './result-sentences.js';

/**
 * @typedef {import('./result-log.js').Log} Log
 * @typedef {import('./result-log.js').Judgement} Judgement
 */

/**
 * Return one chip for each program; those that were attacked never stand together with those that judge.
 * @param {Log} log
 */
export function chips(log) {
  const held = judgementsOf(log, false);
  const title = held.length ? say('result.attacked') : say('result.programs');
  return [group(title, judgementsOf(log, true)), held.length ? group(say('result.held'), held) : null];
}

/**
 * Return the table of programs and ways of posting.
 * @param {Log} log
 */
export function posting(log) {
  const versions = versionsOf(log);
  if (versions.length < 2) return null;
  const rows = [...judgementsOf(log, true), ...judgementsOf(log, false)];
  const names = versions.map((each) => (each === DELIVERED ? say('result.table.delivered') : placeName(each)));
  const head = [say('result.table.program'), ...names].map((name) => h('th', { scope: 'col' }, name));
  const body = h('tbody', null, rows.map((each) => row(each, versions)));
  return [
    h('h2.result-posting', { id: 'posting' }, say('result.table')),
    h('p.quiet', null, say('result.table.text')),
    h(
      'div.panel.scrolls.result-table',
      { tabindex: '0', role: 'region', 'aria-labelledby': 'posting' },
      h('table', null, h('thead', null, h('tr', null, head)), body),
    ),
  ];
}

/**
 * @param {string} title
 * @param {Judgement[]} judgements
 */
function group(title, judgements) {
  const list = h('ul.chips', null, judgements.map(chip));
  return [h('h2', null, title), list];
}

/** @param {Judgement} judgement */
function chip(judgement) {
  const { tone, sign, word } = seen(judgement, DELIVERED);
  return h(`li.chip`, { class: tone }, icon(sign), h('b', null, program(judgement.detector)), h('span', null, word));
}

/**
 * @param {Judgement} judgement
 * @param {string[]} versions
 */
function row(judgement, versions) {
  const cells = versions.map((version) => {
    const { tone, sign, word } = seen(judgement, version);
    return h('td', { class: tone }, icon(sign), ' ', word);
  });
  return h('tr', null, h('th', { scope: 'row' }, program(judgement.detector)), cells);
}

/**
 * Return how one program's view of a version is shown: only faces that it found before count.
 * @param {Judgement} judgement
 * @param {string} version
 */
function seen({ before, after }, version) {
  const known = before.flatMap((found, face) => (found ? [after[version].found[face]] : []));
  const count = known.length;
  const found = known.filter(Boolean).length;
  if (!count) return { tone: '', sign: 'stop', word: say('result.chip.blind') };
  if (!found) return { tone: 'good', sign: 'hidden', word: say('result.chip.hidden') };
  const all = count > 1 ? say('result.chip.all') : say('result.chip.seen');
  const word = found < count ? say('result.chip.some', { count, seen: found }) : all;
  return { tone: 'warn', sign: 'seen', word };
}
