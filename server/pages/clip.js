// One recording on its way to an answer. Sends 'change' at every step, and 'decoded' once there are
// samples to show.

import { Problem, call } from './api.js';
import { RATE, decode } from './audio.js';
import { turns } from './turns.js';
import { encodeWav } from './wav.js';

const inTurn = turns(2); // decoded at once: a folder of clips must not fill a phone's memory

/** /embed has nothing to tell on the way. */
const embed = ({ onProgress, ...request }) => call('embed', request);

export class Clip extends EventTarget {
  #blob; // what is sent: the file as it is, or the WAV made of it
  #ask;
  #decoding; // Promise: the browser has decoded the file, or cannot
  #heard = []; // its remarks on the file
  #gone = new AbortController();

  /**
   * name: shown to people; blob: a file or recording in any format; ask(request): call() with the
   * path that is meant.
   */
  constructor(name, blob, ask = embed) {
    super();
    this.#blob = blob;
    this.#ask = ask;
    this.name = name;
    this.state = 'sending'; // <-> 'waiting' -> 'ready' | 'failed'
    this.samples = null; // Float32Array at 16 kHz; null until decoded, or for ever
    this.wav = null; // Blob of the same, to be played; null as above
    this.remarks = []; // of the browser on what the service did not see, in the service's words
    this.wait = null; // {problem, seconds, attempt, attempts, skip} in state 'waiting'
    this.progress = null; // {progress 0..1, stage} in state 'sending', where the service tells
    this.answer = null; // of the service, in state 'ready'
    this.problem = null; // in state 'failed'
  }

  /** Aborted when the clip is taken away. */
  get signal() {
    return this.#gone.signal;
  }

  get pending() {
    return this.state !== 'ready' && this.state !== 'failed';
  }

  /** All remarks, of browser and service, each once. */
  get warnings() {
    return [...new Set([...this.remarks, ...(this.answer?.quality?.warnings ?? [])])];
  }

  /** Sends, and decodes beside it for the pictures; ends in 'ready' or 'failed'. */
  run() {
    this.#decoding = inTurn(() => decode(this.#blob), this.signal).then((decoded) => {
      if (!decoded) return;
      this.#heard = decoded.warnings;
      this.#take(decoded.samples);
    });
    this.#decoding.catch(() => {}); // send() tells of it
    return this.send();
  }

  /** Sends the file as it is, or as WAV where the service does not take it so. Again, too. */
  async send() {
    try {
      this.#become('sending', { problem: null, progress: null });
      const answer = await this.#post().catch((problem) => this.#postAsWav(problem));
      await this.#decoding;
      this.#become('ready', { answer, wait: null });
    } catch (problem) {
      this.#fail(problem);
    }
  }

  #post() {
    return this.#ask({
      body: this.#blob,
      type: this.#blob === this.wav ? 'audio/wav' : 'application/octet-stream',
      signal: this.signal,
      onProgress: (progress) => this.#become('sending', { progress }),
      onWait: (wait) =>
        this.#become('waiting', {
          wait: {
            ...wait,
            skip: () => {
              this.#become('sending', { wait: null });
              wait.skip();
            },
          },
        }),
    });
  }

  /** A file that the service cannot read (415), or finds too large (413), as WAV if that may help. */
  async #postAsWav(problem) {
    await this.#decoding; // whether it can be cut is known then, too
    const helps =
      this.wav &&
      this.#blob !== this.wav &&
      (problem.status === 415 || (problem.status === 413 && this.wav.size < this.#blob.size));
    if (!helps) throw problem;
    this.#blob = this.wav;
    this.remarks = this.#heard;
    return this.#post();
  }

  /** Keeps the first seconds only, and sends them. */
  cut(seconds) {
    this.#take(this.samples.slice(0, Math.floor(seconds * RATE)));
    this.#blob = this.wav;
    this.remarks = [...this.#heard, 'truncated'];
    return this.send();
  }

  remove() {
    this.#gone.abort();
  }

  #take(samples) {
    this.samples = samples;
    this.wav = encodeWav(samples, RATE);
    this.dispatchEvent(new Event('decoded'));
  }

  #fail(problem) {
    if (this.signal.aborted) return;
    if (!(problem instanceof Problem)) {
      this.#become('failed', {
        problem: new Problem({ name: 'page', title: 'This page failed', detail: String(problem) }),
      });
      throw problem; // a fault of this page belongs into the console
    }
    this.#become('failed', { problem, wait: null });
  }

  #become(state, members) {
    Object.assign(this, members, { state });
    this.dispatchEvent(new Event('change'));
  }
}
