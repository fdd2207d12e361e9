/** Whom the programs that know faces take the people in a protected photo for. */

import { say } from '../../core/words.js';
import { likenessesOf, recognition, versionsOf } from './result-log.js';
import { grouped } from './result-places.js';

/** Code of the note that eyes and mouths could not be placed: then nothing is known of these faces. */
export const UNPLACED = 'no_landmarks';

/**
 * @typedef {import('./result-log.js').Log} Log
 * @typedef {import('./result-log.js').Recognition} Recognition
 */

/**
 * Return how many encoders know any of the faces as delivered, of those that were attacked or of the others.
 * @param {Record<string, any>} summary
 * @param {Log | null} log
 * @param {boolean} attacked
 * @returns {Recognition}
 */
export function knowing(summary, log, attacked) {
  if (log) return recognition(likenessesOf(log, attacked));
  const [count = 0, known = 0] = attacked
    ? [summary.encoders, summary.known_after]
    : [summary.held_encoders, summary.held_known_after];
  const unplaced = (summary.notes ?? []).some((/** @type {{code: string}} */ { code }) => code === UNPLACED);
  // which of them could tell, the summary does not say
  return { count, known, unknown: unplaced ? count - known : 0 };
}

/**
 * Return in sentences whom they take the faces for, those that were attacked first.
 * @param {Record<string, any>} summary
 * @param {Log | null} log
 * @returns {string[]}
 */
export function recognised(summary, log) {
  const attacked = knowing(summary, log, true);
  const said = ofAttacked(attacked, summary.faces ?? 1);
  if (log && attacked.known + attacked.unknown < attacked.count) said.push(...posted(log, attacked.known));
  if (attacked.unknown) said.push(say('result.knows.unknown', { count: attacked.unknown }));
  return [...said, ...ofHeld(knowing(summary, log, false))];
}

/**
 * @param {Recognition} counted
 * @param {number} faces
 */
function ofAttacked({ count: all, known, unknown }, faces) {
  const gaps = { count: all - unknown, known, faces };
  if (!gaps.count) return [];
  // one that knows any of several faces knows: that is said with their number
  if (faces > 1) return [known ? say('result.knows.many', gaps) : say('result.knows.many.none', gaps)];
  if (!known) return [say('result.knows.none', gaps)];
  return [known < gaps.count ? say('result.knows.some', gaps) : say('result.knows.all', gaps)];
}

/** @param {Recognition} counted */
function ofHeld({ count: all, known, unknown }) {
  const gaps = { count: all - unknown, known };
  if (!gaps.count) return [];
  return [known ? say('result.knows.held', gaps) : say('result.knows.held.none', gaps)];
}

/**
 * Return what becomes of it after posting.
 * @param {Log} log
 * @param {number} delivered how many of those that were attacked know a face as delivered
 */
function posted(log, delivered) {
  const attacked = likenessesOf(log, true);
  const there = (/** @type {string} */ place) => Math.max(delivered, recognition(attacked, place).known);
  return grouped(versionsOf(log).slice(1), there).map(([known, places]) =>
    known > delivered ? say('result.knows.returns', { places, known }) : say('result.knows.posted', { places }),
  );
}
