/** The ways of posting a photo, by name and by what was counted there. */

import { known, list, say } from '../../core/words.js';

/**
 * Return the name of a way of posting.
 * @param {string} name
 */
export function placeName(name) {
  return known(`posting.${name}`) ? say(`posting.${name}`) : name;
}

/**
 * Return a sentence's words for places, by what was counted there.
 * @param {string[]} places
 * @param {(place: string) => number} counted
 * @returns {Array<[count: number, places: string]>}
 */
export function grouped(places, counted) {
  /** @type {Map<number, string[]>} */
  const groups = new Map();
  for (const place of places) groups.set(counted(place), [...(groups.get(counted(place)) ?? []), placeName(place)]);
  return [...groups].map(([count, names]) => [count, list(names)]);
}
