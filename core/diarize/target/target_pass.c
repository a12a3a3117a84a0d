/* A cursor over trunk frames: computed, compared with the voices, judged. */
#include "diarize/target/target_pass.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/intake.h"
#include "diarize/target/target_turns.h"
#include "features/frames.h"
#include "network/stats_pool.h"
#include "voice/scratch.h"

/* Stretches and margins are those that the net was trained with: tools/train/tsvad/features.py. */
#define HOP           8u  /* log-mel frames of a trunk frame */
#define STRETCH       64u /* trunk frames that a stretch gives, */
#define MARGIN        4u  /* and that are computed on either side, dropped then: the trunk sees 3 */
#define MOST_COMPUTED (STRETCH + 2 * MARGIN)
#define REACH         9u /* the largest of tsvad_reach */
#define MOST_HELD     (STRETCH + 2 * REACH)
#define KEPT          1024u /* log-mel frames at hand: a stretch and a block, twice over */
#define BATCH         16u   /* frames that are embedded at once */
#define MOST_STATS    (BATCH * TSVAD_N_SCALES)
/* Log-mel frames: what a probability depends on, and where it is asked for outside segments. */
#define SPEECH_NEAR   ((TSVAD_CONTEXT + REACH) * HOP + (size_t)(100 * TARGET_TURNS_MARGIN_S))
#define FRAMES_A_PART (HOP / TSVAD_N_PARTS)

struct target_pass {
    struct intake intake;
    struct frames *frames; /* owned */
    struct tsvad *tsvad;   /* borrowed, or NULL */
    struct target_pass_known known;
    size_t dim, n_rows;                  /* values of an embedding, of a trunk frame */
    size_t n_trunk;                      /* trunk frames of the recording */
    bool ended;                          /* all samples were read */
    size_t segment;                      /* the first that ends behind the stretch at hand */
    size_t n_computed;                   /* trunk frames so far, */
    size_t n_compared;                   /* those with cosines, */
    size_t n_judged;                     /* and those with probabilities */
    float *computed;                     /* owned, [MOST_COMPUTED, n_rows] */
    float *held;                         /* owned, [MOST_HELD, n_rows]: the latest trunk frames, */
    size_t first_held;                   /* from this one on */
    float *stats;                        /* owned, [MOST_STATS, 2 n_rows] */
    float *embeddings;                   /* owned, [MOST_STATS, dim] */
    double *sums;                        /* owned, [2 n_rows]: sums, sums of squares */
    float *cosines, *speech, *projected; /* owned, of the recording: see struct tsvad_input */
    float *probabilities;                /* owned, [n_trunk, TSVAD_N_PARTS, n_voices] */
};

/* ---- life ------------------------------------------------------------------------------------ */

static size_t floats_a_frame(const struct target_pass *t)
{
    if (t->tsvad == NULL)
        return 0;
    return t->known.n_voices * (TSVAD_N_SCALES + TSVAD_N_PARTS) + TSVAD_N_PARTS + TSVAD_N_PROJECTED;
}

/* What the net wants. */
static enum vp_status allocate_net(struct target_pass *t, struct vp_err *err)
{
    const size_t n = t->n_trunk, n_voices = t->known.n_voices;
    size_t n_bytes;
    if (!size_multiply(n, floats_a_frame(t) * sizeof(float), &n_bytes))
        return status_no_memory(err, "who speaks when", SIZE_MAX);
    t->stats = calloc(MOST_STATS * 2 * t->n_rows, sizeof(float));
    t->embeddings = calloc(MOST_STATS * t->dim, sizeof(float));
    t->sums = calloc(2 * t->n_rows, sizeof(double));
    t->cosines = calloc(n, n_voices * TSVAD_N_SCALES * sizeof(float));
    t->speech = calloc(n, TSVAD_N_PARTS * sizeof(float));
    t->projected = calloc(n, TSVAD_N_PROJECTED * sizeof(float));
    t->probabilities = calloc(n, n_voices * TSVAD_N_PARTS * sizeof(float));
    const void *const all[] = {t->stats,  t->embeddings, t->sums,         t->cosines,
                               t->speech, t->projected,  t->probabilities};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] == NULL)
            return status_no_memory(err, "who speaks when", n_bytes);
    return VP_OK;
}

