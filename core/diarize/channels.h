/*
 * A recording each of whose channels is diarized by itself: the answers, one after the other, and
 * what becomes of them together. One owner.
 */
#ifndef VP_CHANNELS_H
#define VP_CHANNELS_H

#include "audio/container.h"
#include "diarize/answer.h"

/* Starts as zeroes, which stand for a recording that is not split. */
struct channels {
    unsigned n, n_done;
    double heard_s; /* of those that are done, together */
    struct answer of_channel[VP_MAX_CHANNELS];
};

/* How many channels the recording has: to channels->n. Errors as source_open. */
enum vp_status channels_count(struct channels *channels, const struct container *container,
                              struct vp_err *err) VP_MUST_CHECK;

/* Takes the answer for the next channel; engine and threshold stay in *answer, the rest is zero. */
void channels_take(struct channels *channels, struct answer *answer);

/* All are there: one answer, which holds engine and threshold already. Its speakers are numbered in
 * order of first speech over all channels. options as answer_make has them. VP_ERR_NO_MEMORY. */
enum vp_status channels_join(const struct channels *channels,
                             const struct vp_diarize_options *options, size_t dim,
                             struct answer *answer, struct vp_err *err) VP_MUST_CHECK;
void channels_clear(struct channels *channels); /* what is inside */

/* Of an error of one channel: VP_ERR_AUDIO_TOO_LONG counts them together, as the limit does. */
void channels_explain(const struct channels *channels, struct vp_err *err);

#endif
