/** One field for one option of a JSON schema. */

import { fill, h } from '../../core/dom.js';
import { known, number, program, say } from '../../core/words.js';

/**
 * @typedef {{type?: string, enum?: string[], items?: Schema, minimum?: number, maximum?: number,
 *   exclusiveMinimum?: number, default?: any, description?: string, 'x-defaults'?: Record<string, any>}} Schema
 * @typedef {object} Option
 * @property {string} name
 * @property {Schema} schema
 * @property {string} label
 * @property {string} help
 * @property {boolean} foreign whether label and help are the service's own English
 * @property {() => any} preset what it is where nothing is set
 * @property {() => any} value what is set, undefined where nothing is
 * @property {(value: any) => void} set
 * @typedef {import('./draft.js').Draft} Draft
 */

/** Levels of 8 bits: what changes of a pixel's brightness are counted in. */
const LEVELS = 255;
const IN_LEVELS = new Set(['epsilon', 'alpha']);
/** Step of a range between fractions. */
const STEP = 0.05;

/**
 * Return a field that shows and sets an option.
 * @param {Draft} draft
 * @param {Option} option
 */
export function field(draft, option) {
  const { schema } = option;
  if (schema.items?.enum) return choices(draft, option, schema.items.enum);
  if (schema.type === 'boolean') return tick(draft, option);
  if (schema.enum) return select(draft, option, schema.enum);
  return numeric(draft, option);
}

/**
 * @param {Draft} draft
 * @param {Option} option
 * @param {string[]} names
 */
function choices(draft, option, names) {
  const boxes = names.map((name) => {
    const input = h('input', { type: 'checkbox', value: name });
    const about = h('span.quiet');
    const change = () => {
      const chosen = new Set(option.value() ?? []);
      if (!chosen.delete(name)) chosen.add(name);
      option.set(chosen.size ? names.filter((each) => chosen.has(each)) : undefined);
    };
    input.addEventListener('change', change);
    draft.listen(() => {
      input.checked = (option.value() ?? []).includes(name);
      const model = draft.models.find((each) => each.name === name);
      input.disabled = model?.available === false;
      const missing = input.disabled && !about.textContent;
      if (missing) fill(about, say('protect.missing'), ' ', h('code', null, model?.missing || model?.fault || ''));
    });
    return h('label.check', null, input, h('span', null, program(name), about));
  });
  const label = { 'aria-label': option.label, role: 'group', class: 'protect-choices' };
  return h('div.field', foreign(option), h('span.label', null, option.label), help(option), h('div', label, boxes));
}

/**
 * @param {Draft} draft
 * @param {Option} option
 */
function tick(draft, option) {
  const input = h('input', { type: 'checkbox', onchange: () => option.set(input.checked) });
  draft.listen(() => (input.checked = Boolean(option.value() ?? option.preset())));
  return h('label.check', foreign(option), input, h('span', null, option.label, help(option)));
}

/**
 * @param {Draft} draft
 * @param {Option} option
 * @param {string[]} values
 */
function select(draft, option, values) {
  const offered = values.map((value) => h('option', { value }, wordOf(option.name, value)));
  const input = h('select', { id: idOf(option) }, offered);
  input.addEventListener('change', () => option.set(input.value));
  draft.listen(() => (input.value = option.value() ?? option.preset() ?? values[0]));
  return framed(draft, option, input, (value) => wordOf(option.name, value));
}

/**
 * @param {string} option
 * @param {string} value
 */
function wordOf(option, value) {
  if (known(`option.${option}.${value}`)) return say(`option.${option}.${value}`);
  return known(`posting.${value}`) ? say(`posting.${value}`) : value;
}

/**
 * @param {Draft} draft
 * @param {Option} option
 */
function numeric(draft, option) {
  const { schema, name } = option;
  const scale = IN_LEVELS.has(name) ? LEVELS : 1;
  const whole = schema.type === 'integer' || scale > 1;
  const above = schema.exclusiveMinimum === undefined ? undefined : whole ? 1 / scale : 0.01;
  const least = scaled(schema.minimum ?? above, scale);
  const most = scaled(schema.maximum, scale);
  const step = whole ? 1 : STEP;
  // a range counts its steps from its least value
  const bounds = { min: schema.minimum === undefined ? step : least, max: most, step };
  const fault = h('span.bad', { id: `${idOf(option)}-fault`, role: 'alert' });
  const typed = { type: 'number', inputmode: 'decimal', min: least, max: most, step: whole ? 1 : 'any' };
  const input = h('input', { id: idOf(option), ...typed });
  input.setAttribute('aria-describedby', fault.id);
  const range = h('input', { type: 'range', ...bounds, 'aria-label': option.label });
  const read = () => {
    const value = Number(input.value);
    const fits = !input.validity.badInput && (input.value === '' || input.validity.valid);
    draft.wrong[fits ? 'delete' : 'add'](name);
    if (fits) option.set(input.value === '' ? undefined : close(value / scale, option.preset()));
    else draft.changed();
  };
  input.addEventListener('input', read);
  range.addEventListener('input', () => ((input.value = range.value), read()));
  draft.listen(() => {
    const value = Number(option.value() ?? option.preset() ?? 0) * scale;
    const text = String(Math.round(value * 1e4) / 1e4);
    range.value = text;
    const wrong = draft.wrong.has(name);
    input.setAttribute('aria-invalid', String(wrong));
    const said = wrong ? say('protect.wrong', { least: least ?? 0, most: number(most ?? Infinity) }) : '';
    // what is set anew is read out again
    if (fault.textContent !== said) fault.textContent = said;
    // what is being typed stays
    if (document.activeElement !== input && !wrong) input.value = text;
  });
  const slides = least !== undefined && most !== undefined && most <= 1024;
  const unit = scale > 1 ? h('span.quiet', null, `/${LEVELS}`) : null;
  const shown = (/** @type {any} */ value) => number(value * scale) + (scale > 1 ? `/${LEVELS}` : '');
  return framed(draft, option, h('div.protect-number', null, slides ? range : null, input, unit), shown, fault);
}

/**
 * Return the preset's own value where a number means the same.
 * @param {number} value
 * @param {number} preset
 */
function close(value, preset) {
  return Math.abs(value - preset) < 1e-9 ? preset : value;
}

/**
 * @param {number | undefined} value
 * @param {number} scale
 */
function scaled(value, scale) {
  return value === undefined ? undefined : Math.round(value * scale * 100) / 100;
}

/**
 * @param {Draft} draft
 * @param {Option} option
 * @param {HTMLElement} input
 * @param {(value: any) => string} shown a value in words
 * @param {HTMLElement} [fault]
 */
function framed(draft, option, input, shown, fault) {
  const usual = h('span.quiet');
  draft.listen(() => {
    const preset = option.preset();
    usual.textContent = preset === undefined ? '' : say('protect.default', { value: shown(preset) });
  });
  const label = h('span.spread', null, h('label', { for: idOf(option) }, option.label), usual);
  return h('div.field', foreign(option), label, help(option), input, fault);
}

/** @param {Option} option */
function help(option) {
  return h('span.quiet', null, option.help);
}

/** @param {Option} option */
function foreign(option) {
  return option.foreign ? { lang: 'en' } : null;
}

/** @param {Option} option */
function idOf({ name }) {
  return `option-${name}`;
}
