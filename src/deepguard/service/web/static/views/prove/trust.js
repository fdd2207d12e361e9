/** Whether a proof can be trusted: what it asked of itself, which models took part, and when. */

import { address } from '../../core/boot.js';
import { h, icon } from '../../core/dom.js';
import { known, list, moment, program, say } from '../../core/words.js';
import { finders } from './report.js';

/**
 * @typedef {import('./report.js').Report} Report
 */

/**
 * Return the questions that the proof asked of itself, folded in; those that went wrong are counted outside.
 * @param {Report} report
 */
export function checks({ checks: all }) {
  const wrong = all.filter((each) => each.passed === false).length;
  const title = wrong ? say('prove.checks.wrong', { count: wrong }) : say('prove.checks');
  const looks = (/** @type {boolean | null} */ passed) => {
    if (passed === null) return { tone: 'quiet', sign: 'help', word: say('prove.check.open') };
    return passed
      ? { tone: 'good', sign: 'hidden', word: say('prove.check.passed') }
      : { tone: 'warn', sign: 'warning', word: say('prove.check.failed') };
  };
  const row = (/** @type {Report['checks'][0]} */ { code, passed, text }) => {
    const { tone, sign, word } = looks(passed);
    const title = known(`prove.check.${code}`) ? h('span', null, say(`prove.check.${code}`)) : null;
    // what went wrong is told by the program, in its own language
    const details = passed && title ? null : h('span.quiet', { lang: 'en' }, text);
    return h('li', null, h('span', { class: tone }, icon(sign), h('span.unseen', null, word)), h('span', null, title, details));
  };
  return h('details.prove-checks', null, h('summary', null, title), h('ul', null, all.map(row)));
}

/**
 * Return what was tested, with which versions and when, and that it promises nothing.
 * @param {Report} report
 */
export function honest(report) {
  const when = say('result.tested', { when: moment(report.created) });
  return h(
    'div.honest',
    null,
    h('p', null, say('prove.honest')),
    h('p.quiet', null, `${when} ${say('result.version', { version: report.version, device: report.device })}`),
    h('a', { href: `${address('/help')}#limits` }, say('result.limits')),
  );
}

/**
 * Return the models that took part, and those that would have.
 * @param {Report} report
 */
export function models(report) {
  const found = finders(report).map((each) => program(each.detector));
  /** @type {Array<[string, string[]]>} */
  const rows = [
    [say('prove.models.find'), found],
    [say('prove.models.know'), report.likenesses.map((each) => each.encoder)],
    [say('prove.models.swap'), report.swaps.map((each) => each.swapper)],
    [say('prove.models.uncounted'), report.likenesses.filter((each) => each.threshold === null).map((each) => each.encoder)],
    [say('prove.models.missing'), report.missing.map(program)],
  ];
  const row = (/** @type {[string, string[]]} */ [title, names]) =>
    names.length ? h('div', null, h('dt', null, title), h('dd', null, list(names))) : null;
  return h('details.prove-models', null, h('summary', null, say('prove.models')), h('dl', null, rows.map(row)));
}

/**
 * Return what else a user should know.
 * @param {Report} report
 */
export function notes(report) {
  return report.notes.map(({ code, text, count }) => {
    const said = known(`note.${code}`) ? h('span', null, say(`note.${code}`, { count })) : h('span', { lang: 'en' }, text);
    return h('p.prove-note', null, icon('warning'), said);
  });
}
