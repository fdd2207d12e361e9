/** The way from a protected photo to its proof, as it stands on the photo's own page. */

import { get, post } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { h, icon } from '../../core/dom.js';
import { duration, say } from '../../core/words.js';
import { doing } from '../../parts/doing.js';

/** What the address of a photo ends with whose proof is to begin by itself. */
export const AT_ONCE = 'prove';
const LOOKED_AT = 50;

/**
 * @typedef {import('../../core/types.js').Job} Job
 * @typedef {{job: Job, signal: AbortSignal, go: (path: string, options?: {replace?: boolean}) => void}} Given
 */

/**
 * Return the panel; null where this service proves nothing.
 * @param {Given} given
 * @returns {Promise<HTMLElement | null>}
 */
export async function invitation({ job, signal, go }) {
  const wish = { kind: 'prove', upload: job.upload, options: { of: job.id } };
  const query = `?kind=prove&state=done&limit=${LOOKED_AT}`;
  // the first one fails where there is no such kind here, or the photo is gone
  const [guess, kept] = await Promise.all([post('/estimates', wish, { signal }), get(`/jobs${query}`, { signal })]);
  /** @type {Job[]} */
  const before = kept.jobs.filter((/** @type {Job} */ each) => each.options.of === job.id);
  const takes = say('prove.takes', { time: duration(guess.seconds + guess.waiting_seconds) });
  const button = h('button', { type: 'button' }, icon('search'), say('prove.start'));
  const begin = () => post('/jobs', wish, { key: `prove-${job.id}-${before.length}-${before[0]?.id ?? ''}` });
  button.addEventListener('click', () =>
    doing(button, async () => {
      const made = await begin();
      go(`/jobs/${made.id}`);
    }),
  );
  if (new URLSearchParams(location.search).has(AT_ONCE)) {
    const made = await begin();
    go(`/jobs/${made.id}`, { replace: true });
  }
  const last = before[0] && h('a.button', { href: address(`/jobs/${before[0].id}`) }, say('prove.last'));
  return h(
    'section.panel.prove-invitation',
    null,
    h('h2', null, say('prove.title')),
    h('p', null, say('prove.invitation'), ' ', h('span.quiet', null, takes)),
    h('div.row', null, button, last),
  );
}
