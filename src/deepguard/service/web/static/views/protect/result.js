/** What came of protecting a photo: the picture, what was reached in plain words, and what to do with it. */

import { resultAddress } from '../../core/api.js';
import { address, boot } from '../../core/boot.js';
import { h } from '../../core/dom.js';
import { duration, loadWords, moment, say, size } from '../../core/words.js';
import { compare } from '../../parts/compare.js';
import { strength, stronger } from '../../parts/strength.js';
import { actions, download } from './result-actions.js';
import { figures } from './result-figures.js';
import { knowing } from './result-known.js';
import { centreOf, readLog } from './result-log.js';
import { chips, posting } from './result-posting.js';
import { failed, left, notes, sentences } from './result-sentences.js';

/** Bytes from which a small picture is shown until the large one is here. */
const SLOW = 400_000;
/** Files that browsers do not show. */
const UNSHOWN = new Set(['image/heic', 'image/heif', 'image/tiff']);

/**
 * @typedef {import('../../core/types.js').Job} Job
 *
 * @typedef {object} Given what a result is drawn with
 * @property {Job} job
 * @property {string} share token that the visitor came with
 * @property {AbortSignal} signal
 * @property {(path: string, options?: {replace?: boolean}) => void} go
 */

export default {
  /**
   * @param {HTMLElement} root
   * @param {Given} given
   */
  async draw(root, given) {
    const { job, share, signal, go } = given;
    const [log, invitation] = await Promise.all([readLog(job, share, signal), inviting(given)]);
    const [first, ...rest] = sentences(job, log);
    const again = log && job.share ? strength({ job, own: Number(log.options.strength), signal, go }) : null;
    const { found_before: before = 0, found_after: after = 0 } = job.summary;
    const warnings = failed(job);
    const known = [true, false].some((attacked) => knowing(job.summary, log, attacked).known);
    const short = warnings.length || known || 2 * after > before;
    const more = again && short ? stronger(again) : null;
    root.append(
      h(
        'div.halves.result',
        null,
        pictures(given, log),
        h(
          'section.result-words',
          null,
          first ? h('p.lead', null, first) : null,
          rest.map((each) => h('p', null, each)),
          left(job, log),
          warnings,
          download(job, share),
          more ? h('div.row', null, more) : null,
          invitation,
          log ? chips(log) : null,
          honest(job, log),
          notes(job, log),
          actions(given),
          h('p.quiet', null, removal(job)),
        ),
      ),
      h(
        'div.halves.result-more',
        null,
        h('section', null, log ? posting(log) : h('p.quiet', null, say('result.unlogged'))),
        h('section', null, again, figures(job, log)),
      ),
    );
  },
};

/**
 * Return the way to a proof; null where it cannot be had, or for those who only came by a link.
 * @param {Given} given
 * @returns {Promise<HTMLElement | null>}
 */
async function inviting({ job, signal, go }) {
  if (!job.share || !('prove' in boot.kinds)) return null;
  try {
    const [module] = await Promise.all([import(`${boot.assets}/views/prove/invite.js`), loadWords('prove')]);
    return await module.invitation({ job, signal, go });
  } catch {
    // the result stands without it
    return null;
  }
}

/**
 * @param {Given} given
 * @param {import('./result-log.js').Log | null} log
 */
function pictures(given, log) {
  const { job, share, signal } = given;
  const of = (/** @type {string} */ name) => {
    const found = job.results.find((each) => each.name === name);
    return found && !UNSHOWN.has(found.media_type) ? resultAddress(job, name, { inline: true, share }) : undefined;
  };
  const large = of('view') ?? of('picture');
  const after = large ?? of('comparison');
  const { width = 4, height = 3 } = job.summary;
  if (!after) return h('div');
  const slow = (job.results.find((each) => each.name === 'picture')?.size ?? 0) > SLOW;
  return compare(
    {
      after,
      // the sheet shows before and after already
      before: large && of('before'),
      heatmap: large && of('heatmap'),
      thumbnail: slow ? of('thumbnail') : undefined,
      width,
      height,
      centre: log ? centreOf(log) : [width / 2, height / 2],
    },
    { signal, again: () => location.reload() },
  );
}

/**
 * @param {Job} job
 * @param {import('./result-log.js').Log | null} log
 */
function honest(job, log) {
  const device = job.summary.device;
  const tested = job.ended ? say('result.tested', { when: moment(job.ended) }) : '';
  const version = log ? say('result.version', { version: log.version, device: log.device ?? device }) : '';
  return h(
    'div.honest',
    null,
    h('p', null, say('result.honest')),
    h('p.quiet', null, `${tested} ${version}`.trim()),
    h('a', { href: `${address('/help')}#limits` }, say('result.limits')),
  );
}

/** @param {Job} job */
function removal(job) {
  const left = (Date.parse(job.expires) - Date.now()) / 1000;
  const file = job.results.find((each) => each.name === 'picture');
  const { width, height } = job.summary;
  const seconds = job.started && job.ended ? (Date.parse(job.ended) - Date.parse(job.started)) / 1000 : 0;
  const facts = [
    width && height ? `${width} × ${height}` : '',
    file ? size(file.size) : '',
    seconds ? say('result.took', { time: duration(seconds) }) : '',
    left > 0 ? say('result.expires', { time: duration(left) }) : '',
  ];
  return facts.filter(Boolean).join('\u00a0· ');
}
