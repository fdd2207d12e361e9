/** The report of a proof as the page reads it, and how much is found and recognised in it. */

import { resultAddress } from '../../core/api.js';

export const [ORIGINAL, PROTECTED, NOISE] = ['original', 'protected', 'noise'];
export const DELIVERED = 'delivered';
const COMBINED = 'combined';

/**
 * @typedef {Record<string, Record<string, Array<boolean | number | null>>>} Values arm -> column -> each face
 *
 * @typedef {object} Detection
 * @property {string} detector
 * @property {boolean | null} attacked
 * @property {Values} found
 * @property {Record<string, boolean[]>} retried arm -> each face
 *
 * @typedef {object} Recognition
 * @property {string} encoder
 * @property {string} family
 * @property {boolean | null} attacked
 * @property {number | null} threshold
 * @property {Record<string, Record<string, Array<number | null>>>} cosines
 *
 * @typedef {object} Swap
 * @property {string} swapper
 * @property {number} steps
 * @property {Record<string, Record<string, boolean[]>>} failed_extraction
 * @property {Record<string, Record<string, Record<string, Array<number | null>>>>} cosines arm -> column -> judge
 *
 * @typedef {{ssim: number, psnr: number | null, lpips: number | null}} Quality
 *
 * @typedef {object} Report
 * @property {string} version
 * @property {string} created
 * @property {string} device
 * @property {string[]} columns
 * @property {Array<{box: {left: number}}>} faces
 * @property {Detection[]} detections
 * @property {Recognition[]} likenesses
 * @property {Swap[]} swaps
 * @property {Quality} picture_quality
 * @property {Quality[]} face_quality
 * @property {Array<{code: string, passed: boolean | null, text: string}>} checks
 * @property {Record<string, Record<string, string>>} models
 * @property {string[]} missing
 * @property {{by: string, at: string} | null} statement
 * @property {Array<{code: string, text: string, count: number}>} notes
 *
 * @typedef {object} Group programs of one sort: attacked while protecting, not attacked, or nobody knows
 * @property {'find' | 'know'} does they find faces, or know whose face it is
 * @property {boolean | null} attacked
 * @property {number} size how many programs
 * @property {(arm: string, column: string, face: number) => number | null} count how many of them do; null: not measured
 */

/**
 * @param {import('../../core/types.js').Job} job
 * @param {AbortSignal} signal
 * @returns {Promise<Report>}
 */
export async function readReport(job, signal) {
  const answer = await fetch(resultAddress(job, 'report'), { signal });
  if (!answer.ok) throw new TypeError(`the report did not come: ${answer.status}`);
  return answer.json();
}

/**
 * Return the detectors without the row of all together.
 * @param {Report} report
 */
export function finders(report) {
  return report.detections.filter((each) => each.detector !== COMBINED);
}

/**
 * Return the encoders of which it is known from where on they count two pictures as one person.
 * @param {Report} report
 */
export function knowers(report) {
  return report.likenesses.filter((each) => each.threshold !== null);
}

/**
 * Return the programs in groups; who was attacked never stands in one number with who was not.
 * @param {Report} report
 * @returns {Group[]}
 */
export function groups(report) {
  /** @type {Array<boolean | null>} */
  const sorts = [true, null, false];
  const finding = sorts.map((attacked) => {
    const rows = finders(report).filter((each) => each.attacked === attacked);
    return group('find', attacked, rows, (row, arm, column) => row.found[arm]?.[column]);
  });
  const knowing = sorts.map((attacked) => {
    const rows = knowers(report).filter((each) => each.attacked === attacked);
    return group('know', attacked, rows, (row, arm, column) =>
      row.cosines[arm]?.[column]?.map((each) => each !== null && each > Number(row.threshold)),
    );
  });
  return [...finding, ...knowing].filter((each) => each.size);
}

/**
 * Return how many programs of a kind do what they do.
 * @param {Group[]} all
 * @param {'find' | 'know'} does
 * @param {string} arm
 * @param {number} face
 */
export function total(all, does, arm, face) {
  const some = all.filter((each) => each.does === does);
  return some.reduce((sum, each) => sum + (each.count(arm, DELIVERED, face) ?? 0), 0);
}

/**
 * Return how many programs find a face when somebody keeps trying.
 * @param {Report} report
 * @param {string} arm
 * @param {number} face
 */
export function retried(report, arm, face) {
  return finders(report).filter((each) => each.retried[arm]?.[face]).length;
}

/**
 * Return by how many of the judges a swap is taken for the victim; null where none can tell.
 * @param {Report} report
 * @param {Swap} swap
 * @param {string} arm
 * @param {number} face
 */
export function fooled(report, swap, arm, face) {
  const rows = knowers(report).flatMap((each) => {
    const cosine = swap.cosines[arm]?.[DELIVERED]?.[each.encoder]?.[face];
    return cosine === undefined ? [] : [cosine !== null && cosine > Number(each.threshold)];
  });
  return rows.length ? { count: rows.filter(Boolean).length, of: rows.length } : null;
}

/**
 * @template T
 * @param {'find' | 'know'} does
 * @param {boolean | null} attacked
 * @param {T[]} rows
 * @param {(row: T, arm: string, column: string) => Array<boolean | number | null> | undefined} pick
 * @returns {Group}
 */
function group(does, attacked, rows, pick) {
  const count = (/** @type {string} */ arm, /** @type {string} */ column, /** @type {number} */ face) => {
    const measured = rows.map((row) => pick(row, arm, column));
    return measured.some((each) => !each) ? null : measured.filter((each) => each?.[face]).length;
  };
  return { does, attacked, size: rows.length, count };
}
