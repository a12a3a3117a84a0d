/* The workspace of one worker: every buffer sized from the longest accepted clip. */
#include "voice/scratch.h"

#include "base/bug.h"
#include "base/constants.h"
#include "base/team.h"
#include "speech/vad.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 9 frames: fewer leave one frame after layer4, and one frame has no variance. */
static const double shortest_s =
    (FBANK_FRAME_SAMPLES + (NETWORK_MIN_FRAMES - 1) * FBANK_HOP_SAMPLES) / (double)SAMPLE_RATE_HZ;

void vp_limits_default(struct vp_limits *out)
{
    *out = (struct vp_limits){
        .min_duration_s = 0.5,
        .warn_duration_s = 2.0,
        .max_duration_s = 60.0,
        .silence_dbfs = -60.0,
        .truncate = false,
        .max_threads = 1,
    };
}

static enum vp_status check_limits(const struct vp_limits *limits, struct vp_err *err)
{
    if (!isfinite(limits->min_duration_s) || limits->min_duration_s < shortest_s)
        return status_fail_limit(err, VP_ERR_ARGUMENT, limits->min_duration_s, shortest_s,
                                 "min_duration_s is %g; the network needs at least %.3f s",
                                 limits->min_duration_s, shortest_s);
    if (!isfinite(limits->max_duration_s) || limits->max_duration_s < limits->min_duration_s)
        return status_fail_limit(err, VP_ERR_ARGUMENT, limits->max_duration_s,
                                 limits->min_duration_s,
                                 "max_duration_s is %g, below min_duration_s, which is %g",
                                 limits->max_duration_s, limits->min_duration_s);
    if (!isfinite(limits->warn_duration_s) || !isfinite(limits->silence_dbfs))
        return status_fail(err, VP_ERR_ARGUMENT,
                           "warn_duration_s and silence_dbfs must be finite numbers");
    if (limits->max_threads < 1 || limits->max_threads > TEAM_MOST)
        return status_fail_limit(err, VP_ERR_ARGUMENT, (double)limits->max_threads, TEAM_MOST,
                                 "max_threads is %zu; 1 to %u may work on one clip",
                                 limits->max_threads, TEAM_MOST);
    return VP_OK;
}

static void place_buffers(void *ctx, struct arena *arena)
{
    vp_scratch *scratch = ctx;
    scratch->audio.samples = arena_floats(arena, scratch->audio.capacity);
    scratch->features =
        arena_rows(arena, fbank_n_frames(scratch->audio.capacity), scratch->model->info.n_mels);
    scratch->speech = (unsigned char *)arena_floats(
        arena, fbank_n_frames(scratch->audio.capacity) / sizeof(float) + 1);
}

enum vp_status vp_scratch_new(const vp_model *model, const struct vp_limits *limits,
                              vp_scratch **out, struct vp_err *err)
{
    *out = NULL;
    enum vp_status status = check_limits(limits, err);
    if (status != VP_OK)
        return status;

    vp_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return status_no_memory(err, "a scratch", sizeof *scratch);
    scratch->magic = SCRATCH_MAGIC;
    scratch->model = model;
    scratch->limits = *limits;
    if (!audio_capacity(limits->max_duration_s, &scratch->audio.capacity)) {
        status = status_fail(err, VP_ERR_ARGUMENT, "max_duration_s is %g: too long to hold",
                             limits->max_duration_s);
        goto out;
    }
    size_t n_frames = fbank_n_frames(scratch->audio.capacity);
    if ((status = arena_build(&scratch->arena, place_buffers, scratch, "one clip", err)) != VP_OK ||
        (status = fbank_work_new(model->fbank, &scratch->fbank, err)) != VP_OK ||
        (status = network_state_new(model->network, n_frames, limits->max_threads, &scratch->state,
                                    err)) != VP_OK)
        goto out;
    scratch->speech_fbank = scratch->fbank;
    if (model->speech_fbank != NULL &&
        (status = fbank_work_new(model->speech_fbank, &scratch->speech_fbank, err)) != VP_OK)
        goto out;
    if (model->info.n_mels == VAD_N_MELS &&
        (status = detector_new(model->info.kernel, &scratch->detector, err)) != VP_OK)
        goto out;
    *out = scratch;
out:
    if (status != VP_OK)
        vp_scratch_free(scratch);
    return status;
}

void vp_scratch_free(vp_scratch *scratch)
{
    if (scratch == NULL)
        return;
    scratch_check(scratch);
    scratch->magic = 0;
    network_state_free(scratch->state);
    if (scratch->speech_fbank != scratch->fbank)
        fbank_work_free(scratch->speech_fbank);
    fbank_work_free(scratch->fbank);
    detector_free(scratch->detector);
    arena_free(&scratch->arena);
    free(scratch);
}

size_t vp_scratch_bytes(const vp_scratch *scratch)
{
    scratch_check(scratch);
    return sizeof *scratch + scratch->arena.n_bytes + network_state_bytes(scratch->state) +
           (scratch->detector != NULL ? detector_bytes(scratch->detector) : 0);
}

void scratch_check(const vp_scratch *scratch)
{
    BUG_IF(scratch->magic != SCRATCH_MAGIC, "not a live vp_scratch");
}
