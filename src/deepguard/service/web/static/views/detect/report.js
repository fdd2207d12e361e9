/** The report of a check as the page reads it, and what its notes say. */

import { resultAddress } from '../../core/api.js';
import { h } from '../../core/dom.js';
import { known, say } from '../../core/words.js';

/**
 * @typedef {{code: string, text: string, count: number}} Note
 * @typedef {import('../../parts/verdict.js').Word} Word
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box pixels of the upright picture
 * @typedef {{time: number, face: {box: Box}, probability: number | null}} Sighting
 *
 * @typedef {object} Verdict a face of a picture, or a person of a clip
 * @property {number} number
 * @property {Word} word
 * @property {number | null} probability
 * @property {number | null} low
 * @property {number | null} high
 * @property {number | null} spread
 * @property {Array<{classifier: string, copies: Record<string, number>}>} opinions
 * @property {Note[]} reasons
 * @property {{box: Box}} [face] of a picture
 * @property {number} [first] seconds, of a clip, as all that follows
 * @property {number} [last]
 * @property {Sighting[]} [sightings]
 * @property {number[]} [loudest]
 *
 * @typedef {object} Threshold
 * @property {number} fake_from
 * @property {number} real_to
 * @property {number} false_positive_rate
 * @property {number} false_negative_rate
 * @property {string} validation
 *
 * @typedef {object} Input
 * @property {string} name
 * @property {string} format
 * @property {string} sha256
 * @property {number} bytes
 * @property {number} width
 * @property {number} height
 * @property {number | null} duration
 * @property {number | null} frames
 *
 * @typedef {object} Report
 * @property {string} version
 * @property {string} created
 * @property {string} device
 * @property {Input} input
 * @property {Array<{name: string, files: Record<string, string>, calibrated: boolean}>} classifiers
 * @property {string[]} missing
 * @property {string[]} detectors
 * @property {Threshold | null} threshold
 * @property {Word} word
 * @property {number | null} probability
 * @property {number | null} low
 * @property {number | null} high
 * @property {Verdict[]} faces
 * @property {Verdict[]} tracks
 * @property {Array<{time: number, faces: number, probability: number | null}>} frames
 * @property {Note[]} notes
 * @property {{heat: Sheet & {numbers: number[]}, frames: Sheet & {times: number[]}}} sheets
 *
 * @typedef {{width: number, height: number}} Sheet the size of each of its cells, in pixels
 *
 * @typedef {object} Shown what the parts of a result are drawn with
 * @property {import('../../core/types.js').Job} job
 * @property {string} share
 * @property {Report} report
 */

/**
 * @param {import('../../core/types.js').Job} job
 * @param {string} share
 * @param {AbortSignal} signal
 * @returns {Promise<Report>}
 */
export async function readReport(job, share, signal) {
  const answer = await fetch(resultAddress(job, 'report', { share }), { signal });
  if (!answer.ok) throw new TypeError(`the report did not come: ${answer.status}`);
  return answer.json();
}

/** @param {Note} note */
export function told({ code, text, count }) {
  return known(`note.${code}`)
    ? h('span', null, say(`note.${code}`, { count }))
    : h('span', { lang: 'en' }, text);
}

/**
 * Return a time in a clip as minutes and seconds.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const tenths = Math.floor((seconds - whole) * 10);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}${tenths ? `.${tenths}` : ''}`;
}

/**
 * Return one cell of a sheet of pictures in a row.
 * @param {string} source
 * @param {{at: number, of: number, width: number, height: number, text: string}} cell
 */
export function tile(source, { at, of, width, height, text }) {
  const sheet = h('img', { src: source, alt: text, loading: 'lazy', decoding: 'async' });
  const frame = h('span.detect-tile', null, sheet);
  frame.style.setProperty('--ratio', `${width} / ${height}`);
  frame.style.setProperty('--of', String(of));
  frame.style.setProperty('--at', String(at));
  return frame;
}
