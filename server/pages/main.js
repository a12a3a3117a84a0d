// Starts the page: the service's facts, the key, the views.

import { call, setKey } from './api.js';
import { problemNotice, waitNotice } from './card.js';
import { compareView } from './compare.js';
import { byId, el } from './dom.js';
import { joined, sample } from './samples.js';
import { manyView } from './many.js';
import { talkView } from './talk.js';

const { a, b } = compareView();
const many = manyView();
const talk = talkView();

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
  for (const { limit } of [a, b, many.intake]) limit(info.limits.max_duration_s);
  talk.intake.limit(info.limits.diarize_max_duration_s);
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
  for (const side of [a, b, many.intake, talk.intake]) {
    for (const clip of side.clips) if (clip.problem?.status === 401) clip.send();
  }
};

const VIEWS = ['two', 'many', 'talk'];

/** The hash names the view; the first is shown for anything else. */
function route() {
  const named = location.hash.slice(1);
  const shown = VIEWS.includes(named) ? named : VIEWS[0];
  for (const view of VIEWS) {
    byId(view).hidden = view !== shown;
    if (view === shown) byId(`nav-${view}`).setAttribute('aria-current', 'page');
    else byId(`nav-${view}`).removeAttribute('aria-current');
  }
}

/** Puts clips that come with the service on the two sides, in place of what is there. */
async function take(...names) {
  const blobs = await Promise.all(names.map(sample));
  [a, b].forEach((side, i) => {
    side.clear();
    side.add(names[i], blobs[i]);
  });
}
byId('sample-talk').onclick = async () => talk.intake.add('Generated voices', await joined());
byId('sample-same').onclick = () => take('voice-a-1.wav', 'voice-a-2.wav');
byId('sample-different').onclick = () => take('voice-a-1.wav', 'voice-b-1.wav');

// A file that misses its place must not replace the page.
for (const name of ['dragover', 'drop']) addEventListener(name, (event) => event.preventDefault());
addEventListener('hashchange', route);
route();
greet();
