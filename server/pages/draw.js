// Waveform and spectrogram on canvases, and the colours of the heat map.

import { MELS } from './fbank.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

/** Calls paint(canvas) now and whenever size or colour scheme change, until signal aborts. */
export function keepPainted(canvas, paint, signal) {
  const again = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0 || height === 0) return; // not shown
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    paint(canvas);
  };
  const observer = new ResizeObserver(again);
  observer.observe(canvas);
  onSchemeChange(again, signal);
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
}

export function onSchemeChange(redraw, signal) {
  dark.addEventListener('change', redraw, { signal });
}

/**
 * Lowest and highest sample of each pixel column, loudest at full height. colourAt(share 0..1 of the
 * length): a colour, or null for the canvas's own; asked from left to right.
 */
export function paintWave(canvas, samples, colourAt = () => null) {
  const { width, height } = canvas;
  const context = canvas.getContext('2d');
  let peak = 1e-4;
  for (const x of samples) peak = Math.max(peak, Math.abs(x));
  const own = getComputedStyle(canvas).color;
  for (let column = 0; column < width; column++) {
    const from = Math.floor((column * samples.length) / width);
    const to = Math.max(from + 1, Math.floor(((column + 1) * samples.length) / width));
    let low = samples[from];
    let high = low;
    for (let i = from + 1; i < to; i++) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    const top = (0.5 - (0.48 * high) / peak) * height;
    const bottom = (0.5 - (0.48 * low) / peak) * height;
    context.fillStyle = colourAt((column + 0.5) / width) ?? own;
    context.fillRect(column, top, 1, Math.max(bottom - top, 1));
  }
}

const RANGE = 14; // natural log of energy: 61 dB from the loudest downwards

/** mel [frames, MELS], low tones at the bottom. */
export function paintMel(canvas, mel, frames) {
  if (frames === 0) return;
  let top = -Infinity;
  for (const x of mel) top = Math.max(top, x);
  const image = new ImageData(frames, MELS);
  for (let t = 0; t < frames; t++) {
    for (let m = 0; m < MELS; m++) {
      const loudness = Math.max(0, 1 - (top - mel[t * MELS + m]) / RANGE);
      image.data.set(flame(loudness), 4 * ((MELS - 1 - m) * frames + t));
    }
  }
  const small = new OffscreenCanvas(frames, MELS);
  small.getContext('2d').putImageData(image, 0, 0);
  canvas.getContext('2d').drawImage(small, 0, 0, canvas.width, canvas.height);
}

const FLAME = [
  [9, 8, 26],
  [66, 19, 104],
  [140, 41, 129],
  [222, 73, 104],
  [254, 159, 109],
  [252, 253, 191],
];

/** 0..1 -> [r, g, b, 255], dark violet to pale yellow, even in lightness. */
const flame = (x) => [...blend(FLAME, x), 255];

/** Background and readable text of a score's cell: from the panel's colour up to the accent's. */
export function heat(score) {
  const ramp = dark.matches
    ? [
        [28, 31, 37],
        [60, 84, 140],
        [147, 181, 255],
      ]
    : [
        [255, 255, 255],
        [150, 176, 232],
        [24, 66, 160],
      ];
  const back = blend(ramp, Math.min(Math.max((score + 0.2) / 1.2, 0), 1)).map(Math.round);
  // Black or white, whichever stands out more: one of them always has a contrast above 4.5.
  const light = 0.2126 * linear(back[0]) + 0.7152 * linear(back[1]) + 0.0722 * linear(back[2]);
  return { back: `rgb(${back.join(' ')})`, text: light > 0.179 ? '#000' : '#fff' };
}

const linear = (c) => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);

function blend(stops, x) {
  const at = x * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((c, k) => c + (at - i) * (stops[i + 1][k] - c));
}
