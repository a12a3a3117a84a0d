// Arithmetic on embeddings: what the service does for a side, and what the map of many clips needs.

/** Mean of normalised embeddings, normalised again: the embedding of a side. */
export function average(embeddings) {
  const sum = embeddings[0].map((_, k) => embeddings.reduce((s, e) => s + e[k], 0));
  const norm = Math.sqrt(dot(sum, sum));
  return sum.map((x) => x / norm);
}

/** Mean pairwise cosine of normalised embeddings; 1 for a single one. */
export function coherence(embeddings) {
  let sum = 0;
  let pairs = 0;
  for (let i = 0; i < embeddings.length; i++) {
    for (let j = 0; j < i; j++, pairs++) sum += dot(embeddings[i], embeddings[j]);
  }
  return pairs > 0 ? sum / pairs : 1;
}

export function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/** Cosines of all pairs: n arrays of n. */
export const cosines = (embeddings) => embeddings.map((a) => embeddings.map((b) => dot(a, b)));

/**
 * Classical multidimensional scaling of n unit vectors, from their cosines [n][n].
 * Squared distances are 2 - 2 cos, so the doubly centred cosines are the Gram matrix, and the
 * result is the PCA of the vectors. Returns {points: n x [x, y], kept: share of the variance}.
 */
export function classicalMds(scores) {
  const n = scores.length;
  const rowMean = scores.map((row) => row.reduce((s, x) => s + x, 0) / n);
  const mean = rowMean.reduce((s, x) => s + x, 0) / n;
  const gram = scores.map((row, i) => row.map((x, j) => x - rowMean[i] - rowMean[j] + mean));
  const { values, vectors } = eigen(gram);
  const order = values.map((_, i) => i).sort((i, j) => values[j] - values[i]);
  const total = values.reduce((s, x) => s + Math.max(x, 0), 0);
  const axes = [0, 1].map((k) => {
    const value = Math.max(values[order[k]] ?? 0, 0);
    return { value, along: (i) => (value > 0 ? Math.sqrt(value) * vectors[i][order[k]] : 0) };
  });
  return {
    points: scores.map((_, i) => axes.map((axis) => axis.along(i))),
    kept: total > 0 ? (axes[0].value + axes[1].value) / total : 1,
  };
}

/** Eigenvalues and eigenvectors (columns) of a symmetric matrix, by cyclic Jacobi rotations. */
function eigen(matrix) {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const v = a.map((_, i) => Float64Array.from({ length: n }, (_x, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off += a[p][q] ** 2;
    if (off < 1e-20) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) if (Math.abs(a[p][q]) > 1e-15) rotate(a, v, p, q);
    }
  }
  return { values: a.map((row, i) => row[i]), vectors: v };
}

/** The rotation that makes a[p][q] zero, applied to a from both sides and gathered in v. */
function rotate(a, v, p, q) {
  const n = a.length;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
    [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
  }
  for (let k = 0; k < n; k++) {
    [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
  }
}

/**
 * Average-linkage clustering of cosines [n][n]. Returns {order: leaves with like beside like,
 * groups: index arrays, cut where the mean cosine between two groups falls below threshold}.
 */
export function cluster(scores, threshold) {
  let open = scores.map((_, i) => [i]);
  let groups = null;
  const between = (g, h) => {
    let sum = 0;
    for (const i of g) for (const j of h) sum += scores[i][j];
    return sum / (g.length * h.length);
  };
  while (open.length > 1) {
    let best = { value: -Infinity };
    for (let g = 0; g < open.length; g++) {
      for (let h = 0; h < g; h++) {
        const value = between(open[g], open[h]);
        if (value > best.value) best = { value, g, h };
      }
    }
    if (groups === null && best.value < threshold) groups = open;
    const merged = [...open[best.h], ...open[best.g]];
    open = [...open.filter((_, i) => i !== best.g && i !== best.h), merged];
  }
  // Groups in the order of the list, and clips within a group: that is how people look for them.
  const listed = (groups ?? open).map((group) => group.toSorted((i, j) => i - j));
  return { order: open[0] ?? [], groups: listed.toSorted((g, h) => g[0] - h[0]) };
}
