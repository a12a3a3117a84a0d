// The third view: one conversation, and who spoke when in it.

import { call } from './api.js';
import { report } from './card.js';
import { Clip } from './clip.js';
import { byId, duration, el } from './dom.js';
import { intake } from './intake.js';
import { timeline } from './timeline.js';
import { warning } from './words.js';

const MOST_VOICES = 20; // that the service looks for

/** Fills the view. Returns {intake}. */
export function talkView() {
  const result = byId('talk-result');
  const count = byId('talk-count');
  let shown = null; // the answer in the picture

  const ask = (request) =>
    call(count.value ? `diarize?num_speakers=${count.value}` : 'diarize', request);

  const update = () => {
    const [clip] = taken.clips;
    count.disabled = clip?.pending ?? false;
    const answer = clip?.state === 'ready' ? clip.answer : null;
    if (answer === shown) return;
    shown = answer;
    result.replaceChildren(...(answer ? timeline(clip) : []));
  };

  for (let n = 1; n <= MOST_VOICES; n++) count.append(el('option', { value: n }, String(n)));
  count.onchange = () => taken.clips[0]?.send();

  const taken = intake({
    title: 'Conversation',
    tint: 'talk',
    most: 1,
    hint: 'Let everybody say a few sentences.',
    make: (name, blob) => new Clip(name, blob, ask),
    show: item,
    onChange: update,
  });
  byId('talk-intake').append(taken.element);
  return { intake: taken };
}

/** A list item that follows the conversation until it is removed. */
function item(clip, onRemove) {
  const state = el('div', { class: 'state', role: 'status' });
  const bar = el('progress', { max: 1, 'aria-label': `Progress of ${clip.name}`, hidden: true });
  const update = () => {
    node.dataset.state = clip.state;
    const sending = clip.state === 'sending';
    bar.hidden = !sending;
    // How far it is goes to the bar alone: words that come again and again would be read out each time.
    if (sending && clip.progress) bar.value = clip.progress.progress;
    else {
      bar.removeAttribute('value');
      state.replaceChildren(...report(clip, found));
    }
  };
  const remove = el(
    'button',
    { type: 'button', class: 'small', onclick: onRemove, 'aria-label': `Remove ${clip.name}` },
    'Remove',
  );
  const node = el('li', { class: 'clip' }, el('h3', {}, clip.name), bar, state, remove);
  clip.addEventListener('change', update);
  update();
  return node;
}

/** What was found, in words: nodes. */
function found(clip) {
  const { num_speakers: n, duration_s: length, speech_s: speech, warnings } = clip.answer;
  const voices = `${n} ${n === 1 ? 'voice' : 'voices'}`;
  return [
    el('p', {}, `${voices} in ${duration(length)}, of which ${duration(speech)} are speech.`),
    warnings.length > 0 &&
      el(
        'ul',
        { 'aria-label': 'Warnings' },
        [...clip.remarks, ...warnings].map((name) => el('li', {}, warning(name))),
      ),
  ].filter(Boolean);
}
