/** What was reached, in plain words; only what was measured. */

import { h, icon } from '../../core/dom.js';
import { known, list, program, say } from '../../core/words.js';
import { UNPLACED, knowing, recognised } from './result-known.js';
import { judgementsOf, tally, versionsOf } from './result-log.js';
import { grouped } from './result-places.js';

/** Codes of notes: not seen before; may be seen. */
const [UNSEEN, VISIBLE] = ['unseen_before', 'visible'];
/** Those of what was attacked and did not give in: some programs still find or know a face. */
const FAILED = ['not_clean', 'recognised'];

/**
 * Return the sentences, the most important first.
 * @param {import('../../core/types.js').Job} job
 * @param {import('./result-log.js').Log | null} log
 * @returns {string[]}
 */
export function sentences(job, log) {
  const { summary } = job;
  const missing = summary.missing?.length ? [say('result.missing', { names: list(summary.missing.map(program)) })] : [];
  if (typeof summary.found_before !== 'number') return missing;
  const of = (summary.faces ?? 1) === 1 ? ofOne : ofMany;
  const found = hidesFromDetectors(summary, log) ? of(summary, log) : [];
  const who = recognised(summary, log);
  const first = knowing(summary, log, true).count ? [...who, ...found] : [...found, ...who];
  return [...first, ...missing];
}

/**
 * Return that detectors still find the face where they were not attacked, and what would hide from them; null where
 * they were, or where none finds it.
 * @param {import('../../core/types.js').Job} job
 * @param {import('./result-log.js').Log | null} log
 */
export function left({ summary }, log) {
  if (typeof summary.found_before !== 'number' || hidesFromDetectors(summary, log)) return null;
  const found = log ? tally(judgementsOf(log, false)).found : summary.judges?.found_after;
  if (!found) return null;
  const sorts = [knowing(summary, log, true), knowing(summary, log, false)];
  // whose it is taken for is said only where everybody was fooled
  const fooled = sorts[0].count > 0 && sorts.every(({ known: still, unknown }) => !still && !unknown);
  const text = fooled ? say('result.left.stranger') : say('result.left');
  return h('p.quiet', null, `${text} ${say('result.left.strong')}`);
}

/**
 * Return what a user should know beside that: of faces that were treated otherwise, and of the file.
 * @param {import('../../core/types.js').Job} job
 * @param {import('./result-log.js').Log | null} log
 */
export function notes(job, log) {
  const all = notesOf(job).filter((each) => !FAILED.includes(each.code));
  // what is counted are faces or programs: that comes first
  const first = (/** @type {Note} */ { code, count }) => count > 0 || code === VISIBLE;
  const ours = all.filter(first).map(told);
  if (log && Object.values(log.filters ?? {}).some(Boolean)) ours.push(h('span', null, say('result.filtered')));
  const others = all.filter((each) => !first(each)).map((each) => h('p.quiet', null, told(each)));
  return [
    ours.map((text) => h('p.result-note', null, icon('warning'), text)),
    others.length ? h('details', null, h('summary', null, say('result.also')), h('div', null, others)) : null,
  ];
}

/**
 * Return who still knows or finds a face though it was attacked; empty where nobody does.
 * @param {import('../../core/types.js').Job} job
 */
export function failed(job) {
  const all = notesOf(job).filter((each) => FAILED.includes(each.code));
  return all.map((note) => h('p.notice.warn', null, icon('warning'), told(note)));
}

/**
 * @typedef {{code: string, text: string, count: number}} Note
 * @param {import('../../core/types.js').Job} job
 * @returns {Note[]}
 */
function notesOf(job) {
  return job.summary.notes ?? [];
}

/** @param {Note} note */
function told({ code, text, count }) {
  // a proof's note of that code counts the faces
  if (code === UNPLACED) return h('span', null, say('result.unplaced'));
  return known(`note.${code}`) ? h('span', null, say(`note.${code}`, { count })) : h('span', { lang: 'en' }, text);
}

/**
 * Return whether detectors were attacked; a log without any was of encoders alone.
 * @param {Record<string, any>} summary
 * @param {import('./result-log.js').Log | null} log
 */
function hidesFromDetectors(summary, log) {
  return (log ? judgementsOf(log, true).length : summary.detectors) > 0;
}

/**
 * @param {Record<string, any>} summary
 * @param {import('./result-log.js').Log | null} log
 */
function ofOne(summary, log) {
  const attacked = log ? judgementsOf(log, true) : null;
  const { before, found, retry } = attacked ? tally(attacked) : rough(summary);
  if (!before) return [say('result.hidden.before')];
  const hidden = before - found;
  const said = [hidden ? say('result.said', { count: before, hidden }) : say('result.said.none', { count: before })];
  if (hidden) {
    const places = attacked && log ? versionsOf(log).slice(1) : Object.keys(summary.found_posted ?? {});
    said.push(...posted(places, (place) => {
      const there = attacked ? tally(attacked, place).found : summary.found_posted[place];
      return Math.max(0, before - there);
    }));
  }
  const blind = summary.detectors - before;
  const noted = (summary.notes ?? []).some((/** @type {Note} */ each) => each.code === UNSEEN);
  if (blind > 0 && !noted) said.push(say('result.said.blind', { count: blind }));
  if (retry > found) said.push(say('result.retry', { count: retry }));
  return [...said, ...held(summary)];
}

/**
 * @param {Record<string, any>} summary
 * @param {import('./result-log.js').Log | null} log
 */
function ofMany(summary, log) {
  const { found_before: before, found_after: after, faces, detectors } = summary;
  if (!before) return [say('result.hidden.before')];
  const said = [say('result.hidden.many', { faces, detectors, before, after })];
  if (after < before) {
    const places = Object.keys(summary.found_posted ?? {});
    for (const [count, names] of grouped(places, (place) => summary.found_posted[place])) {
      said.push(say('result.said.times', { places: names, count }));
    }
  }
  const retry = log ? tally(judgementsOf(log, true)).retry : 0;
  if (retry > after) said.push(say('result.retry.times', { count: retry }));
  const { judges } = summary;
  if (!judges) return said;
  const { detectors: others, found_before: had, found_after: has } = judges;
  return [...said, say('result.judges', { detectors: others, before: had, after: has })];
}

/**
 * Return one sentence for all places where as many programs fail.
 * @param {string[]} places
 * @param {(place: string) => number} hiddenAt
 */
function posted(places, hiddenAt) {
  return grouped(places, hiddenAt).map(([hidden, names]) => {
    const gaps = { places: names, hidden };
    return hidden ? say('result.said.posted', gaps) : say('result.said.returns', gaps);
  });
}

/** @param {Record<string, any>} summary */
function held({ judges }) {
  if (!judges?.found_before) return [];
  const hidden = Math.max(0, judges.found_before - judges.found_after);
  const count = judges.found_before;
  return [hidden ? say('result.said.judges', { count, hidden }) : say('result.said.judges.none', { count })];
}

/** @param {Record<string, any>} summary */
function rough({ found_before: before, found_after: after }) {
  return { before, found: Math.min(before, after), retry: 0 };
}
