// Talks to the service this page came from, and to nobody else.

import { turns } from './turns.js';

const ATTEMPTS = 6; // of one request, while the service answers 503
const AT_ONCE = 2; // requests in flight: a folder of clips must not fill the queue for others
const LONGEST_WAIT_S = 60;
const URN = 'urn:voiceprintd:problem:';
const LINES = 'application/x-ndjson';

const inTurn = turns(AT_ONCE);
let key = '';

/** The key for every later request. Held in this variable only. */
export function setKey(value) {
  key = value;
}

/** What went wrong: the members of application/problem+json, or our own of the same form. */
export class Problem extends Error {
  constructor({
    name,
    title,
    status = 0,
    detail = '',
    retryAfter = 0,
    limitS = 0,
    requestId = '',
  }) {
    super(title);
    Object.assign(this, { name, title, status, detail, retryAfter, limitS, requestId });
  }
}

/**
 * One request, tried again on 503 after the seconds of Retry-After.
 * options: body, type (both or none: GET without), signal (AbortSignal),
 * onWait({problem, seconds, attempt, attempts, skip}): called before each pause; skip() ends it;
 * onProgress({progress 0..1, stage}): asks the service to tell how far it is.
 * Returns the answer's JSON; throws Problem, or AbortError.
 */
export async function call(path, { body, type, signal, onWait = () => {}, onProgress } = {}) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTurn(() => once(path, { body, type, signal, onProgress }), signal);
    } catch (problem) {
      if (problem.status !== 503 || attempt === ATTEMPTS) throw problem;
      const seconds = problem.retryAfter;
      await pause(seconds, signal, (skip) =>
        onWait({ problem, seconds, attempt, attempts: ATTEMPTS, skip }),
      );
    }
  }
}

async function once(path, { body, type, signal, onProgress }) {
  const headers = onProgress ? { Accept: LINES } : {};
  if (type) headers['Content-Type'] = type;
  if (key) headers.Authorization = `Bearer ${key}`;
  let answer;
  try {
    answer = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      body,
      headers,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
      referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({ name: 'unreachable', title: 'The service does not answer' });
  }
  if (!answer.ok) throw problemOf(answer, await answer.json().catch(() => ({})));
  const inLines = answer.headers.get('Content-Type')?.startsWith(LINES);
  return inLines ? lastLine(answer, onProgress) : answer.json();
}

/** Lines of progress, then one with the answer, or with a problem in its place. */
async function lastLine(answer, onProgress) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let last = null;
  let rest = '';
  try {
    for (;;) {
      const { value = '', done } = await reader.read();
      const lines = `${rest}${value}${done ? '\n' : ''}`.split('\n');
      rest = lines.pop();
      for (const line of lines.filter(Boolean).map((text) => JSON.parse(text))) {
        if ('progress' in line) onProgress(line);
        else last = line;
      }
      if (done) break;
    }
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    last = null; // cut in the middle
  }
  if (!last) throw new Problem({ name: 'unreachable', title: 'The answer broke off' });
  if (String(last.type).startsWith(URN)) throw problemOf(answer, last);
  return last;
}

/** The Problem of an answer that said so; a proxy's own error page says nothing. */
function problemOf(answer, said) {
  const seconds = Number.parseInt(answer.headers.get('Retry-After'), 10);
  return new Problem({
    name: String(said.type ?? '').replace(URN, '') || 'http-error',
    title: said.title ?? `HTTP status ${answer.status}`,
    status: said.status ?? answer.status,
    detail: said.detail ?? '',
    limitS: said.limit_s ?? 0,
    retryAfter: Math.min(Math.max(Number.isNaN(seconds) ? 2 : seconds, 1), LONGEST_WAIT_S),
    requestId: answer.headers.get('X-Request-Id') ?? '',
  });
}

function pause(seconds, signal, announce) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
    announce(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
