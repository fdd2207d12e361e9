/** Every option of the kind, as its schema describes them; what equals the preset's is not sent. */

import { get } from '../../core/api.js';
import { fill, h, icon } from '../../core/dom.js';
import { known, say } from '../../core/words.js';
import { background } from './draft.js';

/**
 * @typedef {import('./draft.js').Draft} Draft
 * @typedef {import('./fields.js').Schema} Schema
 * @typedef {typeof import('./fields.js').field} Field
 */

/** What has a place of its own on the page. */
const ELSEWHERE = new Set(['preset', 'faces', 'box', 'filters']);
/** Names of the options in each group; an option of no group stands in the last. */
const GROUPS = { who: ['detectors'], change: ['strength', 'steps'], after: ['through'], rest: [] };

/**
 * Return the expert mode, closed at first.
 * @param {Draft} draft
 */
export function expert(draft) {
  const body = h('div');
  const mark = h('span.quiet');
  const reset = h('button.ghost', { type: 'button' }, icon('repeat'), say('protect.expert.reset'));
  const root = h('details.protect-expert', null, h('summary', null, say('protect.expert'), ' ', mark));
  root.append(h('p.quiet', null, say('protect.expert.help')), body, reset);
  /** @type {any} */
  let shown = null;
  /** @type {Field | null} */
  let field = null;
  const draw = () => field && fill(body, groups(draft, field));
  const open = async () => {
    field = (await import('./fields.js')).field;
    draw();
    draft.models = (await get('/models', { signal: draft.signal })).models;
    draft.changed();
  };
  reset.addEventListener('click', () => {
    draft.expert = {};
    draft.wrong.clear();
    draft.changed();
  });
  root.addEventListener('toggle', () => root.open && background(draft.signal, open), { once: true });
  draft.listen(() => {
    root.hidden = !draft.kind || !draft.photos.length;
    fit(draft);
    const { extra = {}, ...top } = draft.expert;
    const count = Object.keys(top).length + Object.keys(extra).length;
    mark.textContent = count ? say('protect.changed', { count }) : '';
    reset.disabled = !count && !draft.wrong.size;
    if (draft.kind && draft.kind !== shown) {
      shown = draft.kind;
      draw();
    }
  });
  return root;
}

/**
 * Let go of options that are not there: an earlier version may have had them, or another defence.
 * @param {Draft} draft
 */
function fit(draft) {
  if (!draft.kind) return;
  const { extra: inner, ...known } = draft.kind.schema.properties;
  const schemas = { ...known, ...inner?.properties };
  const { extra = {}, ...top } = draft.expert;
  const own = (/** @type {object} */ options, /** @type {Record<string, Schema>} */ there) =>
    Object.fromEntries(Object.entries(options).filter(([name]) => takes(draft, there[name])));
  const kept = own(extra, inner?.properties ?? {});
  const fitting = { ...own(top, known), ...(Object.keys(kept).length ? { extra: kept } : {}) };
  const wrong = [...draft.wrong].filter((name) => takes(draft, schemas[name]));
  if (JSON.stringify(fitting) === JSON.stringify(draft.expert) && wrong.length === draft.wrong.size) return;
  Object.assign(draft, { expert: fitting, wrong: new Set(wrong) });
  draft.changed();
}

/**
 * Return whether an option is there for the chosen defence.
 * @param {Draft} draft
 * @param {Schema | undefined} schema the option's, none where the kind has no such option
 */
function takes(draft, schema) {
  const defaults = schema?.['x-defaults'];
  return Boolean(schema) && (!defaults || defenceOf(draft) in defaults);
}

/** @param {Draft} draft */
function defenceOf(draft) {
  return draft.expert.defence ?? draft.defaults.defence;
}

/**
 * @param {Draft} draft
 * @param {Field} field
 */
function groups(draft, field) {
  const { extra, ...top } = draft.kind.schema.properties;
  /** @type {Record<string, Array<[string, Schema, boolean]>>} */
  const grouped = { who: [], change: [], after: [], rest: [] };
  const groupOf = (/** @type {string} */ name) =>
    Object.entries(GROUPS).find(([, names]) => /** @type {string[]} */ (names).includes(name))?.[0] ?? 'rest';
  for (const [name, schema] of Object.entries(top)) {
    if (!ELSEWHERE.has(name)) grouped[groupOf(name)].push([name, schema, false]);
  }
  for (const [name, schema] of Object.entries(extra?.properties ?? {})) grouped.rest.push([name, schema, true]);
  return Object.entries(grouped)
    .filter(([, fields]) => fields.length)
    .map(([group, fields]) => {
      const made = fields.map((each) => {
        const element = field(draft, optionOf(draft, ...each));
        draft.listen(() => (element.hidden = !takes(draft, each[1])));
        return element;
      });
      return h('fieldset', null, h('legend', null, say(`protect.group.${group}`)), made);
    });
}

/**
 * Return an option with its words, and how its value is read and set.
 * @param {Draft} draft
 * @param {string} name
 * @param {Schema} schema
 * @param {boolean} inner whether it is an option of the defence alone
 */
function optionOf(draft, name, schema, inner) {
  const words = known(`option.${name}`);
  const place = () => (inner ? (draft.expert.extra ?? {}) : draft.expert);
  const preset = () => {
    const of = schema['x-defaults'];
    // a preset's options are its own defence's
    if (of && defenceOf(draft) !== draft.defaults.defence) return of[defenceOf(draft)];
    return (inner ? draft.defaults.extra?.[name] : draft.defaults[name]) ?? schema.default;
  };
  const set = (/** @type {any} */ value) => {
    const { [name]: _, ...others } = place();
    const values = value === undefined || value === preset() ? others : { ...others, [name]: value };
    if (!inner) draft.expert = values;
    else {
      const { extra: __, ...top } = draft.expert;
      draft.expert = Object.keys(values).length ? { ...top, extra: values } : top;
    }
    draft.changed();
  };
  return {
    name,
    schema,
    label: words ? say(`option.${name}`) : name,
    help: words ? say(`option.${name}.help`) : (schema.description ?? ''),
    foreign: !words,
    preset,
    value: () => place()[name],
    set,
  };
}
