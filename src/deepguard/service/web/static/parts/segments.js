/** A choice of one of a few, as radio buttons that look like one control. */

import { h } from '../core/dom.js';

let made = 0;

/**
 * @param {string} label said by screen readers
 * @param {Array<[value: string, text: string]>} choices
 * @param {string} chosen
 * @param {(value: string) => void} told
 */
export function segments(label, choices, chosen, told) {
  const name = `segments-${(made += 1)}`;
  const heard = (/** @type {Event} */ event) => told(/** @type {HTMLInputElement} */ (event.target).value);
  const radio = (/** @type {[string, string]} */ [value, text]) =>
    h('label', null, h('input', { type: 'radio', name, value, checked: value === chosen }), h('span', null, text));
  return h('fieldset.segments', { onchange: heard }, h('legend.unseen', null, label), choices.map(radio));
}
