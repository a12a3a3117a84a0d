// Where clips come in: a place to drop or choose files, a record button, and the clips' cards.

import { card, problemNotice } from './card.js';
import { Clip } from './clip.js';
import { duration, el } from './dom.js';
import { record } from './recorder.js';

const HINT =
  'Talk as you do on the telephone, for five to ten seconds: count, or tell what you did this morning.';
let made = 0; // for ids

/**
 * {element, clips, add(name, blob), clear(), limit(seconds)}; limit: of a recording by microphone.
 * options: title, tint (class); most clips, where one alone makes way for the next; hint while
 * recording; make(name, blob): a Clip; show(clip, onRemove): its list item; onChange() at every
 * step of every clip.
 */
export function intake({
  title,
  tint = '',
  most,
  hint = HINT,
  make = (name, blob) => new Clip(name, blob),
  show = card,
  onChange,
}) {
  const id = `intake-${++made}`;
  const clips = [];
  const list = el('ul', { class: 'clips', 'aria-label': `Clips: ${title}` });
  const note = el('div', { role: 'status' });
  let longest = 60; // seconds of a recording; the service's limit once it is known

  const add = (name, blob) => {
    if (most === 1) clear();
    if (clips.length >= most) {
      note.replaceChildren(
        el(
          'p',
          { class: 'notice warn' },
          `${most} clips are the most that fit here. ${name} was left out.`,
        ),
      );
      return;
    }
    const clip = make(name, blob);
    const item = show(clip, () => {
      drop(clip);
      note.replaceChildren();
      files.focus(); // the button that had the focus is gone
    });
    clips.push(clip);
    list.append(item);
    clip.addEventListener('change', onChange);
    clip.signal.addEventListener('abort', () => item.remove(), { once: true });
    clip.run();
  };
  const drop = (clip) => {
    clips.splice(clips.indexOf(clip), 1);
    clip.remove();
    onChange();
  };
  const clear = () => [...clips].forEach(drop);

  const files = el('input', {
    type: 'file',
    multiple: most > 1,
    id,
    accept: 'audio/*,video/mp4,video/webm,video/quicktime,.flac,.opus,.m4a,.caf,.aiff,.au,.w64,.amr,.3gp,.mka,.wma',
    onchange: () => {
      for (const file of files.files) add(file.name, file);
      files.value = '';
    },
  });
  const zone = el(
    'div',
    { class: 'drop' },
    el(
      'div',
      { class: 'row' },
      files,
      el('label', { class: 'button', for: id }, most > 1 ? 'Choose files' : 'Choose a file'),
      recordButton({ title, hint, add, note, longest: () => longest }),
    ),
    el('p', { class: 'muted' }, most > 1 ? 'or drop them here' : 'or drop it here'),
  );
  takeDrops(zone, add);
  const element = el(
    'section',
    { class: `panel intake ${tint}`, 'aria-label': title },
    el('h2', {}, title),
    zone,
    note,
    list,
  );
  const limit = (seconds) => {
    longest = seconds;
  };
  return { element, clips, add, clear, limit };
}

function takeDrops(zone, add) {
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add('over');
  };
  zone.ondragleave = () => zone.classList.remove('over');
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove('over');
    for (const file of event.dataTransfer.files) add(file.name, file);
  };
}

function recordButton({ title, hint, add, note, longest }) {
  let stop = null; // while recording
  let count = 0;
  const button = el('button', { type: 'button', 'aria-label': `Record, ${title}` }, 'Record');
  const bar = el('div');

  const begin = async () => {
    button.disabled = true;
    try {
      stop = await record((level, seconds) => {
        bar.style.width = `${100 * level}%`;
        button.textContent = `Stop (${duration(seconds)})`;
        if (seconds >= longest() - 0.5 && stop) end();
      });
    } catch (problem) {
      note.replaceChildren(problemNotice(problem));
      return;
    } finally {
      button.disabled = false;
    }
    button.classList.add('recording');
    button.setAttribute('aria-label', `Stop recording, ${title}`);
    note.replaceChildren(
      el('div', { class: 'level', 'aria-hidden': true }, bar),
      el('p', { class: 'muted' }, `Recording. ${hint}`),
    );
  };

  const end = async () => {
    const finish = stop;
    stop = null;
    button.classList.remove('recording');
    button.setAttribute('aria-label', `Record, ${title}`);
    button.textContent = 'Record';
    note.replaceChildren();
    add(`Recording ${++count}`, await finish());
  };

  button.onclick = () => (stop ? end() : begin());
  return button;
}
