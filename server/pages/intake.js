// Where clips come in: a place to drop or choose files, a record button, and the clips' cards.

import { card, problemNotice } from './card.js';
import { Clip } from './clip.js';
import { duration, el } from './dom.js';
import { record } from './recorder.js';

let made = 0; // for ids
let longest = 60; // seconds of a recording; the service's limit once it is known

export function limitRecordings(seconds) {
  longest = seconds;
}

/**
 * {element, clips, add(name, blob), clear()}. onChange() at every step of every clip.
 * options: title, tint (class), most clips.
 */
export function intake({ title, tint = '', most, onChange }) {
  const id = `intake-${++made}`;
  const clips = [];
  const list = el('ul', { class: 'clips', 'aria-label': `Clips: ${title}` });
  const note = el('div', { role: 'status' });

  const add = (name, blob) => {
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
    const clip = new Clip(name, blob);
    const item = card(clip, () => {
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

  const files = el('input', {
    type: 'file',
    multiple: true,
    id,
    accept: 'audio/*,video/mp4,video/webm,.flac,.opus,.m4a,.caf,.aiff,.au,.w64',
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
      el('label', { class: 'button', for: id }, 'Choose files'),
      recordButton(title, add, note),
    ),
    el('p', { class: 'muted' }, 'or drop them here'),
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
  return { element, clips, add, clear: () => [...clips].forEach(drop) };
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

function recordButton(title, add, note) {
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
        if (seconds >= longest - 0.5 && stop) end();
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
      el(
        'p',
        { class: 'muted' },
        'Recording. Talk as you do on the telephone, for five to ten ' +
          'seconds: count, or tell what you did this morning.',
      ),
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
