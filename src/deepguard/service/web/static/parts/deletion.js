/** Deleting a job and its files, once the visitor has said so twice. */

import { remove } from '../core/api.js';
import { announce, h, icon } from '../core/dom.js';
import { known, say } from '../core/words.js';
import { doing } from './doing.js';

/**
 * Return a button that asks, deletes, and leads back to the start.
 * @param {import('../core/types.js').Job} job
 * @param {{go: (path: string, options?: {replace?: boolean}) => void}} visit
 * @param {{to: string, said: string}} [after] where it leads instead, and what is said there
 */
export function deletion(job, { go }, { to, said } = { to: '/', said: say('start.removed') }) {
  const button = h('button.danger', { type: 'button' }, icon('delete'), say('act.delete'));
  const keep = h('button', { type: 'button' }, say('delete.keep'));
  const sure = h('button.danger', { type: 'button' }, icon('delete'), say('act.delete'));
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'delete-title' },
    h('h2', { id: 'delete-title' }, say('delete.title')),
    h('p', null, known(`delete.text.${job.kind}`) ? say(`delete.text.${job.kind}`) : say('delete.text')),
    h('div.row', null, keep, sure),
  );
  button.addEventListener('click', () => (dialog.isConnected || button.after(dialog), dialog.showModal()));
  keep.addEventListener('click', () => dialog.close());
  sure.addEventListener('click', () =>
    doing(sure, async () => {
      await remove(`/jobs/${job.id}`);
      dialog.close();
      go(to, { replace: true });
      announce(said);
    }),
  );
  return button;
}
