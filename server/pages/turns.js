// Not everything at once: work that waits for its turn.

/** inTurn(work, signal): runs work when fewer than `most` others run; rejects once signal aborts. */
export function turns(most) {
  let free = most;
  const waiting = [];
  return async (work, signal) => {
    if (free > 0) free--;
    else await new Promise((go) => waiting.push(go));
    try {
      signal?.throwIfAborted();
      return await work();
    } finally {
      if (waiting.length > 0) waiting.shift()();
      else free++;
    }
  };
}
