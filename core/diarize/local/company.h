/*
 * Tracks -> speakers: the most similar pair is merged, again and again, unless the two were ever
 * heard in one window, as two people.
 *
 * Similarity is the cosine of the sums of embeddings, in which long tracks weigh more. Memory is
 * that of a matrix of at most COMPANY_MOST tracks; of more, the longest make the speakers, and the
 * others go each to the nearest. Pure functions; any thread.
 */
#ifndef VP_COMPANY_H
#define VP_COMPANY_H

#include "cluster/cluster.h"
#include "diarize/local/tracks.h"

#define COMPANY_MOST 2000u /* 16 MB of cosines, 4 MB of company */

/* speakers [tracks->n]: 0 .. *n_speakers - 1, LOCAL_SPEAKERS_NONE for tracks without an embedding.
 * rules->threshold is a cosine. VP_ERR_NO_MEMORY. */
enum vp_status company_divide(const struct local_speakers *locals, const struct tracks *tracks,
                              const struct cluster_rules *rules, size_t *speakers,
                              size_t *n_speakers, struct vp_err *err) VP_MUST_CHECK;

#endif
