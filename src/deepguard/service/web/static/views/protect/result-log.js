/** The log of a protected photo: which program saw which face, before and after. */

import { get } from '../../core/api.js';

const PATIENCE = 6000;
export const DELIVERED = 'delivered';

/**
 * @typedef {object} Judgement what one program saw; one truth value for each chosen face
 * @property {string} detector
 * @property {boolean[]} before
 * @property {Record<string, {found: boolean[], retry: boolean[] | null}>} after
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
 * @property {Array<{name: string, attacked: boolean}>} models
 * @property {string[]} notes
 *
 * @typedef {object} Tally how often faces were found
 * @property {number} before
 * @property {number} found of these
 * @property {number} retry of these, by who keeps trying
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
  const names = new Set(log.models.filter((each) => each.attacked === attacked).map((each) => each.name));
  return log.judgements.filter((each) => names.has(each.detector));
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
  const all = Object.keys(log.judgements[0]?.after ?? {});
  return [DELIVERED, ...all.filter((each) => each !== DELIVERED)];
}
