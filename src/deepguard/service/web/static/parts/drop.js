/** Files that are dropped anywhere on the page, or pasted. */

import { h, icon } from '../core/dom.js';

/**
 * Take in what is dropped anywhere or pasted, and show where a drop will go.
 * @param {object} given
 * @param {AbortSignal} given.signal
 * @param {string} given.text what is said while a file is held over the page
 * @param {(files: Iterable<File>) => void} given.take
 * @param {(entries: FileSystemEntry[]) => void} [given.takeFolders] without it a folder is nothing
 */
export function catchAll({ signal, text, take, takeFolders = () => undefined }) {
  const veil = h('div.drop-veil', { hidden: true }, h('p', null, icon('photo'), text));
  document.body.append(veil);
  signal.addEventListener('abort', () => veil.remove());
  const heeds = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files');
  const over = (/** @type {DragEvent} */ event) => {
    if (!heeds(event)) return;
    event.preventDefault();
    veil.hidden = false;
  };
  addEventListener('dragenter', over, { signal });
  addEventListener('dragover', over, { signal });
  // leaving one element for another has somewhere that it goes to
  addEventListener('dragleave', (event) => (veil.hidden ||= !event.relatedTarget), { signal });
  addEventListener('drop', (event) => {
    veil.hidden = true;
    if (!heeds(event)) return;
    event.preventDefault();
    const entries = [...(event.dataTransfer?.items ?? [])].flatMap((each) => each.webkitGetAsEntry?.() ?? []);
    if (entries.some((each) => each.isDirectory)) takeFolders(entries);
    else take(event.dataTransfer?.files ?? []);
  }, { signal });
  addEventListener('paste', (event) => {
    if (event.clipboardData?.files.length) take(event.clipboardData.files);
  }, { signal });
}
