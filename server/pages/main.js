// Starts the page: the service's facts, the key, the two views.

import { call, setKey } from './api.js';
import { problemNotice, waitNotice } from './card.js';
import { compareView } from './compare.js';
import { byId, el } from './dom.js';
import { limitRecordings } from './intake.js';
import { manyView } from './many.js';

const { a, b } = compareView();
const many = manyView();

/** Asks the service what it is; a key that it wants is asked of the person. */
async function greet() {
  const place = byId('service');
  try {
    const info = await call('info', { onWait: (wait) => place.replaceChildren(waitNotice(wait)) });
    place.replaceChildren(...introduce(info));
    return true;
  } catch (problem) {
    if (problem.status === 401) askForKey();
    else {
      place.replaceChildren(
        problemNotice(problem, [
          el('button', { type: 'button', class: 'small', onclick: greet }, 'Try again'),
        ]),
      );
    }
    return false;
  }
}

function introduce(info) {
  limitRecordings(info.limits.max_duration_s);
  many.setThreshold(info.threshold);
  byId('model').textContent = `Model ${info.model}, ${info.dim} numbers a voice.`;
  return info.untrained
    ? [
        el(
          'p',
          { class: 'notice warn' },
          el('strong', {}, 'The weights of this model are random. '),
          'The page works, but the scores mean nothing.',
        ),
      ]
    : [];
}

function askForKey() {
  const form = byId('key-form');
  const again = !form.hidden;
  form.hidden = false;
  if (again) {
    byId('key-note').textContent = 'The service does not know this key. Check it and try again.';
    byId('key').setAttribute('aria-invalid', 'true');
  }
}

byId('key-form').onsubmit = async (event) => {
  event.preventDefault();
  setKey(byId('key').value);
  if (!(await greet())) return;
  byId('key-form').hidden = true;
  for (const side of [a, b, many.intake]) {
    for (const clip of side.clips) if (clip.problem?.status === 401) clip.send();
  }
};

/** #many shows the second view, anything else the first. */
function route() {
  const inMany = location.hash === '#many';
  byId('two').hidden = inMany;
  byId('many').hidden = !inMany;
  byId('nav-two').toggleAttribute('aria-current', !inMany);
  byId('nav-many').toggleAttribute('aria-current', inMany);
  document
    .querySelectorAll('nav [aria-current]')
    .forEach((link) => link.setAttribute('aria-current', 'page'));
}

/** Puts clips that come with the service on the two sides, in place of what is there. */
async function take(...names) {
  const blobs = await Promise.all(
    names.map(async (name) => (await fetch(new URL(name, import.meta.url))).blob()),
  );
  [a, b].forEach((side, i) => {
    side.clear();
    side.add(names[i], blobs[i]);
  });
}
byId('sample-same').onclick = () => take('voice-a-1.wav', 'voice-a-2.wav');
byId('sample-different').onclick = () => take('voice-a-1.wav', 'voice-b-1.wav');

// A file that misses its place must not replace the page.
for (const name of ['dragover', 'drop']) addEventListener(name, (event) => event.preventDefault());
addEventListener('hashchange', route);
route();
greet();
