/** The log of a protected photo: which program found and knew which face, before and after. */

import { get } from '../../core/api.js';

const PATIENCE = 6000;
export const DELIVERED = 'delivered';

/**
 * @typedef {object} Judgement what one program saw; one truth value for each chosen face
 * @property {string} detector
 * @property {boolean[]} before
 * @property {Record<string, {found: boolean[], retry: boolean[] | null}>} after
 *
 * @typedef {object} Likeness what one encoder makes of each chosen face
 * @property {string} encoder
 * @property {number | null} threshold above it, two faces are one person's to it; null: nobody measured from where on
 * @property {Record<string, Array<number | null>>} after how alike each face is to itself before; null: not measured
 *
 * @typedef {object} Log
 * @property {string} version
 * @property {string} device
 * @property {Record<string, number | boolean>} options
 * @property {Record<string, number | boolean>} [filters]
 * @property {{ssim: number, lpips: number | null}} picture_quality
 * @property {Array<{box: {left: number, top: number, right: number, bottom: number}}>} faces
 * @property {number[]} chosen
 * @property {Judgement[]} judgements
 * @property {Likeness[]} [likenesses]
 * @property {Array<{name: string, attacked: boolean}>} models
 * @property {string[]} notes
 *
 * @typedef {object} Tally how often faces were found
 * @property {number} before
 * @property {number} found of these
 * @property {number} retry of these, by who keeps trying
 *
 * @typedef {object} Recognition how many encoders know a face
 * @property {number} count of all
 * @property {number} known that take any of the faces for the same person: the worst face counts
 * @property {number} unknown of which that is not known
 */

/**
 * Return a job's log; null where it does not come.
 * @param {import('../../core/types.js').Job} job
 * @param {string} share
 * @param {AbortSignal} signal
 * @returns {Promise<Log | null>}
 */
export async function readLog(job, share, signal) {
  const query = new URLSearchParams({ inline: 'true', ...(share ? { share } : {}) });
  try {
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, null));
    return await Promise.race([get(`/jobs/${job.id}/results/log?${query}`, { signal }), late]);
  } catch {
    return null;
  }
}

/**
 * Return the judgements of the programs that were used while protecting, or of the others.
 * @param {Log} log
 * @param {boolean} attacked
 */
export function judgementsOf(log, attacked) {
  const names = namesOf(log, attacked);
  return log.judgements.filter((each) => names.has(each.detector));
}

/**
 * Return what the encoders that were attacked while protecting make of the faces, or the others; logs of earlier
 * versions have none.
 * @param {Log} log
 * @param {boolean} attacked
 */
export function likenessesOf(log, attacked) {
  const names = namesOf(log, attacked);
  return (log.likenesses ?? []).filter((each) => names.has(each.encoder));
}

/**
 * Return for each face whether an encoder takes it for the same person in a version; null where that is not known.
 * @param {Likeness} likeness
 * @param {string} version
 */
export function matched({ threshold, after }, version) {
  return after[version].map((each) => (threshold === null || each === null ? null : each > threshold));
}

/**
 * Count the encoders that know a face in a version.
 * @param {Likeness[]} likenesses
 * @param {string} [version]
 * @returns {Recognition}
 */
export function recognition(likenesses, version = DELIVERED) {
  const answers = likenesses.map((each) => matched(each, version));
  const known = answers.filter((each) => each.includes(true)).length;
  const unknown = answers.filter((each) => !each.includes(true) && each.includes(null)).length;
  return { count: likenesses.length, known, unknown };
}

/**
 * Count the faces that were found before, and how many of these are found in a version; others were not hidden.
 * @param {Judgement[]} judgements
 * @param {string} [version]
 * @returns {Tally}
 */
export function tally(judgements, version = DELIVERED) {
  const counted = { before: 0, found: 0, retry: 0 };
  for (const { before, after } of judgements) {
    before.forEach((seen, face) => {
      if (!seen) return;
      counted.before += 1;
      counted.found += Number(after[version].found[face]);
      counted.retry += Number(after[version].retry?.[face] ?? false);
    });
  }
  return counted;
}

/**
 * Return the middle of the first face that was protected, in the picture's pixels.
 * @param {Log} log
 * @returns {[number, number]}
 */
export function centreOf(log) {
  const { left, top, right, bottom } = log.faces[log.chosen[0] - 1].box;
  return [(left + right) / 2, (top + bottom) / 2];
}

/**
 * Return the versions of the picture that were looked at, the delivered one first.
 * @param {Log} log
 */
export function versionsOf(log) {
  const all = Object.keys((log.judgements[0] ?? log.likenesses?.[0])?.after ?? {});
  return [DELIVERED, ...all.filter((each) => each !== DELIVERED)];
}

/**
 * @param {Log} log
 * @param {boolean} attacked
 */
function namesOf(log, attacked) {
  return new Set(log.models.filter((each) => each.attacked === attacked).map((each) => each.name));
}
