// WAV, 16-bit PCM, mono: what is sent, saved and played back.

/** samples in [-1, 1] -> Blob of a WAV file. Values outside are held at full scale. */
export function encodeWav(samples, rate) {
  const bytes = new ArrayBuffer(44 + 2 * samples.length);
  const view = new DataView(bytes);
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a frame
  view.setUint16(34, 16, true); // bits
  text(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i++) {
    // Chromium decodes 16-bit sound with these two factors: what was 16 kHz already stays the same.
    const scaled = Math.round(samples[i] * (samples[i] < 0 ? 32768 : 32767));
    view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, scaled)), true);
  }
  return new Blob([bytes], { type: 'audio/wav' });
}
