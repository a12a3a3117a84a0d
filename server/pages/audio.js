// Any recording that the browser can decode -> 16 kHz mono samples, with remarks on the source.

export const RATE = 16000;
// Decoding expands a file manyfold; beyond this a phone's tab would die instead of answering.
const MOST_BYTES = 64 * 1024 * 1024;
const DIFFER_SHARE = 0.7; // of the channels' power in the mean of them, else they differ
const LOST_SHARE = 0.1; // of the loudest channel's power in the mean, else they cancel out

/**
 * blob -> {samples: Float32Array at 16 kHz, warnings}. Returns null where the browser knows no
 * decoder, or the file is too large for it. A 16 kHz context makes decodeAudioData itself resample, by a windowed sinc; playing a
 * buffer through the graph would interpolate linearly in some browsers.
 */
export async function decode(blob) {
  if (blob.size > MOST_BYTES) return null;
  const bytes = await blob.arrayBuffer();
  let audio;
  try {
    audio = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
  } catch {
    return null;
  }
  const { samples, differ } = mixDown(audio);
  return { samples, warnings: differ ? ['channels_differ'] : [] };
}

/**
 * Mean of the channels; the loudest alone where they cancel out. Judged as core/audio/audio.c does: the
 * service hears one channel and cannot tell any more.
 */
function mixDown(audio) {
  const channels = Array.from({ length: audio.numberOfChannels }, (_, c) =>
    audio.getChannelData(c),
  );
  if (channels.length === 1) return { samples: channels[0], differ: false };
  const mean = channels[0].map((_, i) => channels.reduce((s, x) => s + x[i], 0) / channels.length);
  const powers = channels.map(power);
  const meanPower = powers.reduce((s, x) => s + x, 0) / powers.length;
  const loudest = powers.indexOf(Math.max(...powers));
  const lost = power(mean) < LOST_SHARE * powers[loudest];
  return {
    samples: lost ? channels[loudest] : mean,
    differ: power(mean) < DIFFER_SHARE * meanPower,
  };
}

const power = (samples) => samples.reduce((s, x) => s + x * x, 0);
