/*
 * A recording on its way in: blocks of mono 16 kHz samples, and what is to be said of it at the
 * end. Where several channels cancel in their mean, the loudest is taken, as everywhere; to know
 * that, the first minutes of such a recording are decoded twice. One owner at a time.
 */
#ifndef VP_INTAKE_H
#define VP_INTAKE_H

#include "audio/levels.h"

struct intake {
    struct container container; /* bytes borrowed */
    double max_duration_s;
    struct mono *mono; /* owned */
    struct levels levels;
    bool probing;
    unsigned
        channel; /* that is heard, or VP_CHANNEL_MIX; what was asked for until a block was read */
    double progress;          /* of a recording that is decoded elsewhere */
    struct vp_clip_info clip; /* complete once the end was seen, but for n_frames and speech */
};

/* Borrows container's bytes until closed. channel: one of the recording's, or VP_CHANNEL_MIX.
 * Errors as mono_open. */
enum vp_status intake_open(struct intake *intake, const struct container *container,
                           double max_duration_s, unsigned channel,
                           struct vp_err *err) VP_MUST_CHECK;
/* The same recording again: nothing is probed, the channel is known. */
enum vp_status intake_open_known(struct intake *intake, const struct container *container,
                                 double max_duration_s, unsigned channel,
                                 struct vp_err *err) VP_MUST_CHECK;
void intake_close(struct intake *intake); /* legal on zeroes */

/* The next block, possibly none, to samples [MONO_BLOCK_SAMPLES]; *ended: nothing comes after it.
 * Errors as mono_read, and VP_ERR_AUDIO_TOO_LONG. */
enum vp_status intake_read(struct intake *intake, float *samples, size_t *n, bool *ended,
                           struct vp_err *err) VP_MUST_CHECK;

double intake_progress(const struct intake *intake); /* 0..1, by bytes */

#endif
