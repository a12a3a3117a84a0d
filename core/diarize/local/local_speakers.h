/*
 * The local speakers of windows, pooled from the trunk of the whole recording, and which of its
 * voices each of them is.
 *
 * A local speaker is pooled from the trunk frames in which nobody else of his window speaks, where
 * enough are left, else from all that he is heard in. Local speakers of one window are different
 * people: each window is mapped one to one, for the largest sum of cosines with the voices. A local
 * speaker of next to no frames has no embedding: he is counted, but nobody knows who he is.
 *
 * Memory: sums for the windows that are open, 1.5 MB, and three bytes a window. One owner at a
 * time.
 */
#ifndef VP_LOCAL_SPEAKERS_H
#define VP_LOCAL_SPEAKERS_H

#include "diarize/local/local_masks.h"
#include "network/resnet.h"

#define LOCAL_NOBODY    255u  /* a local speaker of whom nobody knows who he is */
#define LOCAL_TRUNK_HOP 1280u /* samples from trunk frame to trunk frame: 80 ms */

struct local_speakers;

/* The voices that local speakers may be; all borrowed until freed. */
struct local_voices {
    const float *directions; /* [n, dim], norm 1 */
    size_t n, dim;
};

/* Borrows masks and resnet. Returns owned *out. VP_ERR_NO_MEMORY. */
enum vp_status local_speakers_new(const struct local_masks *masks, const struct resnet *resnet,
                                  const struct local_voices *voices, struct local_speakers **out,
                                  struct vp_err *err) VP_MUST_CHECK;
void local_speakers_free(struct local_speakers *locals); /* takes; NULL is legal */
size_t local_speakers_bytes(const struct local_speakers *locals);

/* Trunk frame i of the recording, [resnet_trunk_rows]; i rises from call to call, and those left
 * out were not computed. VP_ERR_NO_MEMORY. */
enum vp_status local_speakers_add(struct local_speakers *locals, size_t i, const float *frame,
                                  struct vp_err *err) VP_MUST_CHECK;
/* There are no more. */
enum vp_status local_speakers_finish(struct local_speakers *locals,
                                     struct vp_err *err) VP_MUST_CHECK;

/* [n_windows, SEG_N_SPEAKERS], borrowed: a voice, or LOCAL_NOBODY. Complete once finished. */
const unsigned char *local_speakers_voices(const struct local_speakers *locals);

/*
 * The mapping of one window: cosines [n, n_voices] of its local speakers with the voices -> voice
 * [n]. No two are one voice, unless they outnumber the voices: the surplus goes each to the
 * nearest. VP_ERR_NO_MEMORY.
 */
enum vp_status local_speakers_map(const double *cosines, size_t n, size_t n_voices, size_t *voice,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
