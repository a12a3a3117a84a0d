// The turns of a conversation over its waveform, one lane a voice; each can be played.

import { RATE } from './audio.js';
import { duration, el, save } from './dom.js';
import { keepPainted, paintWave } from './draw.js';
import { player } from './player.js';

const COLOURS = 8;

/** 'SPEAKER_03' -> 'Voice 4'. */
const voice = (label) => `Voice ${Number(label.replace(/\D/g, '')) + 1}`;
const colour = (label) => `g${Number(label.replace(/\D/g, '')) % COLOURS}`;
const percent = (share) => `${100 * share}%`;

/** Nodes of a clip that /diarize has answered. */
export function timeline(clip) {
  const { segments, speakers, duration_s: length } = clip.answer;
  if (speakers.length === 0) return [];
  const play = clip.wav ? player(clip) : null;
  const buttons = [];
  const lanes = speakers.map(({ speaker }) =>
    el(
      'div',
      { class: 'lane', role: 'group', 'aria-label': voice(speaker) },
      segments
        .filter((turn) => turn.speaker === speaker)
        .map((turn) => {
          const button = turnButton(turn, length, play);
          buttons.push({ turn, button });
          return button;
        }),
    ),
  );
  buttons.sort((a, b) => a.turn.start - b.turn.start || a.turn.end - b.turn.end);
  oneTabStop(buttons.map(({ button }) => button));
  const figure = el('figure', { class: 'timeline' }, clip.samples && wave(clip), lanes);
  if (play) follow(play, figure, buttons, length);
  return [
    el(
      'section',
      { class: 'panel', 'aria-label': 'Turns' },
      el('h2', {}, 'Turns'),
      figure,
      el(
        'p',
        { class: 'ends', 'aria-hidden': true },
        el('span', {}, clock(0)),
        el('span', {}, clock(length)),
      ),
      el(
        'p',
        { class: 'muted' },
        play
          ? 'Click a turn to hear it; with the keyboard the arrows go from turn to turn, Enter plays.'
          : 'This browser cannot decode the format, so there is no picture and no sound.',
      ),
      legend(speakers),
      saveButtons(clip),
    ),
    whatItSaid(clip.answer),
  ];
}

function turnButton(turn, length, play) {
  const button = el('button', {
    type: 'button',
    class: `turn ${colour(turn.speaker)}`,
    'aria-label': `${voice(turn.speaker)}, ${clock(turn.start)} to ${clock(turn.end)}`,
    title: `${voice(turn.speaker)}, ${clock(turn.start)} to ${clock(turn.end)}`,
    onclick: () => play?.toggle(turn.start, turn.end),
  });
  button.style.left = percent(turn.start / length);
  button.style.width = percent((turn.end - turn.start) / length);
  return button;
}

/** Tab reaches the turns once; arrows, Home and End move among them, in order of time. */
function oneTabStop(buttons) {
  buttons.forEach((button, i) => {
    button.tabIndex = i === 0 ? 0 : -1;
    button.onfocus = () => {
      for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
    };
    button.onkeydown = (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: buttons.length - 1 }[
        event.key
      ];
      if (!(to in buttons)) return;
      event.preventDefault();
      buttons[to].focus();
    };
  });
}

/** The waveform in the voices' colours, grey where nobody speaks. */
function wave(clip) {
  const { exclusive, duration_s: length } = clip.answer;
  const canvas = el('canvas', {
    class: 'wave',
    role: 'img',
    'aria-label': `Waveform of ${clip.name}, coloured by voice`,
  });
  keepPainted(
    canvas,
    () => {
      const colours = new Map();
      const swatch = canvas.parentElement.appendChild(el('i'));
      for (const { speaker } of clip.answer.speakers) {
        swatch.className = colour(speaker);
        colours.set(speaker, getComputedStyle(swatch).getPropertyValue('--group'));
      }
      swatch.remove();
      let at = 0; // columns come in order of time
      paintWave(canvas, clip.samples, (share) => {
        const seconds = (share * clip.samples.length) / RATE;
        while (at < exclusive.length && exclusive[at].end <= seconds) at++;
        const turn = exclusive[at];
        return turn && turn.start <= seconds ? colours.get(turn.speaker) : null;
      });
    },
    clip.signal,
  );
  return canvas;
}

/** The line that moves while a turn plays, and the turn that sounds. */
function follow(play, figure, buttons, length) {
  const head = el('div', { class: 'playhead', hidden: true });
  figure.append(head);
  play.onMove = (seconds) => {
    head.hidden = seconds === null;
    if (seconds !== null) head.style.left = percent(seconds / length);
    for (const { turn, button } of buttons) {
      const sounds = seconds !== null && turn.start <= seconds && seconds < turn.end;
      button.classList.toggle('playing', sounds);
    }
  };
}

const legend = (speakers) =>
  el(
    'ul',
    { class: 'legend', 'aria-label': 'Voices' },
    speakers.map(({ speaker, speech_s: speech, share, segments }) =>
      el(
        'li',
        {},
        el('span', { class: `swatch ${colour(speaker)}`, 'aria-hidden': true }),
        ` ${voice(speaker)}: ${duration(speech)}, ${Math.round(100 * share)} % of the speech, ` +
          `${segments} ${segments === 1 ? 'turn' : 'turns'}`,
      ),
    ),
  );

function saveButtons(clip) {
  const name = clip.name.replace(/\.[^.]*$/, '');
  const button = (text, onclick) => el('button', { type: 'button', class: 'small', onclick }, text);
  return el(
    'p',
    { class: 'row' },
    button('Save as RTTM', () => save(`${name}.rttm`, 'text/plain', rttm(name, clip.answer))),
    button('Save as JSON', () =>
      save(`${name}.json`, 'application/json', JSON.stringify(clip.answer, null, 2)),
    ),
  );
}

/** Ten fields a turn, as `format=rttm` of the service writes them. */
const rttm = (name, { segments }) =>
  segments
    .map(
      ({ start, end, speaker }) =>
        `SPEAKER ${name.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 64)} 1 ${start.toFixed(3)} ` +
        `${(end - start).toFixed(3)} <NA> <NA> ${speaker} <NA> <NA>\n`,
    )
    .join('');

const whatItSaid = (answer) =>
  el(
    'details',
    {},
    el('summary', {}, 'What the service answered'),
    el('pre', { tabindex: 0 }, JSON.stringify(answer, null, 2)),
  );

/** "1:05.3". */
function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const s = ((tenths % 600) / 10).toFixed(1);
  return `${Math.floor(tenths / 600)}:${s.padStart(4, '0')}`;
}
