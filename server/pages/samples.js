// The generated clips that come with the page, for people without a recording at hand.

import { RATE, decode } from './audio.js';
import { encodeWav } from './wav.js';

const PAUSE_S = 0.6;

/** One of them: Blob of a WAV file. */
export const sample = async (name) => (await fetch(new URL(name, import.meta.url))).blob();

/** A talk: the voices take turns, with pauses. Blob of a WAV file. */
export async function joined() {
  const names = ['voice-a-1.wav', 'voice-b-1.wav', 'voice-a-2.wav', 'voice-b-1.wav'];
  const turns = await Promise.all(
    names.map(async (name) => (await decode(await sample(name))).samples),
  );
  const pause = Math.round(PAUSE_S * RATE);
  const samples = new Float32Array(turns.reduce((n, turn) => n + turn.length + pause, pause));
  let at = pause;
  for (const turn of turns) {
    samples.set(turn, at);
    at += turn.length + pause;
  }
  return encodeWav(samples, RATE);
}
