/** The page as an app of its own: its files are kept in the browser, and it says where there is no connection. */

import { address, boot } from './boot.js';
import { fill, h, icon } from './dom.js';
import { say } from './words.js';

const PAUSE = 5000;

/** Have the browser keep the page's own files, where it may: on https and on this very machine. */
export async function keep() {
  if (!isSecureContext || !('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register(address('/sw.js'), { updateViaCache: 'none' });
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage(boot.language);
  } catch (refused) {
    // the page works without, as in a private window
    console.info(String(refused));
  }
}

/** Say when the connection is lost, until it is back; the page that stands in for another opens that one again. */
export function listen() {
  if (document.querySelector('[data-offline]')) return comeBack();
  const note = h('div.connection', { role: 'status' });
  document.querySelector('.bar')?.after(note);
  const tell = () => fill(note, navigator.onLine ? null : h('p', null, icon('offline'), say('connection.lost')));
  addEventListener('online', tell);
  addEventListener('offline', tell);
  if (!navigator.onLine) tell();
}

function comeBack() {
  const again = () => location.reload();
  addEventListener('online', again);
  // a connection alone is not enough where the service itself was away
  setInterval(async () => {
    const answer = await fetch(address('/healthz'), { cache: 'no-store' }).catch(() => null);
    if (answer?.ok) again();
  }, PAUSE);
}
