// Log-mel features as the network sees them, for display: Kaldi's fbank without dither and
// without the mean over time taken off. Same constants as core/features/fbank.c.

const FRAME = 400; // 25 ms at 16 kHz
const HOP = 160; // 10 ms
const FFT = 512;
export const MELS = 80;
const PREEMPHASIS = 0.97;
const LOW_HZ = 20;
const HIGH_HZ = 8000;
const EPSILON = 1.1920928955078125e-7; // of float32: Kaldi's floor under the log

/**
 * samples at 16 kHz in [-1, 1] -> {mel: Float32Array [frames, MELS], frames}; no frame when
 * shorter than 25 ms. At most `most` frames: beyond that the hop grows (a canvas has no more
 * columns anyway).
 */
export function logMel(samples, most = Infinity) {
  const all = samples.length < FRAME ? 0 : 1 + Math.floor((samples.length - FRAME) / HOP);
  const frames = Math.min(all, most);
  const hop = all > most ? (samples.length - FRAME) / Math.max(most - 1, 1) : HOP;
  const mel = new Float32Array(frames * MELS);
  const re = new Float64Array(FFT);
  const im = new Float64Array(FFT);
  for (let t = 0; t < frames; t++) {
    windowed(samples, Math.floor(t * hop), re);
    im.fill(0);
    transform(re, im);
    for (let m = 0; m < MELS; m++) {
      const { first, weights } = filters[m];
      let energy = 0;
      for (let k = 0; k < weights.length; k++) {
        const bin = first + k;
        energy += weights[k] * (re[bin] ** 2 + im[bin] ** 2);
      }
      mel[t * MELS + m] = Math.log(Math.max(energy, EPSILON));
    }
  }
  return { mel, frames };
}

// Kaldi's "povey" window.
const shape = Float64Array.from(
  { length: FRAME },
  (_, i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (FRAME - 1))) ** 0.85,
);

/** One frame from `start`: int16 scale, mean off, pre-emphasis, window, zero padded to FFT. */
function windowed(samples, start, out) {
  let mean = 0;
  for (let i = 0; i < FRAME; i++) mean += samples[start + i];
  mean /= FRAME;
  let before = samples[start] - mean;
  for (let i = 0; i < FRAME; i++) {
    const now = samples[start + i] - mean;
    out[i] = 32768 * (now - PREEMPHASIS * before) * shape[i];
    before = now;
  }
  out.fill(0, FRAME);
}

/** Triangles on the mel scale over the bins 0..FFT/2-1: [{first bin, weights}] x MELS. */
const filters = (() => {
  const toMel = (hz) => 1127 * Math.log(1 + hz / 700);
  const low = toMel(LOW_HZ);
  const step = (toMel(HIGH_HZ) - low) / (MELS + 1);
  return Array.from({ length: MELS }, (_, m) => {
    const weights = [];
    let first = 0;
    for (let bin = 0; bin < FFT / 2; bin++) {
      const at = (toMel((bin * 16000) / FFT) - low) / step - m; // 0 left foot, 1 top, 2 right foot
      if (at <= 0 || at >= 2) continue;
      if (weights.length === 0) first = bin;
      weights.push(at <= 1 ? at : 2 - at);
    }
    return { first, weights };
  });
})();

const turns = Array.from({ length: FFT / 2 }, (_, k) => {
  const angle = (-2 * Math.PI * k) / FFT;
  return [Math.cos(angle), Math.sin(angle)];
});

/** Radix-2 FFT in place. */
function transform(re, im) {
  for (let i = 1, j = 0; i < FFT; i++) {
    let bit = FFT >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < FFT; half *= 2) {
    const stride = FFT / (2 * half);
    for (let start = 0; start < FFT; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const [c, s] = turns[k * stride];
        const a = start + k;
        const b = a + half;
        const r = re[b] * c - im[b] * s;
        const i = re[b] * s + im[b] * c;
        re[b] = re[a] - r;
        im[b] = im[a] - i;
        re[a] += r;
        im[a] += i;
      }
    }
  }
}
