// The score on a line from one end of its range to the other, with the threshold.

import { el, number } from './dom.js';

/** {score, range, threshold} of /compare -> element. */
export function scale({ score, range: [low, high], threshold }) {
  const place = (value, node) => {
    const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
    node.style.left = `${100 * share}%`;
    // A word at an end of the line leans inwards, or it would stand out of a narrow page.
    if (node.className === 'limit') node.style.transform = `translateX(-${100 * share}%)`;
    return node;
  };
  const drawn = typeof threshold === 'number';
  const label =
    `Score ${number(score)} on a scale from ${number(low, 0)} to ${number(high, 0)}` +
    (drawn ? `, threshold ${number(threshold)}` : '');
  return el(
    'div',
    { class: 'scale', role: 'img', 'aria-label': label },
    el('div', { class: 'track' }),
    drawn && place(threshold, el('div', { class: 'pass' })),
    drawn && place(threshold, el('div', { class: 'tick' })),
    drawn && place(threshold, el('span', { class: 'limit' }, `threshold ${number(threshold)}`)),
    place(score, el('div', { class: 'marker' })),
    place(score, el('span', { class: 'value' }, number(score))),
    [low, (low + high) / 2, high].map((end) =>
      place(end, el('span', { class: 'end' }, number(end, 0))),
    ),
  );
}
