/** A verdict in one word, with its icon: status is never colour alone. */

import { h, icon } from '../core/dom.js';
import { say } from '../core/words.js';

/** @typedef {'likely_real' | 'uncertain' | 'likely_fake' | 'cannot_judge'} Word */

/** @type {Record<Word, {icon: string, tone: string}>} */
export const LOOKS = {
  likely_fake: { icon: 'warning', tone: 'bad' },
  uncertain: { icon: 'help', tone: 'warn' },
  likely_real: { icon: 'hidden', tone: 'good' },
  cannot_judge: { icon: 'stop', tone: 'soft' },
};

/** @param {Word} word */
export function chip(word) {
  const look = LOOKS[word];
  return h('span.chip', { class: look.tone }, icon(look.icon), say(`verdict.${word}`));
}
