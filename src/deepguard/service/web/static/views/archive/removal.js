/** Several jobs are deleted, after a question. */

import { post, sentence } from '../../core/api.js';
import { h, icon } from '../../core/dom.js';
import { say } from '../../core/words.js';
import { doing } from '../../parts/doing.js';

/** The most that one request may name. */
const AT_ONCE = 200;

/**
 * @typedef {object} Removal
 * @property {string[]} gone ids
 * @property {Array<{id: string, code: string}>} refused
 */

/**
 * Ask whether to delete jobs, and do it; return null where the answer is no.
 * @param {string[]} ids
 * @param {HTMLElement} root of the view, with which the question goes away
 * @param {AbortSignal} signal
 * @returns {Promise<Removal | null>}
 */
export function removed(ids, root, signal) {
  return new Promise((resolve) => {
    /** @type {Removal | null} */
    let removal = null;
    const close = () => dialog.close();
    const no = h('button', { type: 'button', autofocus: true, onclick: close }, say('archive.delete.no'));
    const yes = h('button.danger', { type: 'button' }, icon('delete'), say('archive.delete'));
    yes.onclick = () =>
      doing(yes, async () => {
        removal = await remove(ids, signal);
        dialog.close();
      });
    const dialog = h(
      'dialog.archive-question',
      { 'aria-labelledby': 'archive-question', onclose: () => (dialog.remove(), resolve(removal)) },
      h('h2', { id: 'archive-question' }, say('archive.delete.question', { count: ids.length })),
      h('p', null, say('archive.delete.text')),
      h('div.row', null, no, yes),
    );
    root.append(dialog);
    dialog.showModal();
  });
}

/**
 * @param {string[]} ids
 * @param {AbortSignal} signal
 * @returns {Promise<Removal>}
 */
async function remove(ids, signal) {
  /** @type {Removal} */
  const removal = { gone: [], refused: [] };
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const answer = await post('/jobs/delete', { ids: ids.slice(at, at + AT_ONCE) }, { signal });
    removal.gone.push(...answer.deleted);
    for (const each of answer.refused) {
      // what another tab has deleted is gone as well
      if (each.code === 'not_found') removal.gone.push(each.id);
      else removal.refused.push(each);
    }
  }
  return removal;
}

/**
 * Return what could not be deleted, each with the reason.
 * @param {Removal} removal
 * @param {import('../../core/types.js').Job[]} jobs
 */
export function refusals(removal, jobs) {
  const reason = (/** @type {{id: string, code: string}} */ each) => {
    const name = jobs.find((job) => job.id === each.id)?.name ?? '';
    return h('li', null, `${name}: ${each.code === 'wrong_state' ? say('archive.refused.active') : sentence(each)}`);
  };
  const list = h('ul', null, removal.refused.map(reason));
  const text = say('archive.refused', { count: removal.refused.length });
  const told = h('div', null, h('strong', null, text), list);
  return h('div.notice.warn.archive-refused', { tabindex: '-1' }, icon('warning'), told);
}
