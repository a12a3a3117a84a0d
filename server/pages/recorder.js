// The microphone -> a WAV blob, without a codec in between.

import { Problem } from './api.js';
import { RATE, decode } from './audio.js';
import { encodeWav } from './wav.js';

/**
 * Starts recording. onPiece(level 0..1, seconds so far) is called some 20 times a second.
 * Returns stop(): Promise of the Blob. It has 16 kHz, which is what the service hears: a third of the
 * bytes of the microphone's rate. Throws Problem where there is no microphone to use.
 */
export async function record(onPiece) {
  const stream = await microphone();
  const context = new AudioContext();
  const pieces = [];
  let n = 0; // samples
  await context.audioWorklet.addModule(new URL('recorder-worklet.js', import.meta.url));
  const taker = new AudioWorkletNode(context, 'taker', { numberOfOutputs: 0 });
  taker.port.onmessage = ({ data }) => {
    pieces.push(data);
    n += data.length;
    let energy = 0;
    for (const x of data) energy += x * x;
    const decibels = 10 * Math.log10(energy / data.length + 1e-10);
    onPiece(Math.min(Math.max(1 + decibels / 60, 0), 1), n / context.sampleRate);
  };
  context.createMediaStreamSource(stream).connect(taker);
  await context.resume(); // the pause to ask for the microphone may have left it suspended

  return async () => {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
    const samples = new Float32Array(n);
    let at = 0;
    for (const piece of pieces) {
      samples.set(piece, at);
      at += piece.length;
    }
    const whole = encodeWav(samples, context.sampleRate);
    const decoded = await decode(whole);
    return decoded ? encodeWav(decoded.samples, RATE) : whole;
  };
}

/** The voice as it is: what browsers do to sound better in calls changes what is compared. */
async function microphone() {
  if (!navigator.mediaDevices) {
    throw new Problem({ name: 'microphone-insecure', title: 'No microphone on this address' });
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: {
        channelCount: 1,
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      },
    });
  } catch (error) {
    const refused = error.name === 'NotAllowedError';
    throw new Problem({
      name: refused ? 'microphone-refused' : 'no-microphone',
      title: refused ? 'The microphone is not allowed' : 'No microphone found',
    });
  }
}
