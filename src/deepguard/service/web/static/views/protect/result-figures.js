/** The figures of a result, each with what it means. */

import { h } from '../../core/dom.js';
import { duration, known, number, say, size } from '../../core/words.js';

/**
 * @param {import('../../core/types.js').Job} job
 * @param {import('./result-log.js').Log | null} log
 */
export function figures(job, log) {
  const rows = told(job, log).filter(([, , value]) => value !== undefined && value !== null && value !== '');
  return h(
    'details.result-figures',
    null,
    h('summary', null, say('result.figures')),
    h('table', null, h('tbody', null, rows.map(row))),
  );
}

/**
 * Return what is shown: the name in words, the key of its explanation, the value.
 * @param {import('../../core/types.js').Job} job
 * @param {import('./result-log.js').Log | null} log
 * @returns {Array<[name: string, key: string, value: string | number | undefined | null]>}
 */
function told({ summary, started, ended, results }, log) {
  const whole = log?.picture_quality;
  // earlier versions had no strength
  const strength = Number(log?.options.strength ?? 0) || null;
  const seconds = started && ended ? (Date.parse(ended) - Date.parse(started)) / 1000 : 0;
  const file = results.find((each) => each.name === 'picture');
  const { variant } = summary;
  // where detectors were not attacked, none was hidden from
  const finding = summary.detectors ? summary : {};
  return [
    [say('figure.variant'), '', known(`preset.${variant}`) ? say(`preset.${variant}`) : variant],
    [say('figure.faces'), 'faces', summary.faces],
    [say('figure.encoders'), '', summary.encoders],
    [say('figure.known_after'), 'known_after', summary.known_after],
    [say('figure.held_encoders'), '', summary.held_encoders],
    [say('figure.held_known_after'), 'known_after', summary.held_known_after],
    [say('figure.detectors'), '', finding.detectors],
    [say('figure.found_before'), 'found_before', finding.found_before],
    [say('figure.found_after'), 'found_after', finding.found_after],
    [say('figure.ssim'), 'ssim', rounded(summary.ssim)],
    [say('figure.lpips'), 'lpips', rounded(summary.lpips)],
    [say('figure.marbling'), 'marbling', levels(summary.marbling)],
    [say('figure.chroma'), 'chroma', levels(summary.chroma)],
    [say('result.figure.picture.ssim'), 'picture.ssim', rounded(whole?.ssim)],
    [say('result.figure.picture.lpips'), 'picture.lpips', rounded(whole?.lpips)],
    [say('result.figure.strength'), 'strength', strength],
    [say('figure.megapixels'), '', summary.megapixels && number(summary.megapixels, 2)],
    [say('result.figure.file'), '', file && `${summary.format ?? ''} ${size(file.size)}`.trim()],
    [say('figure.seconds'), '', seconds ? duration(seconds) : ''],
    [say('figure.device'), 'device', summary.device],
  ];
}

/** @param {[string, string, string | number | undefined | null]} figure */
function row([name, key, value]) {
  const why = key ? h('span.quiet', null, say(`result.explain.${key}`)) : null;
  const cell = h('td', null, typeof value === 'number' ? number(value) : value);
  return h('tr', null, h('th', { scope: 'row' }, name, why), cell);
}

/** @param {number | null | undefined} value */
function rounded(value) {
  return typeof value === 'number' ? number(value, 3) : null;
}

/** @param {number | null | undefined} value */
function levels(value) {
  return typeof value === 'number' ? `${number(value, 2)}/255` : null;
}
