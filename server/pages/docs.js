// On the page of the contract: curl lines name the host that the reader is on, and can be copied; and
// where Swagger UI is on board it takes over from the plain page. Without this script the curl lines
// name the default address, and stand to be copied by hand.

import { takeOver } from './contract.js';
import { byId, el } from './dom.js';

const DEFAULT = 'http://127.0.0.1:8080';
const HERE = document.baseURI.replace(/\/docs(?:[?#].*)?$/, '');
const atHome = (lines) => lines.replaceAll(DEFAULT, HERE);

/** Copies, and says so on the button that was pressed. */
async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  button.textContent = 'Copied';
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 2000);
}

for (const pre of document.querySelectorAll('pre.sample')) {
  const code = pre.firstElementChild;
  code.textContent = atHome(code.textContent);
  if (!navigator.clipboard) continue; // on plain http other than localhost
  const button = el('button', { type: 'button', class: 'small' }, 'Copy');
  button.onclick = () => copy(code.textContent, button);
  pre.after(button);
}
takeOver(byId('contract'), { here: HERE, atHome, copy });
