/** What came of a check: the verdict, its reasons, the faces or the timeline, and the record to keep. */

import { resultAddress } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { h, icon } from '../../core/dom.js';
import { duration, list, say, size } from '../../core/words.js';
import { deletion } from '../../parts/deletion.js';
import { cards, photo } from './faces.js';
import { clock, readReport } from './report.js';
import { timeline } from './timeline.js';
import { honest, notes, verdict } from './verdict.js';

/**
 * @typedef {import('./report.js').Shown} Shown
 * @typedef {import('../../core/types.js').Job} Job
 */

export default {
  /**
   * @param {HTMLElement} root
   * @param {{job: Job, share: string, signal: AbortSignal, go: import('../../core/types.js').Visit['go']}} given
   */
  async draw(root, { job, share, signal, go }) {
    const report = await readReport(job, share, signal);
    const shown = { job, share, report };
    const course = timeline(shown);
    root.append(
      h(
        'div.halves.detect-result',
        null,
        h('div', null, verdict(report), files(shown), honest(report), acts(job, go), h('p.quiet', null, removal(job))),
        h('div.detect-seen', null, photo(shown), notes(report)),
      ),
    );
    const rest = [course?.element, cards(shown, course?.jump), facts(shown)].filter(Boolean);
    root.append(h('div.detect-more', null, rest));
    root.classList.add('detect');
    root.addEventListener('click', onFace);
  },
};

/**
 * Lead from a face in the picture to what is said of it.
 * @param {MouseEvent} event
 */
function onFace(event) {
  const link = event.target instanceof Element ? event.target.closest('a.detect-face') : null;
  const card = link && document.getElementById(link.getAttribute('href')?.slice(1) ?? '');
  if (!card) return;
  event.preventDefault();
  card.scrollIntoView({ block: 'center' });
  card.focus({ preventScroll: true });
}

/** @param {Shown} shown */
function files({ job, share }) {
  const names = { evidence: say('result.evidence'), 'evidence-json': say('result.evidence-json'), report: say('result.report') };
  const link = (/** @type {[string, string]} */ [name, text]) => {
    const file = job.results.find((each) => each.name === name);
    if (!file) return null;
    const href = resultAddress(job, name, { share });
    return h('a.button', { href, download: file.filename, class: name === 'evidence' ? 'primary' : '' }, icon('download'), text);
  };
  const links = Object.entries(names).map(link);
  return h('div.detect-files', null, h('div.row', null, links), h('p.quiet', null, say('detect.evidence.help')));
}

/**
 * @param {Job} job
 * @param {import('../../core/types.js').Visit['go']} go
 */
function acts(job, go) {
  const own = job.share !== null;
  return h(
    'div.row',
    null,
    h('a.button', { href: address('/detect') }, icon('search'), say('detect.other')),
    own ? h('a.button', { href: address('/archive') }, say('detect.archive')) : null,
    own ? deletion(job, { go }) : null,
  );
}

/** @param {Job} job */
function removal(job) {
  const left = (Date.parse(job.expires) - Date.now()) / 1000;
  return left > 0 ? say('result.expires', { time: duration(left) }) : '';
}

/** @param {Shown} shown */
function facts({ report }) {
  const { input, threshold } = report;
  /** @type {Array<[string, string] | null>} */
  const rows = [
    [say('detect.fact.name'), input.name],
    [say('detect.fact.hash'), input.sha256],
    [say('detect.fact.size'), size(input.bytes)],
    [say('detect.fact.format'), `${input.format} ${input.width} × ${input.height}`],
    input.duration === null ? null : [say('detect.fact.duration'), clock(input.duration)],
    report.frames.length ? [say('detect.fact.frames'), String(report.frames.length)] : null,
    ...report.classifiers.map(
      ({ name, files: made }) =>
        /** @type {[string, string]} */ ([say('detect.fact.classifier', { name }), Object.values(made).join(' ')]),
    ),
    report.missing.length ? [say('detect.fact.missing'), list(report.missing)] : null,
    report.detectors.length ? [say('detect.fact.detectors'), list(report.detectors)] : null,
    threshold ? [say('detect.fact.validation'), threshold.validation] : null,
  ];
  const row = (/** @type {[string, string] | null} */ pair) =>
    pair && h('div', null, h('dt', null, pair[0]), h('dd', null, pair[1]));
  return h('details.detect-facts', null, h('summary', null, say('detect.facts')), h('dl', null, rows.map(row)));
}
