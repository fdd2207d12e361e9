/** Photo filters, as the service computes them, and how the picture looks with them. */

import { h, icon, s } from '../../core/dom.js';
import { percent, say } from '../../core/words.js';

/** @typedef {import('./draft.js').Draft} Draft */

/** Least of each filter; the most is 1. */
const LEAST = { brightness: -1, contrast: -1, saturation: -1, warmth: -1, sharpen: 0 };
// the service's own figures, see deepguard/filters/photo.py
const LUMA = [0.2126, 0.7152, 0.0722];
const [BRIGHTNESS, CONTRAST, WARMTH] = [0.5, 0.8, 0.15];

/**
 * Return the filters' sliders, closed at first.
 * @param {Draft} draft
 */
export function filters(draft) {
  const sliders = Object.entries(LEAST).map(([name, least]) => slider(draft, name, least));
  const blur = h('input', { type: 'checkbox', onchange: () => set(draft, 'blur_others', blur.checked) });
  const help = h('span.quiet', null, say('filter.blur_others.help'));
  const reset = h('button.ghost', { type: 'button', onclick: () => ((draft.filters = {}), draft.changed()) });
  reset.append(icon('repeat'), say('protect.filter.reset'));
  const mark = h('span.quiet');
  const root = h(
    'details.protect-filters',
    null,
    h('summary', null, say('protect.filters'), ' ', mark),
    h('p.quiet', null, say('protect.filters.help')),
    sliders,
    h('label.check', null, blur, h('span', null, say('filter.blur_others'), help)),
    reset,
  );
  const drawing = look(draft);
  draft.listen(() => {
    const known = draft.kind?.schema.properties.filters;
    root.hidden = !known || !draft.photos.length;
    blur.checked = Boolean(draft.filters.blur_others);
    const count = Object.keys(draft.filters).length;
    reset.disabled = !count;
    mark.textContent = count ? say('protect.changed', { count }) : '';
  });
  root.append(drawing);
  return root;
}

/**
 * Return the 3x4 matrix that the four colour filters are together, as rows with the column for alpha left at 0.
 * @param {Record<string, any>} chosen
 */
export function matrix({ brightness = 0, contrast = 0, saturation = 0, warmth = 0 }) {
  const scale = (1 + CONTRAST * contrast) * (1 + BRIGHTNESS * brightness);
  const added = -0.5 * CONTRAST * contrast;
  return [1 + WARMTH * warmth, 1, 1 - WARMTH * warmth].map((gain, row) => {
    const own = (/** @type {number} */ column) => (row === column ? 1 + saturation : 0);
    const mixed = LUMA.map((luma, column) => gain * scale * (own(column) - saturation * luma));
    return [...mixed, 0, gain * added];
  });
}

/**
 * @param {Draft} draft
 * @param {string} name
 * @param {number} least
 */
function slider(draft, name, least) {
  const id = `filter-${name}`;
  const output = h('output.figure.quiet', { for: id });
  const oninput = () => set(draft, name, Number(input.value));
  const input = h('input', { type: 'range', id, min: least, max: 1, step: 0.05, oninput });
  draft.listen(() => {
    const value = Number(draft.filters[name] ?? 0);
    input.value = String(value);
    const text = (value > 0 && least < 0 ? '+' : '') + percent(value);
    if (output.textContent === text) return;
    output.textContent = text;
    input.setAttribute('aria-valuetext', text);
  });
  return h('div.field', null, h('span.spread', null, h('label', { for: id }, say(`filter.${name}`)), output), input);
}

/**
 * @param {Draft} draft
 * @param {string} name
 * @param {number | boolean} value
 */
function set(draft, name, value) {
  const { [name]: _, ...others } = draft.filters;
  draft.filters = value ? { ...others, [name]: value } : others;
  draft.changed();
}

/**
 * Return the drawing's filter that the photo is shown through.
 * @param {Draft} draft
 */
function look(draft) {
  const colours = s('feColorMatrix', { type: 'matrix' });
  const edges = s('feConvolveMatrix', { order: 3, divisor: 1, edgeMode: 'duplicate', preserveAlpha: 'true' });
  const whole = { x: 0, y: 0, width: 1, height: 1 };
  const filter = s('filter', { id: 'protect-look', 'color-interpolation-filters': 'sRGB', ...whole });
  draft.listen(() => {
    const { blur_others: _, ...chosen } = draft.filters;
    const shot = /** @type {HTMLElement | null} */ (document.querySelector('.protect-shot'));
    shot?.style.setProperty('filter', Object.keys(chosen).length ? 'url("#protect-look")' : 'none');
    colours.setAttribute('values', [...matrix(chosen), [0, 0, 0, 1, 0]].flat().join(' '));
    const amount = Number(chosen.sharpen ?? 0);
    edges.setAttribute('kernelMatrix', [0, -amount, 0, -amount, 1 + 4 * amount, -amount, 0, -amount, 0].join(' '));
    filter.replaceChildren(colours, ...(amount ? [edges] : []));
  });
  return s('svg', { class: 'unseen', 'aria-hidden': 'true', width: 0, height: 0 }, filter);
}