static enum vp_status allocate(struct target_pass *t, struct vp_err *err)
{
    t->computed = calloc(MOST_COMPUTED * t->n_rows, sizeof(float));
    t->held = calloc(MOST_HELD * t->n_rows, sizeof(float));
    if (t->computed == NULL || t->held == NULL)
        return status_no_memory(err, "who speaks when", MOST_HELD * t->n_rows * sizeof(float));
    return t->tsvad != NULL ? allocate_net(t, err) : VP_OK;
}

/* Each part is the mean of its frames; the last trunk frame may reach beyond them. */
static void take_speech(struct target_pass *t, const float *probabilities)
{
    for (size_t i = 0; i < t->n_trunk * HOP; i++) {
        const size_t last = t->known.n_frames - 1;
        t->speech[i / FRAMES_A_PART] +=
            tsvad_speech(probabilities[i < last ? i : last]) / FRAMES_A_PART;
    }
}

enum vp_status target_pass_new(const vp_model *model, struct tsvad *tsvad,
                               const struct container *container,
                               const struct target_pass_known *known, struct target_pass **out,
                               struct vp_err *err)
{
    *out = NULL;
    struct target_pass *t = calloc(1, sizeof *t);
    if (t == NULL)
        return status_no_memory(err, "who speaks when", sizeof *t);
    t->tsvad = tsvad;
    t->known = *known;
    t->dim = model->info.dim;
    t->n_rows = resnet_trunk_rows(model->network->resnet);
    t->n_trunk = (known->n_frames + HOP - 1) / HOP;
    enum vp_status status = allocate(t, err);
    if (status == VP_OK)
        status = frames_new(model->info.n_mels, MONO_BLOCK_SAMPLES, KEPT, &t->frames, err);
    if (status == VP_OK)
        status =
            intake_open_known(&t->intake, container, known->max_duration_s, known->channel, err);
    if (status != VP_OK) {
        target_pass_free(t);
        return status;
    }
    if (tsvad != NULL)
        take_speech(t, known->probabilities);
    *out = t;
    return VP_OK;
}

