/* Clips to embeddings, on a worker. */
#include "work/job.h"

#include "util/clock.h"
#include "util/fault.h"
#include "util/thread.h"
#include "voices/enrol.h"

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

struct job *job_new(enum job_kind kind, struct engine *engine, const struct config *config)
{
    ON_LOOP();
    struct job *job = fault_hits(FAULT_JOB) ? NULL : calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->magic = JOB_MAGIC;
    job->kind = kind;
    job->engine = engine_hold(engine);
    job->config = config;
    job->change.owner = job;
    job->change.is_cancelled = &job->is_cancelled;
    return job;
}

bool job_set_sides(struct job *job, size_t n_sides, const size_t *n_clips)
{
    const size_t dim = job->engine->info->dim;
    VP_BUG_IF(job->n_sides != 0 || n_sides > JOB_MAX_SIDES);
    for (size_t i = 0; i < n_sides; i++) {
        struct side *side = &job->sides[i];
        const size_t n = n_clips[i] > 0 ? n_clips[i] : 1; /* never NULL, whatever calloc does */
        job->n_sides = i + 1;
        side->coherence = 1;
        side->embeddings = new_floats(n, dim);
        side->embedding = new_floats(1, dim);
        side->clips = calloc(n, sizeof *side->clips);
        if (side->embeddings == NULL || side->embedding == NULL || side->clips == NULL) {
            problem_set_no_memory(&job->problem);
            return false;
        }
        side->n_clips = n_clips[i]; /* not before: whoever counts times looks at all clips */
    }
    return true;
}

bool job_read_body(struct job *job)
{
    job_reader *read = job->read;
    job->read = NULL;
    if (read == NULL || read(job))
        return true;
    VP_BUG_IF(job->problem.kind == PROBLEM_NONE);
    return false;
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
    change_close(&job->change);
    free(job->content_type);
    free(job->written.text);
    body_close(&job->body);
    holder_close(&job->holder);
    engine_release(job->engine);
    engine_release(job->opened);
    job->magic = 0;
    free(job);
}

static bool is_cancelled(void *context)
{
    struct job *job = context;
    return atomic_load_explicit(&job->is_cancelled, memory_order_relaxed); /* nothing hangs on it */
}

/* What runs for the job from now on ends once it is cancelled; box may be NULL. */
static void watch(struct job *job, vp_scratch *scratch, struct box *box)
{
    vp_scratch_watch(scratch, is_cancelled, job);
    if (box != NULL)
        box_watch(box, is_cancelled, job);
}

static void watch_end(vp_scratch *scratch, struct box *box)
{
    vp_scratch_watch(scratch, NULL, NULL);
    if (box != NULL)
        box_watch(box, NULL, NULL);
}

static enum vp_status fail(struct vp_err *err, enum vp_status status, const char *sentence)
{
    *err = (struct vp_err){.status = status};
    snprintf(err->message, sizeof err->message, "%s", sentence);
    return status;
}

/* Counts a clip that was decoded. */
static enum vp_status judge_total(struct job *job, const struct clip *clip)
{
    job->used_s += clip->info.used_s;
    if (job->max_used_s <= 0 || job->used_s <= job->max_used_s)
        return VP_OK;
    job->err = (struct vp_err){
        .status = VP_ERR_AUDIO_TOO_LONG, .value = job->used_s, .limit = job->max_used_s};
    snprintf(job->err.message, sizeof job->err.message,
             "the clips of this request last %.1f s up to this one, and may last %g s in all: send "
             "fewer or shorter ones",
             job->used_s, job->max_used_s);
    return VP_ERR_AUDIO_TOO_LONG;
}

static bool wants_speech_only(const struct job *job)
{
    return job->query.has_speech_only ? job->query.speech_only : job->config->speech_only;
}

static enum vp_status embed_clip(struct job *job, vp_scratch *scratch, struct clip *clip,
                                 float *embedding)
{
    struct vp_err *err = &job->err;
    uint64_t start = clock_now_ns();
    if (fault_hits(FAULT_DECODE))
        return fail(err, VP_ERR_NO_MEMORY, "out of memory (injected)");
    struct vp_clip_options options = clip->options;
    options.decoder = job->box != NULL ? box_decoder(job->box) : NULL;
    enum vp_status status =
        vp_clip_decode(scratch, &options, clip->bytes, clip->n_bytes, &clip->info, err);
    uint64_t decoded = clock_now_ns();
    clip->decode_ms = clock_ms_since(start, decoded);
    if (status == VP_OK)
        status = judge_total(job, clip);
    if (status != VP_OK)
        return status;
    if (clip->type_guessed)
        clip->info.warnings |= VP_WARN_CONTENT_TYPE_GUESSED;
    status = vp_clip_speech(scratch, wants_speech_only(job), &clip->info, err);
    if (status == VP_OK)
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
    if (status == VP_OK && fault_hits(FAULT_INFERENCE))
        return fail(err, VP_ERR_INFERENCE, "not finite (injected)");
    return status;
}

/* An embedding of ours that cannot be used, whatever the function calls it, is our failure. */
static enum vp_status as_inference_error(enum vp_status status, struct vp_err *err)
{
    if (status == VP_ERR_ARGUMENT)
        err->status = VP_ERR_INFERENCE;
    return status == VP_ERR_ARGUMENT ? VP_ERR_INFERENCE : status;
}

