/*
 * A recording as a stream of mono 16 kHz samples: decoder, one channel out of many, resampler,
 * block by block. Nothing is sized from a header. One owner; any thread.
 */
#ifndef VP_MONO_H
#define VP_MONO_H

#include "audio/container.h"
#include "audio/source.h"

#define MONO_BLOCK_FRAMES 2048u /* of the recording, that one mono_read takes in at most */
/* Samples that one block gives at most: 8 kHz doubles them, and the resampler may owe some. */
#define MONO_BLOCK_SAMPLES (4u * MONO_BLOCK_FRAMES)

struct mono;

/* What was found so far. */
struct mono_facts {
    const char *codec; /* static */
    unsigned rate_hz, channels;
    uint64_t n_frames; /* of the recording, as far as it was read */
    bool more;         /* the recording goes on beyond the limit */
    float peak;
    double clipped_ratio;
    double power[SOURCE_MAX_CHANNELS], mix_power; /* without the offset; 0 unless VP_CHANNEL_MIX */
    struct loss loss; /* complete once the end was reached and there is no more */
};

/* Opens what container describes, whose bytes are borrowed until mono_close. channel: one of the
 * recording's, from 1 on, or VP_CHANNEL_MIX for the mean of all, whatever becomes of them in it.
 * Reading ends at max_duration_s, INFINITY included. Returns owned *out. Errors: as source_open. */
enum vp_status mono_open(const struct container *container, unsigned channel, double max_duration_s,
                         struct mono **out, struct vp_err *err) VP_MUST_CHECK;
void mono_close(struct mono *mono); /* takes; NULL is legal */

/*
 * Reads the next block and writes what it gives, possibly nothing, to samples, which holds
 * capacity; *n is how many. MONO_BLOCK_SAMPLES always suffice; VP_ERR_ARGUMENT when what is due
 * fills capacity or more. *ended: nothing comes after these. Other errors as source_read.
 */
enum vp_status mono_read(struct mono *mono, float *samples, size_t capacity, size_t *n, bool *ended,
                         struct vp_err *err) VP_MUST_CHECK;

void mono_facts(const struct mono *mono, struct mono_facts *out);
/* How far reading has come, 0..1, by bytes. */
double mono_progress(const struct mono *mono);

/* Of facts under VP_CHANNEL_MIX: do the channels differ (two voices, not one), and has their mean
 * lost the voice, so that channel *loudest is to be read instead? */
bool mono_differs(const struct mono_facts *facts) VP_MUST_CHECK;
bool mono_lost(const struct mono_facts *facts, unsigned *loudest) VP_MUST_CHECK;

#endif
