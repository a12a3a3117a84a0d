// Everything this page says about numbers, warnings and errors, in one place.

import { number } from './dom.js';

const WARNINGS = {
  short_clip: 'Short. Three seconds of speech or more give a steadier score.',
  low_speech: 'Little speech in it. Cut the pauses, or use a part where the person talks.',
  low_level: 'Very quiet. Come closer to the microphone.',
  clipping: 'Overdriven: the loudest parts are cut off. Record at a lower level.',
  narrowband_source:
    'Telephone sound. Compare it with other telephone recordings rather than with ' +
    'wide-band ones.',
  channels_differ: 'The two channels differ: two people, or two microphones? Send one channel.',
  truncated: 'Only the first part was used.',
  content_type_guessed: 'The type was not stated, it was guessed from the content.',
  dc_offset: 'The recording sits off centre (DC offset). Check the microphone.',
  length_mismatch: 'The file is not as long as its header says. What is there was used.',
  damaged: 'A part of the file is damaged or missing. The rest was used.',
  no_speech: 'Nobody speaks in it.',
  fewer_speakers_than_asked: 'Fewer voices were found than you asked for.',
  short_audio: 'Short. From five seconds on voices are told apart more surely.',
  many_speakers: 'As many voices as were allowed. There may be more.',
  no_overlap_detection: 'Where people speak at once, one of them is shown.',
};

/** A warning of the service as a sentence; a name this page does not know is shown as it is. */
export const warning = (name) => WARNINGS[name] ?? name.replaceAll('_', ' ');

const ADVICE = {
  unauthorized: 'Enter the key of this service at the top of the page.',
  'foreign-host': 'Open this page under the address that its operator gave you.',
  'forbidden-scope': 'Your key is not for this. Ask the operator of this service for one that is.',
  'forbidden-collection': 'Your key is for another collection of voices.',
  'upload-too-slow': 'The connection is too slow. Try again, or use a shorter recording.',
  'body-too-large': 'Use a shorter part of the recording.',
  'unsupported-audio': 'Save it as WAV, FLAC, MP3 or Ogg and drop it again.',
  'undecodable-audio': 'The file is damaged. Export or record it again.',
  'empty-body': 'The file has no content. Choose another.',
  'audio-too-short': 'Record a few seconds of speech.',
  'audio-too-long': 'Use a part of it.',
  'not-found': 'This service does not offer it.',
  'no-signal': 'Nothing can be heard. Check that the right microphone is on and not muted.',
  'invalid-samples': 'The file holds values that are not sound. Export it again.',
  'unsupported-rate': 'Save it with a sample rate between 8 and 192 kHz.',
  'no-such-channel': 'The recording has fewer channels: ask for one that it has.',
  'too-many-channels': 'Save it with one or two channels.',
  'inference-failed': 'This is a fault of the service. Try once more, then tell its operator.',
  overloaded: 'The service is busy with other requests.',
  'overloaded-memory': 'The service is busy with other uploads.',
  'queue-timeout': 'The service is busy with other requests.',
  'not-ready': 'The service is starting.',
  draining: 'The service is being restarted.',
  stuck: 'The service is being restarted.',
  unreachable: 'Check the connection, and that voiceprintd is running, then try again.',
  'no-microphone': 'Connect a microphone, or drop a recording instead.',
  'microphone-refused': 'Allow the microphone for this page in the browser, or drop a recording.',
  'microphone-insecure':
    'Browsers open the microphone only on https or on localhost. Use one of ' +
    'these, or drop a recording.',
};

/** What a person can do about a Problem. */
export const advice = (problem) =>
  ADVICE[problem.name] ?? 'Try again; if it stays, tell the operator.';

/**
 * The answer of /compare in words: {headline, tone, sentences}.
 * tone: 'same', 'different', or 'open' where the service gives no decision.
 */
export function verdict({ score, threshold, same_speaker: same, calibrated }) {
  const sentences = [];
  let headline = 'The service draws no line';
  let tone = 'open';
  if (typeof same === 'boolean') {
    tone = same ? 'same' : 'different';
    headline = `${certainty(same, calibrated)} ${same ? 'the same voice' : 'two different voices'}`;
    sentences.push(
      `The score ${number(score)} is ${same ? 'at or above' : 'below'} the threshold ` +
        `${number(threshold)}.`,
    );
  } else {
    sentences.push(
      `The score is ${number(score)}. No threshold comes with this model and none is ` +
        'configured, so the service gives no decision. Higher is more alike; 1 is identical.',
    );
  }
  if (calibrated) {
    sentences.push(
      'If the same voice and a different one are equally likely beforehand, a score ' +
        `like this comes from the same voice in ${percent(calibrated.p)} of cases.`,
    );
  }
  if (tone !== 'open') sentences.push('A score is evidence, not proof of identity.');
  return { headline, tone, sentences };
}

/** How sure, by the calibrated probability, when it speaks for the decision at all. */
function certainty(same, calibrated) {
  if (!calibrated) return 'By the threshold:';
  const p = same ? calibrated.p : 1 - calibrated.p;
  if (p >= 0.99) return 'Almost certainly';
  if (p >= 0.9) return 'Very likely';
  if (p >= 0.65) return 'Probably';
  return 'A close call:';
}

/** 0.8912 -> "89 %"; never "0 %" or "100 %", which no score can carry. */
export function percent(p) {
  if (p > 0.999) return 'over 99.9 %';
  if (p < 0.001) return 'under 0.1 %';
  return `${(100 * p).toFixed(p > 0.99 || p < 0.01 ? 1 : 0)} %`;
}
