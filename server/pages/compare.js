// The first view: two sides, one answer.

import { call } from './api.js';
import { problemNotice, waitNotice } from './card.js';
import { byId, el, number } from './dom.js';
import { intake } from './intake.js';
import { scale } from './scale.js';
import { average, coherence } from './vectors.js';
import { percent, verdict } from './words.js';

const MOST = 8; // clips a side, as the service takes by default

/** Fills the view. Returns {a, b}: its two intakes. */
export function compareView() {
  const body = byId('answer-body');
  let asked = null; // AbortController of the request in flight
  let subject = ''; // which clips the shown answer is about

  const update = () => {
    const ready = [a, b].map((side) => side.clips.filter((clip) => clip.state === 'ready'));
    const pending = [a, b].some((side) => side.clips.some((clip) => clip.pending));
    if (pending || ready.some((clips) => clips.length === 0)) {
      asked?.abort();
      subject = '';
      body.replaceChildren(
        el(
          'p',
          { class: 'muted' },
          pending ? 'Listening to the clips\u2026' : 'Waiting for a clip on each side.',
        ),
      );
      return;
    }
    const now = ready.map((clips) => clips.map(identity).join()).join('|');
    if (now === subject) return;
    subject = now;
    ask(ready);
  };

  const ask = async (ready) => {
    asked?.abort();
    const mine = (asked = new AbortController());
    const sides = ready.map((clips) => clips.map((clip) => clip.answer.embedding));
    try {
      const answer = await call('compare', {
        body: JSON.stringify({ a: stored(ready[0], sides[0]), b: stored(ready[1], sides[1]) }),
        type: 'application/json',
        signal: mine.signal,
        onWait: (wait) => body.replaceChildren(waitNotice(wait)),
      });
      body.replaceChildren(...answerNodes(answer, sides));
    } catch (problem) {
      if (mine.signal.aborted) return;
      const again = el(
        'button',
        { type: 'button', class: 'small', onclick: () => ask(ready) },
        'Try again',
      );
      body.replaceChildren(problemNotice(problem, [again]));
    }
  };

  const a = intake({ title: 'Voice A', tint: 'side-a', most: MOST, onChange: update });
  const b = intake({ title: 'Voice B', tint: 'side-b', most: MOST, onChange: update });
  byId('sides').append(a.element, b.element);
  update();
  return { a, b };
}

/** A clip that was sent again counts as another. */
const identity = (clip) => clip.answer.request_id;

/** A side as /compare takes it; with the digest a model that was swapped meanwhile is noticed. */
const stored = (clips, embeddings) => ({
  embedding: average(embeddings),
  model_digest: clips.at(-1).answer.model_digest,
});

function answerNodes(answer, sides) {
  const { headline, tone, sentences } = verdict(answer);
  byId('answer-said').textContent = `${headline}. ${sentences.join(' ')}`; // for screen readers
  const fact = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));
  const { calibrated, threshold } = answer;
  return [
    el('p', { class: `verdict ${tone}`, 'data-same': String(answer.same_speaker) }, headline),
    scale(answer),
    el('p', {}, sentences.join(' ')),
    el(
      'dl',
      { class: 'facts' },
      fact('Score (cosine)', number(answer.score, 3)),
      fact('Threshold', typeof threshold === 'number' ? number(threshold, 3) : 'none'),
      fact('Probability of one voice', calibrated ? percent(calibrated.p) : 'not calibrated'),
      calibrated && fact('Log-likelihood ratio', number(calibrated.llr)),
      sides.map(
        (side, i) =>
          side.length > 1 &&
          fact(`Side ${'AB'[i]}: ${side.length} clips agree by`, number(coherence(side))),
      ),
    ),
    el(
      'details',
      {},
      el('summary', {}, 'What the service answered'),
      el('pre', { tabindex: 0 }, JSON.stringify(answer, null, 2)),
    ),
  ];
}
