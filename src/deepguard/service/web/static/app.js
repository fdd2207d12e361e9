/** The page: takes over from the plain one that the server has drawn. */

import { boot } from './core/boot.js';
import { follow } from './core/route.js';
import { keep, listen } from './core/shell.js';
import { install } from './core/theme.js';
import { loadWords } from './core/words.js';

const plain = document.querySelector('[data-plain]');

await loadWords();
install();
listen();
// an error that the server has already put into words stays
if (plain?.getAttribute('data-plain') !== 'stays') await follow();
document.documentElement.setAttribute('data-ready', boot.version);
void keep();