/* The clip that is next, into its row of its side's embeddings. */
static enum vp_status embed_next(struct job *job, vp_scratch *scratch)
{
    struct side *side = &job->sides[job->at_side];
    const size_t dim = job->engine->info->dim;
    float *embedding = side->embeddings + job->at_clip * dim;
    watch(job, scratch, job->box);
    enum vp_status status = embed_clip(job, scratch, &side->clips[job->at_clip], embedding);
    watch_end(scratch, job->box);
    if (status == VP_OK && !job->raw)
        status =
            as_inference_error(vp_embedding_normalize(embedding, dim, NULL, &job->err), &job->err);
    if (status == VP_OK)
        job->at_clip++;
    return status;
}

/* What the store is to know of the clips. */
static void fill_change(struct job *job, const struct side *side)
{
    const struct engine *engine = job->engine;
    struct change *change = &job->change;
    VP_BUG_IF(side->n_clips > VOICE_MAX_CLIPS);
    snprintf(change->digest, sizeof change->digest, "%s", engine->info->digest);
    change->dim = engine->info->dim;
    change->n_clips = side->n_clips;
    change->embeddings = side->embeddings;
    for (size_t i = 0; i < side->n_clips; i++)
        change->speech_s[i] = side->clips[i].info.speech_s;
    change->likeness.has_threshold = engine->has_threshold;
    change->likeness.threshold = engine->threshold;
    change->likeness.has_agreement = enrol_agreement(engine->has_calibration, engine->slope,
                                                     engine->offset, &change->likeness.agreement);
}

/* Fills side->embedding from those of its clips. */
static enum vp_status close_side(struct job *job, struct side *side)
{
    const size_t dim = job->engine->info->dim;
    if (job->kind == JOB_ENROL) {
        fill_change(job, side);
        return VP_OK;
    }
    if (side->n_clips == 0) /* stored: it came with the body */
        return VP_OK;
    if (job->kind == JOB_EMBED) {
        memcpy(side->embedding, side->embeddings, dim * sizeof(float));
        return VP_OK;
    }
    return as_inference_error(vp_embedding_average(side->embeddings, side->n_clips, dim,
                                                   side->embedding, &side->coherence, &job->err),
                              &job->err);
}

/* Sides of which every clip is embedded, stored ones too. */
static enum vp_status close_sides(struct job *job)
{
    enum vp_status status = VP_OK;
    while (status == VP_OK && job->at_side < job->n_sides &&
           job->at_clip == job->sides[job->at_side].n_clips) {
        status = close_side(job, &job->sides[job->at_side]);
        if (status == VP_OK) {
            job->at_side++;
            job->at_clip = 0;
        }
    }
    job->is_done = job->at_side == job->n_sides;
    return status;
}

/* One clip. */
static enum vp_status run_clip(struct job *job, vp_scratch *scratch)
{
    enum vp_status status = close_sides(job);
    if (status == VP_OK && !job->is_done)
        status = embed_next(job, scratch);
    return status == VP_OK ? close_sides(job) : status;
}

static enum vp_status write_answer(struct job *job)
{
    const uint64_t start_ns = clock_now_ns();
    const bool good = job->write(job);
    job->encode_ms = clock_ms_since(start_ns, clock_now_ns());
    if (good)
        return VP_OK;
    VP_BUG_IF(job->problem.kind == PROBLEM_NONE);
    if (job->problem.kind == PROBLEM_INFERENCE_FAILED)
        return fail(&job->err, VP_ERR_INFERENCE,
                    "the answer would hold a number that is not finite");
    return fail(&job->err, VP_ERR_NO_MEMORY, "memory is short for the answer");
}

static enum vp_status run_on_engine(struct job *job)
{
    VP_BUG_IF(job->worker >= job->engine->n_workers);
    vp_scratch *scratch = job->engine->scratch[job->worker];
    enum vp_status status = VP_OK;
    if (!job_read_body(job))
        return fail(&job->err, VP_ERR_ARGUMENT, "the body could not be read");
    if (job->is_large && !job->is_long) /* as is seen now: others go first */
        return VP_OK;
    if (job->kind == JOB_DIARIZE) {
        if (job->sandbox != NULL)
            status = conversation_box(&job->conversation, job->sandbox, &job->err);
        if (status != VP_OK)
            return status;
        watch(job, scratch, job->conversation.box);
        status = conversation_step(&job->conversation, job->engine, scratch, &job->err);
        watch_end(scratch, job->conversation.box);
        job->is_done = job->conversation.progress.done;
    } else {
        status = run_clip(job, scratch);
    }
    if (status == VP_OK && job->is_done && job->write != NULL)
        status = write_answer(job);
    if (status == VP_ERR_INFERENCE) {
        struct vp_self_test again;
        struct vp_err err;
        job->self_test_failed = vp_model_self_test(scratch, &again, &err) != VP_OK;
    }
    return status;
}

void job_run(struct job *job)
{
    ON_WORKER();
    VP_CHECK_MAGIC(job, JOB_MAGIC);
    const uint64_t start_ns = clock_now_ns();
    crash_set_request(job->request_id);
    if (job->started_ns == 0)
        job->started_ns = start_ns;
    if (job->kind == JOB_OPEN_ENGINE)
        job->status = engine_open(job->config, &job->opened, &job->err);
    else
        job->status = run_on_engine(job);
    job->is_done = job->is_done || job->status != VP_OK || job->kind == JOB_OPEN_ENGINE;
    job->ended_ns = clock_now_ns();
    job->turn_ms = clock_ms_since(start_ns, job->ended_ns);
    crash_set_request(NULL);
}

void job_cancel(struct job *job)
{
    ON_LOOP();
    atomic_store_explicit(&job->is_cancelled, true, memory_order_relaxed);
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
