/** After posting: how many programs find and know the face in the protected photo, row by row. */

import { h } from '../../core/dom.js';
import { known, say } from '../../core/words.js';
import { DELIVERED, PROTECTED, groups } from './report.js';

/** What people do with photos, the most usual first; other ways are folded in. */
const USUAL = ['kakaotalk', 'instagram', 'facebook', 'x', 'telegram', 'whatsapp', 'reposted', 'screenshot', 'crop'];

/**
 * @typedef {import('./report.js').Report} Report
 * @typedef {import('./report.js').Group} Group
 */

/**
 * Return the table; null where only the file as it is was looked at.
 * @param {Report} report
 * @param {number} face
 */
export function matrix(report, face) {
  const posted = report.columns.filter((each) => each !== DELIVERED);
  if (!posted.length) return null;
  const first = [DELIVERED, ...USUAL.filter((each) => posted.includes(each))];
  const rest = posted.filter((each) => !USUAL.includes(each));
  const all = groups(report);
  return [
    h('h2', { id: 'prove-posting' }, say('prove.posting')),
    h('p.quiet', null, say('prove.posting.text')),
    table(all, first, face, 'prove-posting'),
    rest.length ? h('details', null, h('summary', { id: 'prove-ways' }, say('prove.posting.more', { count: rest.length })), table(all, rest, face, 'prove-ways')) : null,
  ];
}

/**
 * Return the name of a way of posting.
 * @param {string} name
 */
function wayName(name) {
  if (name === DELIVERED) return say('prove.delivered');
  if (known(`prove.way.${name}`)) return say(`prove.way.${name}`);
  const quality = /^(jpeg|resized)(\d+)$/.exec(name);
  if (quality) return say(quality[1] === 'jpeg' ? 'prove.way.jpeg' : 'prove.way.resized', { n: quality[2] });
  return known(`posting.${name}`) ? say(`posting.${name}`) : name;
}

/**
 * @param {Group[]} all
 * @param {string[]} columns
 * @param {number} face
 * @param {string} label id of what names the table
 */
function table(all, columns, face, label) {
  const sorts = /** @type {const} */ (['find', 'know']).map((does) => all.filter((each) => each.does === does));
  const over = sorts.map((some) => some.length > 0 && h('th', { scope: 'colgroup', colSpan: some.length }, say(`prove.does.${some[0].does}`)));
  const under = all.map((each) => h('th', { scope: 'col' }, head(each)));
  const row = (/** @type {string} */ column) =>
    h('tr', null, h('th', { scope: 'row' }, wayName(column)), all.map((each) => cell(each, column, face)));
  return h(
    'div.panel.scrolls.prove-table',
    { tabindex: '0', role: 'region', 'aria-labelledby': label },
    h(
      'table',
      null,
      h('thead', null, h('tr', null, h('td', { rowSpan: 2 }, h('span.unseen', null, say('prove.way'))), over), h('tr', null, under)),
      h('tbody', null, columns.map(row)),
    ),
  );
}

/** @param {Group} group */
function head({ attacked }) {
  if (attacked === null) return say('prove.sort.all');
  return attacked ? say('prove.sort.attacked') : say('prove.sort.aside');
}

/**
 * @param {Group} group
 * @param {string} column
 * @param {number} face
 */
function cell(group, column, face) {
  const count = group.count(PROTECTED, column, face);
  if (count === null) return h('td.quiet', null, say('prove.unmeasured.short'));
  const told = say('prove.of', { count, size: group.size });
  const tone = count ? 'warn' : 'good';
  return h('td', { class: tone }, h('span', { 'aria-hidden': true }, `${count}/${group.size}`), h('span.unseen', null, told));
}
