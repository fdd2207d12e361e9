/** What a button does: once at a time, and what goes wrong is said beside it. */

import { problemOf, sentence } from '../core/api.js';
import { h } from '../core/dom.js';

/**
 * Do something that a button asks for. Return whether it worked.
 * @param {HTMLElement} button keeps the focus meanwhile
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>}
 */
export async function doing(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return false;
  const row = button.closest('.row') ?? button;
  if (row.nextElementSibling?.classList.contains('complaint')) row.nextElementSibling.remove();
  button.setAttribute('aria-disabled', 'true');
  try {
    await work();
    return true;
  } catch (thrown) {
    // the view was left meanwhile
    if (thrown instanceof DOMException && thrown.name === 'AbortError') return false;
    row.after(h('p.complaint.bad', { role: 'alert' }, sentence(problemOf(thrown))));
    return false;
  } finally {
    button.removeAttribute('aria-disabled');
  }
}
