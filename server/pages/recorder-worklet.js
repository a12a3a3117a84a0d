// Runs on the audio thread: passes the microphone's first channel on, in pieces of 2048 samples.

registerProcessor(
  'taker',
  class extends AudioWorkletProcessor {
    #piece = new Float32Array(2048);
    #filled = 0;

    process([channels]) {
      const samples = channels[0];
      if (!samples) return true; // nothing connected yet
      for (const x of samples) {
        this.#piece[this.#filled++] = x;
        if (this.#filled === this.#piece.length) {
          this.port.postMessage(this.#piece);
          this.#filled = 0;
        }
      }
      return true;
    }
  },
);
