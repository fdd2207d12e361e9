/** What there is to see and do once a photo was chosen; fetched then, so that the first screen is there at once. */

import { h } from '../../core/dom.js';
import { say } from '../../core/words.js';
import { estimating } from './estimate.js';
import { expert } from './expert.js';
import { filters } from './filters.js';
import { stage } from './stage.js';
import { starter } from './start.js';
import { tray } from './tray.js';

/**
 * Return the parts beside what is there already: before the chooser, after the presets, and the bar with the button.
 * @param {import('./draft.js').Draft} draft
 * @param {() => void} emptied called when the last photo was removed
 * @param {(path: string) => void} leave leads to what was started
 */
export function work(draft, emptied, leave) {
  const before = [stage(draft), tray(draft, emptied)];
  const after = [filters(draft), expert(draft), h('p.quiet', null, say('start.own'))];
  estimating(draft);
  return { before, after, bar: starter(draft, leave) };
}
