/** The original, the protected photo and the control side by side: how many programs find and know the face. */

import { h } from '../../core/dom.js';
import { number, percent, say } from '../../core/words.js';
import { DELIVERED, NOISE, ORIGINAL, PROTECTED, finders, fooled, groups, knowers, retried, total } from './report.js';

const ARMS = [ORIGINAL, PROTECTED, NOISE];
/** What the dots are drawn for; the control has one line of its own. */
const SIDES = [ORIGINAL, PROTECTED];

/**
 * @typedef {import('./report.js').Report} Report
 * @typedef {import('./report.js').Group} Group
 */

/**
 * Return what came of it in sentences, the most important first.
 * @param {Report} report
 * @param {number} face
 * @returns {string[]}
 */
export function sentences(report, face) {
  const all = groups(report);
  const after = total(all, 'find', PROTECTED, face);
  const again = retried(report, PROTECTED, face);
  return [
    ...all.filter((each) => each.does === 'find').map((each, at) => finding(each, at, face)),
    again > after ? say('prove.retried', { count: again }) : '',
    ...all.filter((each) => each.does === 'know').map((each) => knowing(each, face)),
    ...report.swaps.map((swap) => swapping(report, swap, face)),
    control(report, all, face),
  ].filter(Boolean);
}

/**
 * Return the tables of all groups of programs, with a dot for each program.
 * @param {Report} report
 * @param {number} face
 */
export function arms(report, face) {
  return h('div.panel.prove-arms', null, groups(report).map((each) => table(each, face)));
}

/**
 * Return a row for each face, with what its programs do in each arm.
 * @param {Report} report
 */
export function everyFace(report) {
  const all = groups(report);
  const finding = finders(report).length;
  const knowing = knowers(report).length;
  const heads = [say('prove.face.column'), ...ARMS.map((arm) => say(`prove.arm.${arm}.short`))];
  if (knowing) heads.push(say('prove.face.known'));
  const cell = (/** @type {number} */ count, /** @type {number} */ size) =>
    h('td', null, h('span', { 'aria-hidden': true }, `${count}/${size}`), h('span.unseen', null, say('prove.of', { count, size })));
  const row = (/** @type {unknown} */ _, /** @type {number} */ face) =>
    h(
      'tr',
      null,
      h('th', { scope: 'row' }, say('prove.face', { number: face + 1 })),
      ARMS.map((arm) => cell(total(all, 'find', arm, face), finding)),
      knowing ? cell(total(all, 'know', PROTECTED, face), knowing) : null,
    );
  return h(
    'div.panel.prove-faces',
    null,
    h(
      'table',
      null,
      h('caption', null, say('prove.faces')),
      h('thead', null, h('tr', null, heads.map((text) => h('th', { scope: 'col' }, text)))),
      h('tbody', null, report.faces.map(row)),
    ),
  );
}

/**
 * Return what people call a group of programs.
 * @param {Group} group
 */
export function named({ does, attacked, size }) {
  const sort = attacked === null ? '' : attacked ? '.attacked' : '.aside';
  return say(`prove.group.${does}${sort}`, { count: size });
}

/**
 * @param {Group} group
 * @param {number} face
 */
function table(group, face) {
  const row = (/** @type {string} */ arm) => {
    const count = group.count(arm, DELIVERED, face);
    if (count === null) return null;
    const dots = Array.from({ length: group.size }, (_, at) => h(at < count ? 'i.on' : 'i', null));
    return h(
      'tr',
      { class: arm },
      h('th', { scope: 'row' }, say(`prove.arm.${arm}`)),
      h('td', null, h('span.prove-dots', { 'aria-hidden': true }, dots), h('span', null, say('prove.of', { count, size: group.size }))),
    );
  };
  return h('table', null, h('caption', null, named(group)), h('tbody', null, SIDES.map(row)));
}

/**
 * @param {Group} group
 * @param {number} place the first one says what it is all about
 * @param {number} face
 */
function finding(group, place, face) {
  const [before, after] = SIDES.map((arm) => group.count(arm, DELIVERED, face) ?? 0);
  const gaps = { count: group.size, before, after };
  if (place) return say('prove.said.aside', gaps);
  return after ? say('prove.said', gaps) : say('prove.said.none', gaps);
}

/**
 * @param {Group} group
 * @param {number} face
 */
