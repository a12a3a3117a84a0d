// The other view: many clips, every pair scored, as a heat map and as points on a plane.

import { byId, el, number, save, svg } from './dom.js';
import { heat, onSchemeChange } from './draw.js';
import { intake } from './intake.js';
import { classicalMds, cluster, cosines } from './vectors.js';

const MOST = 100;
const GROUP_COLOURS = 8;
const SETTLE_MS = 150; // answers that come in quick succession make one picture

/** Fills the view. Returns {intake, setThreshold(number or null)}. */
export function manyView() {
  const result = byId('many-result');
  let threshold = 0.5;
  let stated = false; // by the service, not by us
  let timer = 0;

  const show = () => {
    const ready = taken.clips.filter((clip) => clip.state === 'ready');
    if (ready.length < 3) {
      result.replaceChildren(
        el('p', { class: 'muted' }, `${ready.length} of at least 3 clips are ready.`),
      );
      return;
    }
    const names = ready.map((clip) => clip.name);
    const scores = cosines(ready.map((clip) => clip.answer.embedding));
    const picture = el('div');
    const draw = () => picture.replaceChildren(...pictureNodes(names, scores, threshold));
    result.replaceChildren(
      slider(threshold, stated, (value) => {
        threshold = value;
        stated = false;
        draw();
      }),
      picture,
    );
    draw();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(show, SETTLE_MS);
  };

  const taken = intake({ title: 'Clips', tint: 'many', most: MOST, onChange: soon });
  byId('many-intake').append(taken.element);
  onSchemeChange(show);
  show();
  return {
    intake: taken,
    setThreshold: (value) => {
      if (typeof value !== 'number') return;
      threshold = value;
      stated = true;
      show();
    },
  };
}

function slider(threshold, stated, onChange) {
  const value = el('output', { for: 'line' }, number(threshold));
  const range = el('input', {
    type: 'range',
    id: 'line',
    min: -0.2,
    max: 1,
    step: 0.01,
    oninput: () => {
      value.textContent = number(range.valueAsNumber);
      onChange(range.valueAsNumber);
    },
  });
  range.value = String(threshold);
  return el(
    'section',
    { class: 'panel' },
    el('label', { for: 'line' }, 'Same voice from a score of ', value),
    el('br'),
    range,
    el(
      'p',
      { class: 'muted' },
      stated
        ? 'This is the threshold of the service; move it to see what changes.'
        : 'Your own line. Two clips at or above it are framed green and joined.',
    ),
  );
}

function pictureNodes(names, scores, threshold) {
  const { order, groups } = cluster(scores, threshold);
  const groupOf = [];
  groups.forEach((group, g) =>
    group.forEach((i) => {
      groupOf[i] = g;
    }),
  );
  return [
    el(
      'section',
      { class: 'panel' },
      el('h2', {}, `${groups.length} ${groups.length === 1 ? 'voice' : 'voices'} at this line`),
      groupList(names, groups),
    ),
    el(
      'section',
      { class: 'panel' },
      el('h2', {}, 'Every pair'),
      matrix(names, scores, order, threshold),
      el('p', {}, saveButton(names, scores)),
    ),
    el(
      'section',
      { class: 'panel' },
      el('h2', {}, 'On a plane'),
      ...plane(names, scores, order, groupOf, threshold),
    ),
  ];
}

const groupList = (names, groups) =>
  el(
    'ul',
    { class: 'groups' },
    groups.map((group) => el('li', {}, group.map((i) => names[i]).join(', '))),
  );

function matrix(names, scores, order, threshold) {
  const head = el(
    'tr',
    {},
    el('td'),
    order.map((i) => el('th', { scope: 'col', title: names[i] }, String(order.indexOf(i) + 1))),
  );
  const rows = order.map((i, row) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row', title: names[i] }, `${row + 1} ${names[i]}`),
      order.map((j) => {
        const cell = el(
          'td',
          {
            class: i !== j && scores[i][j] >= threshold && 'pass',
            title: `${names[i]} \u00d7 ${names[j]}: ${number(scores[i][j], 3)}`,
          },
          number(scores[i][j]),
        );
        const { back, text } = heat(scores[i][j]);
        cell.style.background = back;
        cell.style.color = text;
        return cell;
      }),
    ),
  );
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Similarity of all pairs' },
    el(
      'table',
      { class: 'matrix' },
      el('caption', {}, 'Cosine of each pair, like beside like; framed: at or above the line.'),
      el('thead', {}, head),
      el('tbody', {}, rows),
    ),
  );
}

/** A comma or a quote in a name stays inside its field. */
const field = (text) => `"${text.replaceAll('"', '""')}"`;

function saveButton(names, scores) {
  return el(
    'button',
    {
      type: 'button',
      class: 'small',
      onclick: () => {
        const lines = [
          ['', ...names.map(field)],
          ...scores.map((row, i) => [field(names[i]), ...row]),
        ];
        save('scores.csv', 'text/csv', lines.map((l) => l.join(',')).join('\r\n'));
      },
    },
    'Save as CSV',
  );
}

const WIDTH = 640;
const HEIGHT = 420;
const MARGIN = 50;

/** The points, one unit alike on both axes: on a map, distance is what counts. */
function plane(names, scores, order, groupOf, threshold) {
  const { points, kept } = classicalMds(scores);
  const spread = [0, 1].map((axis) => points.map((p) => p[axis]));
  const low = spread.map((xs) => Math.min(...xs));
  const high = spread.map((xs) => Math.max(...xs));
  const unit = Math.min(
    (WIDTH - 2 * MARGIN) / Math.max(high[0] - low[0], 1e-6),
    (HEIGHT - 2 * MARGIN) / Math.max(high[1] - low[1], 1e-6),
  );
  const x = (p) => WIDTH / 2 + unit * (p[0] - (low[0] + high[0]) / 2);
  const y = (p) => HEIGHT / 2 - unit * (p[1] - (low[1] + high[1]) / 2);

  const lines = [];
  const dots = points.map((p, i) => {
    points.forEach((q, j) => {
      if (j < i && scores[i][j] >= threshold) {
        lines.push(svg('line', { class: 'near', x1: x(p), y1: y(p), x2: x(q), y2: y(q) }));
      }
    });
    return svg(
      'g',
      {},
      svg('title', {}, names[i]),
      svg('circle', { class: `g${groupOf[i] % GROUP_COLOURS}`, cx: x(p), cy: y(p), r: 12 }),
      svg('text', { x: x(p), y: y(p) + 4 }, String(order.indexOf(i) + 1)),
    );
  });
  const map = svg(
    'svg',
    {
      class: 'map',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': `${names.length} clips on a plane; the groups are listed above`,
    },
    lines,
    dots,
  );
  return [
    map,
    el(
      'p',
      { class: 'muted' },
      'Numbers as in the table. Classical multidimensional scaling (PCA) of the embeddings: ' +
        `these two axes carry ${(100 * kept).toFixed(0)} % of the differences. ` +
        'Clips whose score is at or above the line are joined.',
    ),
  ];
}
