/*
 * Who speaks in each frame of a recording, from three witnesses:
 *
 *   count     how many speak, from the segmentation network
 *   evidence  P: how probable each voice is by itself, from the target-speaker net, or twice the
 *             cosine of the voice with the window of 1.5 s around the frame
 *   votes     V: share of the windows of 10 s that hear the voice as one of their local speakers
 *
 * Where one speaks: let i be the likeliest by P and j the one with the most votes. i stands if
 *
 *   (P_i - P_j) * 2 (1 - cos(i, j)) > V_j - V_i
 *
 * else j does. The more alike two voices are, the less P can tell them apart, and the more weigh
 * the votes, which know that whoever goes on speaking is the same person. Where more speak: those
 * with the largest P + V. Ties go to the lowest voice. Pure functions; any thread.
 */
#ifndef VP_RECONSTRUCTION_H
#define VP_RECONSTRUCTION_H

#include "diarize/local/local_masks.h"
#include "diarize/turns.h"
#include "diarize/windows/windows.h"

/* P, borrowed: rows [n_rows, n_voices], of 20 ms each, or of the windows, by their middles. */
struct voice_evidence {
    const float *rows;
    size_t n_rows;
    const struct window *windows; /* [n_rows], in order of time; NULL: rows of 20 ms */
};

struct reconstruction {
    const struct local_masks *masks;
    const unsigned char *voice_of; /* [n_windows, SEG_N_SPEAKERS], see local_speakers.h; NULL: no
                                      votes */
    struct voice_evidence evidence;
    const float *directions; /* [n_voices, dim], norm 1 */
    size_t n_voices, dim;    /* n_voices is 1 to VP_DIARIZE_MAX_SPEAKERS */
    size_t n_samples;        /* of the recording: turns end there */
};

/* Raw turns to *out, by time within a voice. Confidence is the mean of (P + V) / 2 over its
 * frames, each of P and V at most 1; -1 with one voice. VP_ERR_NO_MEMORY. */
enum vp_status reconstruction_turns(const struct reconstruction *input, struct turns *out,
                                    struct vp_err *err) VP_MUST_CHECK;

/* ---- its pieces --------------------------------------------------------------------------------
 */

/* P and V of one frame, and the cosines of the voices. */
struct frame_witnesses {
    size_t n_voices;
    float evidence[VP_DIARIZE_MAX_SPEAKERS], votes[VP_DIARIZE_MAX_SPEAKERS];
    const float *cosines; /* [n_voices, n_voices] */
};

/* Voice v speaks where bit v is set; at most count of them. */
uint32_t reconstruction_elect(const struct frame_witnesses *frame, size_t count);

/* The row of a moment: that of 20 ms, or of the window whose middle is nearest. */
const float *reconstruction_evidence(const struct voice_evidence *evidence, size_t n_voices,
                                     double at_s);

#endif
