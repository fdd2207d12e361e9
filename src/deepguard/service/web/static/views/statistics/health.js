/** Which of the programs that look for faces work here, in one quiet line. */

import { get } from '../../core/api.js';
import { fill, h, icon } from '../../core/dom.js';
import { list, program, say } from '../../core/words.js';

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} role
 * @property {boolean} available
 * @property {string} fault why it cannot be used though it is here
 */

/**
 * @param {HTMLElement} place
 * @param {AbortSignal} signal
 */
export async function health(place, signal) {
  try {
    // the kind names those of the usual ones that are missing; the others are extras that nobody expects
    const [{ models }, kind] = await Promise.all([get('/models', { signal }), get('/kinds/protect', { signal })]);
    fill(place, line(models, kind.missing));
  } catch (thrown) {
    if (signal.aborted) return;
    fill(place, h('p.quiet', null, icon('wait'), ' ', say('statistics.models.unknown')));
  }
}

/**
 * @param {Model[]} models
 * @param {Record<string, string>} missing name -> the command that brings it
 */
function line(models, missing) {
  const detectors = models.filter((each) => each.role === 'detector');
  const count = detectors.filter((each) => each.available).length;
  const broken = detectors.filter((each) => each.fault).map((each) => each.name);
  const lacking = [...new Set([...Object.keys(missing), ...broken])];
  if (!lacking.length) return h('p.quiet', null, icon('hidden'), ' ', say('statistics.models', { count }));
  const commands = [...new Set(Object.values(missing))].map((command) => h('code', null, command));
  return h(
    'details.statistics-missing',
    null,
    h('summary', null, icon('warning'), ' ', say('statistics.models.some', { count, names: list(lacking.map(program)) })),
    h('p', null, say('statistics.models.bring')),
    h('p.stack', null, commands),
  );
}
