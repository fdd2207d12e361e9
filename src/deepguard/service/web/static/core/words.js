/** Everything that is said, in the visitor's language: sentences, numbers, times. */

import { boot } from './boot.js';

/** @type {Record<string, string>} */
const words = {};

export const language = boot.language;
const locale = (navigator.languages ?? []).find((each) => each.toLowerCase().startsWith(language)) ?? language;

/** Names the sentences about what came of jobs: no first screen needs them. */
export const LATER = 'late';
/** @type {Set<string>} views whose sentences are here; "" stands for those of all views */
const loaded = new Set();

/**
 * Fetch the sentences that all views share, or those of one view; before that, `say` does not know them.
 * @param {string} [view] name of its folder, or `LATER`
 */
export async function loadWords(view = '') {
  if (loaded.has(view)) return;
  const file = view === LATER ? LATER : `${view && `views/${view}/`}words`;
  const answer = await fetch(`${boot.assets}/${file}.${language}.json`);
  if (!answer.ok) throw new Error(`the words are not here: ${answer.status}`);
  Object.assign(words, await answer.json());
  loaded.add(view);
}

/**
 * Return a sentence with its gaps filled; numbers are written as the language does. A gap is {name}, or
 * {name:time|times} for a number with the word for one or for more. Where `count` is 1 and the sentence has a form for
 * one (key + ".one"), that is taken.
 * @param {string} key
 * @param {Record<string, string | number>} [gaps]
 */
export function say(key, gaps = {}) {
  const one = gaps.count === 1 ? words[`${key}.one`] : undefined;
  const sentence = one ?? words[key];
  if (sentence === undefined) throw new Error(`there is no sentence ${key}`);
  return sentence.replace(/\{(\w+)(?::([^|{}]*)\|([^|{}]*))?\}/g, (_, name, single, more) => {
    const value = gaps[name];
    const text = typeof value === 'number' ? number(value) : (value ?? '');
    return single === undefined ? text : `${text} ${value === 1 ? single : more}`;
  });
}

/**
 * Return whether there is such a sentence.
 * @param {string} key
 */
export function known(key) {
  return key in words;
}

/**
 * Return how a job stands, as its kind says it.
 * @param {import('./types.js').Job} job
 */
export function standing({ kind, state }) {
  return say(known(`job.${kind}.${state}`) ? `job.${kind}.${state}` : `job.${state}`);
}

/**
 * Return what people call a program that looks for faces; one that is new here goes by the name of its module.
 * @param {string} name
 */
export function program(name) {
  return known(`detector.${name}`) ? say(`detector.${name}`) : name;
}

/**
 * Return a number with at most so many digits after the point.
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 2) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

/**
 * Return a share as percents.
 * @param {number} share 0 to 1
 */
export function percent(share) {
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(share);
}

/**
 * Return a probability as a percentage, never quite none or all: nothing here is as sure as that.
 * @param {number} share from 0 to 1
 */
export function chance(share) {
  return percent(Math.min(0.99, Math.max(0.01, share)));
}

/**
 * Return a size in a unit that suits it, by powers of 1024 as the service's limits are.
 * @param {number} bytes
 */
export function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  // a number and its unit stay on one line
  return `${number(value, value < 10 && power > 0 ? 1 : 0)}\u00a0${units[power]}`;
}

/**
 * Return a rough time in words that suit its length.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 59.5) return say('unit.seconds', { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 3570) return say('unit.minutes', { n: Math.round(seconds / 60) });
  const hours = Math.round(seconds / 3600);
  if (hours > 48) return say('unit.days', { n: Math.round(hours / 24) });
  return say('unit.hours', { n: hours });
}

/**
 * Return a moment as day and time.
 * @param {string} moment ISO 8601
 */
export function moment(moment) {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(moment));
}

/**
 * Return a day without its year.
 * @param {string} day ISO 8601
 */
export function day(day) {
  return new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', timeZone: 'UTC' }).format(new Date(day));
}

/**
 * Return several things as a sentence lists them.
 * @param {string[]} things
 */
export function list(things) {
  // what the locale joins Korean words with is not how people talk
  if (locale.startsWith('ko')) return things.join(', ');
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format(things);
}
