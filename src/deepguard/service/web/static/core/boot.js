/** What the server says with every page: where it is reached, what it is, and which views there are. */

/**
 * @typedef {object} Boot
 * @property {string} root prefix of every address; "" where there is none
 * @property {string} assets where the page's own files are, for this version of them
 * @property {string} version
 * @property {'ko' | 'en'} language
 * @property {Array<{name: string, path: string, script: string}>} views
 * @property {Record<string, string>} kinds kind of job -> the module that shows what came of it
 */

const element = document.getElementById('boot');

/** @type {Boot} */
export const boot = JSON.parse(element?.textContent ?? '{}');

/**
 * Return the address of a path of the service.
 * @param {string} path begins with "/"
 */
export function address(path) {
  return boot.root + path;
}
