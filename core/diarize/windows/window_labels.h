/*
 * Clusters of windows -> turns: labels smoothed along time, segments cut where they change.
 * Pure functions; any thread.
 */
#ifndef VP_WINDOW_LABELS_H
#define VP_WINDOW_LABELS_H

#include "cluster/partition.h"
#include "diarize/turns.h"
#include "diarize/windows/window_embeddings.h"
#include "speech/segments.h"

/*
 * Gives each window the label that suits it and its neighbours best (viterbi), in place. windows
 * [partition->n] are those of its points, in order of time. VP_ERR_NO_MEMORY.
 */
enum vp_status window_labels_smooth(struct partition *partition, const struct window *windows,
                                    struct vp_err *err) VP_MUST_CHECK;

/* One turn a window, from half-way to the window before to half-way to the next, within its
 * segment; speaker is its label. VP_ERR_NO_MEMORY. */
enum vp_status window_labels_turns(const struct partition *partition, const struct window *windows,
                                   const struct segments *segments, struct turns *out,
                                   struct vp_err *err) VP_MUST_CHECK;

/* Cosines of all windows with the directions of the clusters, [partition->n, n_clusters]: owned
 * (free), NULL without memory. */
float *window_labels_cosines(const struct partition *partition) VP_MUST_CHECK;

#endif
