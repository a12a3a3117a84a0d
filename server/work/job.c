/* Clips to embeddings, on a worker. */
#include "work/job.h"

#include "util/clock.h"
#include "util/fault.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOB_MAGIC = 0x6a6f6221 };

static float *new_floats(size_t n, size_t dim)
{
    size_t n_floats = 0;
    if (__builtin_mul_overflow(n, dim, &n_floats) || fault_hits(FAULT_JOB))
        return NULL;
    return calloc(n_floats, sizeof(float));
}

struct job *job_new(enum job_kind kind, struct engine *engine, size_t n_sides,
                    const size_t *n_clips)
{
    ON_LOOP();
    struct job *job = fault_hits(FAULT_JOB) ? NULL : calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->magic = JOB_MAGIC;
    job->kind = kind;
    job->engine = engine_hold(engine);
    job->n_sides = n_sides;
    size_t dim = engine->info->dim;
    for (size_t i = 0; i < n_sides; i++) {
        struct side *side = &job->sides[i];
        side->n_clips = n_clips[i];
        side->coherence = 1;
        side->embeddings = new_floats(n_clips[i] > 0 ? n_clips[i] : 1, dim);
        side->embedding = new_floats(1, dim);
        side->clips = calloc(n_clips[i] > 0 ? n_clips[i] : 1, sizeof *side->clips);
        if (side->embeddings == NULL || side->embedding == NULL || side->clips == NULL) {
            job_free(job);
            return NULL;
        }
    }
    return job;
}

struct job *job_new_open(const struct config *config)
{
    ON_LOOP();
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->magic = JOB_MAGIC;
    job->kind = JOB_OPEN_ENGINE;
    job->config = config;
    return job;
}

void job_free(struct job *job)
{
    ON_LOOP();
    if (job == NULL)
        return;
    VP_CHECK_MAGIC(job, JOB_MAGIC);
    for (size_t i = 0; i < job->n_sides; i++) {
        free(job->sides[i].clips);
        free(job->sides[i].embeddings);
        free(job->sides[i].embedding);
    }
    conversation_close(&job->conversation);
    body_close(&job->body);
    engine_release(job->engine);
    engine_release(job->opened);
    job->magic = 0;
    free(job);
}

static enum vp_status embed_clip(struct job *job, vp_scratch *scratch, struct clip *clip,
                                 float *embedding)
{
    struct vp_err *err = &job->err;
    uint64_t start = clock_now_ns();
    if (fault_hits(FAULT_DECODE)) {
        *err = (struct vp_err){.status = VP_ERR_NO_MEMORY, .message = "out of memory (injected)"};
        return VP_ERR_NO_MEMORY;
    }
    enum vp_status status =
        vp_clip_decode(scratch, &clip->options, clip->bytes, clip->n_bytes, &clip->info, err);
    uint64_t decoded = clock_now_ns();
    clip->decode_ms = clock_ms_since(start, decoded);
    if (status != VP_OK)
        return status;
    if (clip->type_guessed)
        clip->info.warnings |= VP_WARN_CONTENT_TYPE_GUESSED;
    status = vp_clip_fbank(scratch, NULL, NULL, err);
    uint64_t features = clock_now_ns();
    clip->fbank_ms = clock_ms_since(decoded, features);
    if (status != VP_OK)
        return status;
    if (job->helpers.begin != NULL)
        job->helpers.begin(job->helpers.context, job, scratch);
    status = vp_clip_embed(scratch, embedding, &clip->norm, err);
    if (job->helpers.begin != NULL)
        job->helpers.end(job->helpers.context, job);
    clip->forward_ms = clock_ms_since(features, clock_now_ns());
    if (status == VP_OK && fault_hits(FAULT_INFERENCE)) {
        *err = (struct vp_err){.status = VP_ERR_INFERENCE, .message = "not finite (injected)"};
        return VP_ERR_INFERENCE;
    }
    return status;
}

/* An embedding of ours that cannot be used, whatever the function calls it, is our failure. */
static enum vp_status as_inference_error(enum vp_status status, struct vp_err *err)
{
    if (status == VP_ERR_ARGUMENT)
        err->status = VP_ERR_INFERENCE;
    return status == VP_ERR_ARGUMENT ? VP_ERR_INFERENCE : status;
}

/* Fills side->embedding from its clips; job says which clip failed. */
static enum vp_status embed_side(struct job *job, size_t i_side, vp_scratch *scratch)
{
    struct side *side = &job->sides[i_side];
    size_t dim = job->engine->info->dim;
    job->failed_side = i_side;
    for (size_t i = 0; i < side->n_clips; i++) {
        float *embedding = side->embeddings + i * dim;
        job->failed_clip = i;
        enum vp_status status = embed_clip(job, scratch, &side->clips[i], embedding);
        if (status == VP_OK && !job->raw)
            status = as_inference_error(vp_embedding_normalize(embedding, dim, NULL, &job->err),
                                        &job->err);
        if (status != VP_OK)
            return status;
    }
    if (job->kind == JOB_EMBED || side->n_clips == 0) {
        memcpy(side->embedding, side->embeddings, dim * sizeof(float));
        return VP_OK;
    }
    return as_inference_error(vp_embedding_average(side->embeddings, side->n_clips, dim,
                                                   side->embedding, &side->coherence, &job->err),
                              &job->err);
}

void job_run(struct job *job)
{
    ON_WORKER();
    VP_CHECK_MAGIC(job, JOB_MAGIC);
    crash_set_request(job->request_id);
    if (job->started_ns == 0)
        job->started_ns = clock_now_ns();
    if (job->kind == JOB_OPEN_ENGINE) {
        job->status = engine_open(job->config, &job->opened, &job->err);
    } else {
        VP_BUG_IF(job->worker >= job->engine->n_workers);
        vp_scratch *scratch = job->engine->scratch[job->worker];
        job->status = VP_OK;
        if (job->kind == JOB_DIARIZE)
            job->status = conversation_step(&job->conversation, job->engine, scratch, &job->err);
        for (size_t i = 0; i < job->n_sides && job->status == VP_OK; i++)
            job->status = embed_side(job, i, scratch);
        if (job->status == VP_ERR_INFERENCE) {
            struct vp_self_test again;
            struct vp_err err;
            job->self_test_failed = vp_model_self_test(scratch, &again, &err) != VP_OK;
        }
    }
    job->ended_ns = clock_now_ns();
    crash_set_request(NULL);
}

struct job_times job_times(const struct job *job)
{
    struct job_times times = {.queue_ms = clock_ms_since(job->queued_ns, job->started_ns)};
    for (size_t i = 0; i < job->n_sides; i++) {
        for (size_t j = 0; j < job->sides[i].n_clips; j++) {
            const struct clip *clip = &job->sides[i].clips[j];
            times.decode_ms += clip->decode_ms;
            times.fbank_ms += clip->fbank_ms;
            times.forward_ms += clip->forward_ms;
        }
    }
    return times;
}