void target_pass_free(struct target_pass *pass)
{
    if (pass == NULL)
        return;
    intake_close(&pass->intake);
    frames_free(pass->frames);
    free(pass->computed);
    free(pass->held);
    free(pass->stats);
    free(pass->embeddings);
    free(pass->sums);
    free(pass->cosines);
    free(pass->speech);
    free(pass->projected);
    free(pass->probabilities);
    free(pass);
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Frames whose features are there. More than the first pass counted would mean that the bytes
 * changed meanwhile. */
static size_t frames_ready(const struct target_pass *t)
{
    const size_t n = frames_end(t->frames);
    return n < t->known.n_frames ? n : t->known.n_frames;
}

static enum vp_status read_block(struct target_pass *t, vp_scratch *scratch, struct vp_err *err)
{
    size_t n;
    float *samples = scratch->audio.samples;
    const enum vp_status status = intake_read(&t->intake, samples, &n, &t->ended, err);
    if (status == VP_OK)
        frames_push(t->frames, scratch->fbank, samples, n);
    return status;
}

/* ---- trunk ----------------------------------------------------------------------------------- */

/* Does anybody speak in log-mel frames first .. end - 1, or nearby? Asked in order of time. */
static bool speech_near(struct target_pass *t, size_t first, size_t end)
{
    const struct segments *segments = t->known.segments;
    while (t->segment < segments->n && segments->list[t->segment].end + SPEECH_NEAR < first)
        t->segment++;
    return t->segment < segments->n && segments->list[t->segment].first < end + SPEECH_NEAR;
}

/* The next stretch's trunk frames, behind those held. Without speech they are zeroes. */
static enum vp_status compute(struct target_pass *t, vp_scratch *scratch, struct vp_err *err)
{
    const size_t left = t->n_trunk - t->n_computed, n = left < STRETCH ? left : STRETCH;
    const size_t before = t->n_computed < MARGIN ? t->n_computed : MARGIN;
    const size_t first = (t->n_computed - before) * HOP, ready = frames_ready(t);
    const size_t wanted = (t->n_computed + STRETCH + MARGIN) * HOP;
    const size_t end = wanted < ready ? wanted : ready;
    const size_t n_mels = scratch->model->info.n_mels;
    float *out = t->held + (t->n_computed - t->first_held) * t->n_rows;
    memset(out, 0, n * t->n_rows * sizeof *out);
    enum vp_status status = VP_OK;
    size_t made = 0; /* frames that are not zeroes */
    if (end >= first + RESNET_MIN_FRAMES && end > t->n_computed * HOP &&
        speech_near(t, first, end)) {
        memcpy(scratch->features, frames_from(t->frames, first),
               (end - first) * n_mels * sizeof(float));
        fbank_subtract_mean(scratch->fbank, scratch->features, end - first);
        status =
            resnet_trunk(scratch->state->resnet, scratch->features, end - first, t->computed, err);
        made = (end - first + HOP - 1) / HOP - before;
        made = made < n ? made : n;
        memcpy(out, t->computed + before * t->n_rows, made * t->n_rows * sizeof *out);
    }
    for (size_t i = 0; i < made && t->known.locals != NULL && status == VP_OK; i++)
        status = local_speakers_add(t->known.locals, t->n_computed + i, out + i * t->n_rows, err);
    if (t->tsvad != NULL)
        tsvad_project(t->tsvad, out, n, t->projected + t->n_computed * TSVAD_N_PROJECTED);
    t->n_computed += n;
    if (t->tsvad == NULL) /* nothing more is asked of these frames */
        t->first_held = t->n_compared = t->n_judged = t->n_computed;
    if (t->n_computed == t->n_trunk && t->known.locals != NULL && status == VP_OK)
        status = local_speakers_finish(t->known.locals, err);
    return status;
}

/* ---- cosines --------------------------------------------------------------------------------- */

/* Adds a trunk frame to the sums and the sums of squares, in double: nothing cancels that floats
 * can tell. */
static void add_frame(const float *frame, double *restrict sums, double *restrict squares)
{
    for (size_t r = 0; r < TSVAD_TRUNK_ROWS; r++) {
        const double x = (double)frame[r];
        sums[r] += x;
        squares[r] += x * x;
    }
}

/* Statistics of the trunk frames around frame i, scale by scale, [TSVAD_N_SCALES, 2 rows]: means,
 * then standard deviations, as stats_pool.h has them. */
static void pool_around(const struct target_pass *t, size_t i, float *stats)
{
    double *sums = t->sums, *squares = t->sums + TSVAD_TRUNK_ROWS;
    memset(sums, 0, 2 * TSVAD_TRUNK_ROWS * sizeof *sums);
    const float *frame = t->held + (i - t->first_held) * TSVAD_TRUNK_ROWS;
    add_frame(frame, sums, squares);
    size_t n = 1, reach = 0;
    for (size_t s = 0; s < TSVAD_N_SCALES; s++, stats += 2 * TSVAD_TRUNK_ROWS) {
        while (reach < tsvad_reach[s]) {
            reach++;
            if (reach <= i) {
                add_frame(frame - reach * TSVAD_TRUNK_ROWS, sums, squares);
                n++;
            }
            if (i + reach < t->n_trunk) {
                add_frame(frame + reach * TSVAD_TRUNK_ROWS, sums, squares);
                n++;
            }
        }
        const double share = 1.0 / (double)n, freedom = 1.0 / (double)(n - 1);
        for (size_t r = 0; r < TSVAD_TRUNK_ROWS; r++) {
            const double mean = sums[r] * share;
            const double variance = fmax(squares[r] - sums[r] * mean, 0.0) * freedom;
            stats[r] = (float)mean;
            stats[TSVAD_TRUNK_ROWS + r] = (float)sqrt(variance + STATS_POOL_VARIANCE_FLOOR);
        }
    }
}

/* Cosines of frame i at one scale with all voices. */
static void compare_embedding(struct target_pass *t, const float *embedding, size_t i, size_t scale)
{
    const size_t n_voices = t->known.n_voices, dim = t->dim;
    const float norm = cblas_snrm2((int)dim, embedding, 1);
    for (size_t v = 0; v < n_voices; v++) {
        const float dot = cblas_sdot((int)dim, embedding, 1, t->known.directions + v * dim, 1);
        t->cosines[(i * n_voices + v) * TSVAD_N_SCALES + scale] = norm > 0.0F ? dot / norm : 0.0F;
    }
}

/* One behind the last frame whose surroundings are computed. */
static size_t comparable(const struct target_pass *t)
{
    if (t->n_computed == t->n_trunk)
        return t->n_trunk;
    return t->n_computed > REACH ? t->n_computed - REACH : 0;
}

/* All frames that can be; what no later frame reaches is let go of. */
static void compare(struct target_pass *t, const struct resnet *resnet)
{
    const size_t end = comparable(t);
    while (t->n_compared < end) {
        const size_t left = end - t->n_compared, n = left < BATCH ? left : BATCH;
        for (size_t i = 0; i < n; i++)
            pool_around(t, t->n_compared + i, t->stats + i * TSVAD_N_SCALES * 2 * TSVAD_TRUNK_ROWS);
        resnet_embed_stats(resnet, t->stats, n * TSVAD_N_SCALES, t->embeddings);
        for (size_t i = 0; i < n * TSVAD_N_SCALES; i++)
            compare_embedding(t, t->embeddings + i * t->dim, t->n_compared + i / TSVAD_N_SCALES,
                              i % TSVAD_N_SCALES);
        t->n_compared += n;
    }
    const size_t keep = end > REACH ? end - REACH : 0;
    memmove(t->held, t->held + (keep - t->first_held) * TSVAD_TRUNK_ROWS,
            (t->n_computed - keep) * TSVAD_TRUNK_ROWS * sizeof *t->held);
    t->first_held = keep;
}

/* ---- probabilities --------------------------------------------------------------------------- */

static void judge(struct target_pass *t)
{
    const struct tsvad_input input = {.n_frames = t->n_trunk,
                                      .n_voices = t->known.n_voices,
                                      .cosines = t->cosines,
                                      .speech = t->speech,
                                      .projected = t->projected};
    float probabilities[TSVAD_MOST * TSVAD_N_PARTS];
    const size_t left = t->n_trunk - t->n_judged, n = left < TSVAD_MOST ? left : TSVAD_MOST;
    for (size_t v = 0; v < input.n_voices; v++) {
        tsvad_run(t->tsvad, &input, v, t->n_judged, n, probabilities);
        for (size_t i = 0; i < n * TSVAD_N_PARTS; i++)
            t->probabilities[(t->n_judged * TSVAD_N_PARTS + i) * input.n_voices + v] =
                probabilities[i];
    }
    t->n_judged += n;
}

enum vp_status target_pass_step(struct target_pass *t, vp_scratch *scratch, bool *done,
                                struct vp_err *err)
{
    *done = false;
    const size_t wanted = (t->n_computed + STRETCH + MARGIN) * HOP;
    if (t->tsvad != NULL && t->n_compared < comparable(t))
        compare(t, scratch->model->network->resnet);
    else if (t->n_computed < t->n_trunk && !t->ended && frames_end(t->frames) < wanted)
        return read_block(t, scratch, err);
    else if (t->n_computed < t->n_trunk)
        return compute(t, scratch, err);
    else if (t->tsvad != NULL)
        judge(t);
    *done = t->n_judged == t->n_trunk;
    return VP_OK;
}

/* ---- what came of it ------------------------------------------------------------------------- */

double target_pass_progress(const struct target_pass *pass)
{
    return (double)pass->n_computed / (double)pass->n_trunk;
}

size_t target_pass_bytes(const struct target_pass *pass)
{
    const bool net = pass->tsvad != NULL;
    const size_t n_frames = MOST_COMPUTED + MOST_HELD + (net ? 2 * MOST_STATS + 4 : 0);
    return sizeof *pass + frames_bytes(pass->frames) +
           pass->n_trunk * floats_a_frame(pass) * sizeof(float) +
           n_frames * pass->n_rows * sizeof(float) +
           (net ? MOST_STATS * pass->dim : 0) * sizeof(float);
}

const float *target_pass_probabilities(const struct target_pass *pass, size_t *n_parts)
{
    *n_parts = pass->n_trunk * TSVAD_N_PARTS;
    return pass->probabilities;
}
