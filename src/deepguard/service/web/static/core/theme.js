/** Light or dark: as the system has it, until the visitor says otherwise. */

import { boot } from './boot.js';
import { say } from './words.js';

const YEAR = 365 * 24 * 3600;

/** Make the bar's button work; without scripts it is not shown. */
export function install() {
  const button = document.getElementById('theme');
  if (!button) return;
  button.classList.add('works');
  const kept = /deepguard_theme=(light|dark)/.exec(document.cookie)?.[1];
  // a page that the browser has kept knows of no cookie
  if (kept) document.documentElement.setAttribute('data-theme', kept);
  name(button);
  button.addEventListener('click', () => {
    const theme = dark() ? 'light' : 'dark';
    document.documentElement.setAttribute('data-theme', theme);
    document.cookie = `deepguard_theme=${theme}; path=${boot.root || '/'}; max-age=${YEAR}; samesite=lax`;
    name(button);
    paint();
  });
}

/** Give the browser's own frame the page's colour. */
function paint() {
  const paper = getComputedStyle(document.documentElement).getPropertyValue('--paper').trim();
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) meta.setAttribute('content', paper);
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
