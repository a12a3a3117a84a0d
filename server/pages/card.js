// The card of one clip: pictures, playback, state, remarks, and what to do about a problem.

import { duration, el } from './dom.js';
import { keepPainted, paintMel, paintWave } from './draw.js';
import { logMel } from './fbank.js';
import { RATE } from './audio.js';
import { advice, warning } from './words.js';

const COLUMNS = 900; // of a spectrogram; no canvas of ours is wider

/** A list item that follows the clip until it is removed. onRemove(): the person took it away. */
export function card(clip, onRemove) {
  const length = el('span', { class: 'muted' });
  const figure = el('figure', { hidden: true });
  const tools = el('div', { class: 'row' });
  const remove = el(
    'button',
    { type: 'button', class: 'small', onclick: onRemove, 'aria-label': `Remove ${clip.name}` },
    'Remove',
  );
  const state = el('div', { class: 'state', role: 'status' });
  const item = el(
    'li',
    { class: 'clip' },
    el('h3', {}, clip.name, ' ', length),
    figure,
    tools,
    state,
  );
  tools.append(remove);

  const show = () => {
    length.textContent = duration(clip.samples.length / RATE);
    figure.replaceChildren(...pictures(clip));
    figure.hidden = false;
    tools.replaceChildren(...player(clip, figure), remove);
  };
  const update = () => {
    if (clip.answer && !clip.samples) {
      length.textContent = duration(clip.answer.audio.duration_s);
    }
    item.dataset.state = clip.state;
    state.replaceChildren(...report(clip));
  };
  clip.addEventListener('decoded', show);
  clip.addEventListener('change', update);
  update();
  return item;
}

function pictures(clip) {
  const { samples } = clip;
  const { mel, frames } = logMel(samples, COLUMNS);
  const about = `of ${clip.name}, ${duration(samples.length / RATE)}`;
  const wave = el('canvas', { class: 'wave', role: 'img', 'aria-label': `Waveform ${about}` });
  const tones = el('canvas', {
    class: 'mel',
    role: 'img',
    'aria-label': `Log-mel spectrogram ${about}, low tones at the bottom`,
  });
  keepPainted(wave, (canvas) => paintWave(canvas, samples), clip.signal);
  keepPainted(tones, (canvas) => paintMel(canvas, mel, frames), clip.signal);
  return [wave, tones];
}

function player(clip, figure) {
  const address = URL.createObjectURL(clip.wav);
  const audio = new Audio(address);
  const head = el('div', { class: 'playhead', hidden: true });
  figure.append(head);
  const play = el(
    'button',
    {
      type: 'button',
      class: 'small',
      'aria-label': `Play ${clip.name}`,
      onclick: () => (audio.paused ? audio.play() : audio.pause()),
    },
    'Play',
  );
  const follow = () => {
    head.style.left = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.onplay = () => {
    play.textContent = 'Pause';
    head.hidden = false;
    follow();
  };
  audio.onpause = () => {
    play.textContent = 'Play';
    head.hidden = audio.ended;
  };
  clip.signal.addEventListener(
    'abort',
    () => {
      audio.pause();
      URL.revokeObjectURL(address);
    },
    { once: true },
  );
  const save = el(
    'a',
    {
      class: 'button small',
      href: address,
      download: `${clip.name.replace(/\.[^.]*$/, '')}-16k.wav`,
      'aria-label': `Save ${clip.name} as 16 kHz WAV`,
    },
    'Save WAV',
  );
  return [play, save];
}

/** The clip's state in words: nodes. ready(clip): those of an answer. */
export function report(clip, ready = remarks) {
  switch (clip.state) {
    case 'sending':
      return [el('span', { class: 'muted' }, 'Listening\u2026')];
    case 'waiting':
      return [waitNotice(clip.wait)];
    case 'failed':
      return [problemNotice(clip.problem, retries(clip))];
    default:
      return ready(clip);
  }
}

function remarks(clip) {
  const { speech_s: speech } = clip.answer.quality;
  const nodes = [el('span', { class: 'muted' }, `Ready: ${duration(speech)} of speech.`)];
  if (!clip.samples) {
    nodes.push(
      el(
        'p',
        { class: 'muted' },
        'This browser cannot decode the file, so there is no picture; the service read it.',
      ),
    );
  }
  if (clip.warnings.length > 0) {
    nodes.push(
      el(
        'ul',
        { 'aria-label': 'Warnings' },
        clip.warnings.map((w) => el('li', {}, warning(w))),
      ),
    );
  }
  return nodes;
}

function retries(clip) {
  const { problem } = clip;
  const cut = problem.name === 'audio-too-long' && clip.samples && problem.limitS > 0;
  if (cut) {
    return [
      el(
        'button',
        { type: 'button', class: 'small', onclick: () => clip.cut(problem.limitS) },
        `Use the first ${problem.limitS} s`,
      ),
    ];
  }
  const mayPass = problem.status === 0 || problem.status === 401 || problem.status >= 500;
  return mayPass
    ? [el('button', { type: 'button', class: 'small', onclick: () => clip.send() }, 'Try again')]
    : [];
}

/** What went wrong and what to do: the problem's title, its detail, advice, buttons. */
export function problemNotice(problem, buttons = []) {
  return el(
    'div',
    { class: 'notice bad', 'data-problem': problem.name },
    el('p', {}, el('strong', {}, problem.title)),
    problem.detail && problem.detail !== problem.title && el('p', {}, problem.detail),
    el('p', {}, advice(problem)),
    problem.requestId && el('p', { class: 'muted' }, `Request ${problem.requestId}`),
    buttons.length > 0 && el('p', { class: 'row' }, buttons),
  );
}

/** The same for a pause before the next attempt, counting down. */
export function waitNotice({ problem, seconds, attempt, attempts, skip }) {
  const left = el('span', {}, String(seconds));
  const until = performance.now() + 1000 * seconds;
  const timer = setInterval(() => {
    const now = Math.ceil((until - performance.now()) / 1000);
    left.textContent = String(Math.max(now, 0));
    if (now <= 0) clearInterval(timer);
  }, 250);
  // The count is for the eye: a live region that changed with it would never fall silent.
  return el(
    'div',
    { class: 'notice warn', 'data-problem': problem.name },
    el('p', {}, el('strong', {}, problem.title)),
    el(
      'p',
      {},
      `${advice(problem)} `,
      el('span', { 'aria-hidden': true }, 'Next try in ', left, ' s'),
      ` (attempt ${attempt + 1} of ${attempts}).`,
    ),
    el(
      'p',
      { class: 'row' },
      el('button', { type: 'button', class: 'small', onclick: skip }, 'Try now'),
    ),
  );
}
