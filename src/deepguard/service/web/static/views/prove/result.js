/** What came of a proof: the numbers first, then what posting does, and what may be seen only on a statement. */

import { get, resultAddress } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { fill, h, icon } from '../../core/dom.js';
import { say } from '../../core/words.js';
import { deletion } from '../../parts/deletion.js';
import { segments } from '../../parts/segments.js';
import { strength } from '../../parts/strength.js';
import { arms, everyFace, figures, sentences } from './arms.js';
import { matrix } from './matrix.js';
import { readReport } from './report.js';
import { SHEET, countdown, sheet, there } from './sheet.js';
import { checks, honest, models, notes } from './trust.js';

/**
 * @typedef {import('../../core/types.js').Job} Job
 *
 * @typedef {object} Shown what the parts of a proof are drawn with
 * @property {Job} job
 * @property {import('./report.js').Report} report
 * @property {AbortSignal} signal
 * @property {(path: string, options?: {replace?: boolean}) => void} go
 */

export default {
  /**
   * @param {HTMLElement} root
   * @param {{job: Job, signal: AbortSignal, go: Shown['go']}} given
   */
  async draw(root, { job, signal, go }) {
    const [report, photo] = await Promise.all([readReport(job, signal), protectedPhoto(job, signal)]);
    const shown = { job, report, signal, go };
    const told = h('div');
    const table = h('section');
    const fold = h('div');
    const jump = there(job) ? h('p', null, h('a.button', { href: `#${SHEET}` }, icon('photo'), say('prove.sheet.jump'))) : null;
    const look = (/** @type {number} */ face) => {
      const [first, ...rest] = sentences(report, face);
      fill(told, h('p.lead', null, first), jump, arms(report, face), rest.map((each) => h('p', null, each)));
      fill(table, matrix(report, face));
      fill(fold, figures(report, face));
    };
    look(0);
    root.classList.add('prove');
    root.append(
      h('div.prove-top', null, faces(report, look)),
      h('div.halves.prove-result', null, h('section', null, told, honest(report), notes(report)), h('div', null, table, photo && again(photo, shown))),
      h(
        'div.halves.prove-more',
        null,
        sheet(shown),
        h(
          'section',
          null,
          checks(report),
          h('details', null, h('summary', null, say('prove.figures')), fold),
          models(report),
          acts(shown, photo),
          countdown(job, signal),
        ),
      ),
    );
  },
};

/**
 * Return the job that protected the photo, with the strength that it had; null where it is gone, or was none.
 * @param {Job} job
 * @param {AbortSignal} signal
 * @returns {Promise<{job: Job, own: number} | null>}
 */
async function protectedPhoto({ options }, signal) {
  if (!options.of) return null;
  try {
    const [job, log] = await Promise.all(['', '/results/log'].map((path) => get(`/jobs/${options.of}${path}`, { signal })));
    return { job, own: Number(log.options.strength) };
  } catch {
    // a proof stands without the photo that it is of
    return null;
  }
}

/**
 * Return the choice of the face, with a row for each; nothing where there is one.
 * @param {import('./report.js').Report} report
 * @param {(face: number) => void} look
 */
function faces(report, look) {
  if (report.faces.length < 2) return null;
  const choices = report.faces.map((_, at) => /** @type {[string, string]} */ ([String(at), say('prove.face', { number: at + 1 })]));
  return [everyFace(report), segments(say('prove.faces.choose'), choices, '0', (at) => look(Number(at)))];
}

/**
 * Return the choice of another strength: the photo is protected anew, and then proved again.
 * @param {{job: Job, own: number}} photo
 * @param {Shown} shown
 */
function again({ job, own }, { signal, go }) {
  return strength({ job, own, signal, go, text: say('prove.strength'), query: '?prove=1' });
}

/**
 * @param {Shown} shown
 * @param {{job: Job} | null} photo
 */
function acts({ job, go }, photo) {
  const file = job.results.find((each) => each.name === 'report');
  const own = job.results.find((each) => each.name === 'picture');
  const back = photo ? `/jobs/${photo.job.id}` : '/';
  return h(
    'div.row.prove-acts',
    null,
    photo ? h('a.button', { href: address(back) }, say('prove.back')) : null,
    own ? h('a.button.primary', { href: resultAddress(job, own.name), download: own.filename }, icon('download'), say('result.download')) : null,
    file ? h('a.button', { href: resultAddress(job, file.name), download: file.filename }, icon('download'), say('prove.file')) : null,
    deletion(job, { go }, { to: back, said: say('prove.deleted') }),
  );
}