function knowing(group, face) {
  const [before, after] = SIDES.map((arm) => group.count(arm, DELIVERED, face) ?? 0);
  const gaps = { count: group.size, before, after };
  if (group.attacked === null) return say('prove.known', gaps);
  return group.attacked ? say('prove.known.attacked', gaps) : say('prove.known.aside', gaps);
}

/**
 * @param {Report} report
 * @param {import('./report.js').Swap} swap
 * @param {number} face
 */
function swapping(report, swap, face) {
  const [before, after] = SIDES.map((arm) => fooled(report, swap, arm, face));
  const blind = swap.failed_extraction[PROTECTED]?.[DELIVERED]?.[face] ? ` ${say('prove.swap.unseen')}` : '';
  if (!before || !after) return blind.trim();
  const gaps = { name: swapper(swap.swapper), count: before.of, before: before.count, after: after.count };
  // a swap of the original that nobody takes for the victim proves nothing
  return (before.count ? say('prove.swap', gaps) : say('prove.swap.weak', gaps)) + blind;
}

/**
 * Return what people call a program that swaps faces.
 * @param {string} name
 */
export function swapper(name) {
  const all = { warp: say('prove.swapper.warp'), autoencoder: say('prove.swapper.autoencoder') };
  return name in all ? all[/** @type {keyof typeof all} */ (name)] : name;
}

/**
 * Return in one line what random noise of the same size does.
 * @param {Report} report
 * @param {Group[]} all
 * @param {number} face
 */
function control(report, all, face) {
  const count = finders(report).length;
  const [before, after] = [total(all, 'find', ORIGINAL, face), total(all, 'find', NOISE, face)];
  const known = knowers(report).length;
  const told = known ? total(all, 'know', NOISE, face) : 0;
  const same = after >= before && told >= total(all, 'know', ORIGINAL, face);
  const gaps = { count, found: after, of: known, known: told };
  const text = known ? say('prove.noise.both', gaps) : say('prove.noise', gaps);
  if (!same) return `${text} ${say('prove.noise.less')}`;
  const spared = /** @type {const} */ (['find', 'know']).some((does) => total(all, does, PROTECTED, face) < total(all, does, ORIGINAL, face));
  return spared ? `${text} ${say('prove.noise.same')}` : text;
}

/**
 * Return the figures for those who want them: of each program, and how close the two photos are.
 * @param {Report} report
 * @param {number} face
 */
export function figures(report, face) {
  const cosine = (/** @type {number | null | undefined} */ value) => (typeof value === 'number' ? number(value, 2) : say('prove.unmeasured.short'));
  const row = (/** @type {import('./report.js').Recognition} */ each) =>
    h(
      'tr',
      null,
      h('th', { scope: 'row' }, each.encoder),
      ARMS.map((arm) => h('td', null, cosine(each.cosines[arm]?.[DELIVERED]?.[face]))),
      h('td', null, cosine(each.threshold)),
    );
  const heads = [say('prove.table.program'), ...ARMS.map((arm) => say(`prove.arm.${arm}.short`)), say('prove.table.limit')];
  const columns = heads.map((text) => h('th', { scope: 'col' }, text));
  const quality = report.face_quality[face] ?? report.picture_quality;
  return [
    h('p.quiet', null, say('prove.cosines')),
    h(
      'div.scrolls.prove-figures',
      { tabindex: '0', role: 'region', 'aria-label': say('prove.figures') },
      h('table', null, h('thead', null, h('tr', null, columns)), h('tbody', null, report.likenesses.map(row))),
    ),
    h('p.quiet', null, say('prove.quality', { ssim: number(quality.ssim, 3), lpips: lpips(quality) })),
    report.swaps.flatMap((swap) => lost(swap, face)),
  ];
}

/** @param {import('./report.js').Quality} quality */
function lpips({ lpips: value }) {
  return value === null ? say('prove.unmeasured.short') : number(value, 3);
}

/**
 * Return what each judge says of a swap from the protected photo.
 * @param {import('./report.js').Swap & {cidr?: any}} swap
 * @param {number} face
 */
function lost({ swapper: name, cidr }, face) {
  const judges = Object.entries(cidr?.[PROTECTED]?.[DELIVERED] ?? {});
  return judges.flatMap(([judge, values]) => {
    const share = values[face];
    if (typeof share !== 'number') return [];
    return [h('p.quiet', null, say('prove.cidr', { name: swapper(name), judge, share: percent(share) }))];
  });
}
