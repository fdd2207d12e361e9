/** Light or dark: as the system has it, until the visitor says otherwise. */

import { boot } from './boot.js';
import { say } from './words.js';

const YEAR = 365 * 24 * 3600;

/** Make the bar's button work; without scripts it is not shown. */
export function install() {
  const button = document.getElementById('theme');
  if (!button) return;
  button.hidden = false;
  name(button);
  button.addEventListener('click', () => {
    const theme = dark() ? 'light' : 'dark';
    document.documentElement.setAttribute('data-theme', theme);
    document.cookie = `deepguard_theme=${theme}; path=${boot.root || '/'}; max-age=${YEAR}; samesite=lax`;
    name(button);
  });
}

function dark() {
  const chosen = document.documentElement.getAttribute('data-theme');
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** @param {HTMLElement} button */
function name(button) {
  const text = say(dark() ? 'theme.light' : 'theme.dark');
  button.setAttribute('aria-label', text);
  button.title = text;
}
