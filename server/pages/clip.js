// One recording on its way to an answer. Sends 'change' at every step.

import { Problem, call } from './api.js';
import { RATE, decode } from './audio.js';
import { turns } from './turns.js';
import { encodeWav } from './wav.js';

const inTurn = turns(2); // decoded at once: a folder of clips must not fill a phone's memory

/** /embed has nothing to tell on the way. */
const embed = ({ onProgress, ...request }) => call('embed', request);

export class Clip extends EventTarget {
  #blob;
  #ask;
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
    this.state = 'reading'; // -> 'sending' <-> 'waiting' -> 'ready' | 'failed'
    this.samples = null; // Float32Array at 16 kHz; null when the browser cannot decode the format
    this.wav = null; // Blob of what is sent; null as above
    this.remarks = []; // of the browser on the source, in the service's words
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

  /** Reads, then sends; ends in 'ready' or 'failed'. */
  async run() {
    try {
      const decoded = await inTurn(() => decode(this.#blob), this.signal);
      if (decoded) {
        this.remarks = decoded.warnings;
        this.#take(decoded.samples);
      }
      await this.send();
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** Sends what was read (the file as it is when the browser could not read it). Again, too. */
  async send() {
    try {
      this.#become('sending', { problem: null, progress: null });
      const answer = await this.#ask({
        body: this.wav ?? this.#blob,
        type: this.wav ? 'audio/wav' : 'application/octet-stream',
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
      this.#become('ready', { answer, wait: null });
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** Keeps the first seconds only, and sends them. */
  cut(seconds) {
    this.#take(this.samples.slice(0, Math.floor(seconds * RATE)));
    this.remarks = [...this.remarks, 'truncated'];
    return this.send();
  }

  remove() {
    this.#gone.abort();
  }

  #take(samples) {
    this.samples = samples;
    this.wav = encodeWav(samples, RATE);
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
