// Plays stretches of a clip.

/**
 * {toggle(start, end), onMove}: toggle plays from start to end in seconds, or stops when that very
 * stretch is playing; onMove(seconds), set by the caller, as it moves, with null when it ends. Ends for
 * good when the clip is taken away.
 */
export function player(clip) {
  const address = URL.createObjectURL(clip.wav);
  const audio = new Audio(address);
  let stretch = null; // [start, end] that plays
  const self = { toggle, onMove: () => {} };

  function toggle(start, end) {
    const again = stretch?.[0] === start && stretch[1] === end;
    stop();
    if (again) return;
    stretch = [start, end];
    audio.currentTime = start;
    audio.play().then(step, stop);
  }

  function step() {
    if (!stretch) return;
    if (audio.currentTime >= stretch[1] || audio.ended) {
      stop();
      return;
    }
    self.onMove(audio.currentTime);
    requestAnimationFrame(step);
  }

  function stop() {
    stretch = null;
    audio.pause();
    self.onMove(null);
  }

  clip.signal.addEventListener(
    'abort',
    () => {
      stop();
      URL.revokeObjectURL(address);
    },
    { once: true },
  );
  return self;
}
