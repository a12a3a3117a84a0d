/* Sums of trunk frames for each local speaker of the windows that are open. */
#include "diarize/local/local_speakers.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assignment.h"
#include "base/argmax.h"
#include "network/stats_pool.h"

/* Frames alone, of 17 ms, from which the others are left out: a quarter of a second. Trunk frames
 * below which there is no embedding: two are the fewest that have a spread. */
#define ENOUGH_ALONE 15u
#define FEWEST_TRUNK 3u
#define MOST_OPEN    12u /* windows at once: ten seconds, one apart, and one that closes late */

/* One local speaker of an open window. */
struct pooled {
    bool alone; /* pooled from the frames in which nobody else speaks */
    size_t n;   /* trunk frames so far */
};

struct local_speakers {
    const struct local_masks *masks;
    const struct resnet *resnet;
    struct local_voices voices;
    size_t n_rows;                                   /* values of a trunk frame */
    size_t n_open, n_closed;                         /* windows begun, and done with */
    struct pooled pooled[MOST_OPEN][SEG_N_SPEAKERS]; /* of window w at w % MOST_OPEN */
    double *sums;      /* owned, [MOST_OPEN, SEG_N_SPEAKERS, 2, n_rows]: sums, sums of squares */
    float *stats;      /* owned, [SEG_N_SPEAKERS, 2, n_rows]: means, standard deviations */
    float *embeddings; /* owned, [SEG_N_SPEAKERS, dim] */
    double *cosines;   /* owned, [SEG_N_SPEAKERS, voices.n] */
    unsigned char *voice_of; /* owned, [n_windows, SEG_N_SPEAKERS] */
};

static size_t n_sums(const struct local_speakers *locals)
{
    return MOST_OPEN * SEG_N_SPEAKERS * 2 * locals->n_rows;
}

enum vp_status local_speakers_new(const struct local_masks *masks, const struct resnet *resnet,
                                  const struct local_voices *voices, struct local_speakers **out,
                                  struct vp_err *err)
{
    *out = NULL;
    struct local_speakers *locals = calloc(1, sizeof *locals);
    if (locals == NULL)
        return status_no_memory(err, "the local speakers", sizeof *locals);
    locals->masks = masks;
    locals->resnet = resnet;
    locals->voices = *voices;
    locals->n_rows = resnet_trunk_rows(resnet);
    locals->sums = calloc(n_sums(locals), sizeof(double));
    locals->stats = calloc(SEG_N_SPEAKERS * 2 * locals->n_rows, sizeof(float));
    locals->embeddings = calloc(SEG_N_SPEAKERS * voices->dim, sizeof(float));
    locals->cosines = calloc(SEG_N_SPEAKERS * voices->n, sizeof(double));
    locals->voice_of = malloc(masks->n_windows * SEG_N_SPEAKERS + 1);
    if (locals->sums == NULL || locals->stats == NULL || locals->embeddings == NULL ||
        locals->cosines == NULL || locals->voice_of == NULL) {
        const size_t n_bytes = n_sums(locals) * sizeof(double);
        local_speakers_free(locals);
        return status_no_memory(err, "the local speakers", n_bytes);
    }
    memset(locals->voice_of, LOCAL_NOBODY, masks->n_windows * SEG_N_SPEAKERS + 1);
    *out = locals;
    return VP_OK;
}

void local_speakers_free(struct local_speakers *locals)
{
    if (locals == NULL)
        return;
    free(locals->sums);
    free(locals->stats);
    free(locals->embeddings);
    free(locals->cosines);
    free(locals->voice_of);
    free(locals);
}

size_t local_speakers_bytes(const struct local_speakers *locals)
{
    return sizeof *locals + n_sums(locals) * sizeof(double) +
           SEG_N_SPEAKERS * (2 * locals->n_rows + locals->voices.dim) * sizeof(float) +
           locals->masks->n_windows * SEG_N_SPEAKERS;
}

/* ---- pooling --------------------------------------------------------------------------------- */

static double *sums_of(const struct local_speakers *locals, size_t window, size_t local)
{
    return locals->sums + (window % MOST_OPEN * SEG_N_SPEAKERS + local) * 2 * locals->n_rows;
}

/* Who speaks in trunk frame i according to a window that covers it. */
static unsigned mask_at(const struct local_masks *masks, size_t window, size_t i)
{
    const size_t middle = i * LOCAL_TRUNK_HOP + LOCAL_TRUNK_HOP / 2 - window * LOCAL_HOP;
    const size_t t = local_masks_frame_at(middle);
    return masks
        ->masks[window * SEG_WINDOW_FRAMES + (t < SEG_WINDOW_FRAMES ? t : SEG_WINDOW_FRAMES - 1)];
}

/* Trunk frames whose middle lies in the window: first .. end - 1. */
static size_t first_trunk(size_t window)
{
    return (window * LOCAL_HOP + LOCAL_TRUNK_HOP / 2 - 1) / LOCAL_TRUNK_HOP;
}

static size_t end_trunk(size_t window)
{
    return (window * LOCAL_HOP + SEG_WINDOW_SAMPLES + LOCAL_TRUNK_HOP / 2 - 1) / LOCAL_TRUNK_HOP;
}

/* Are enough frames left of a local speaker without those in which another one speaks, too? */
static bool enough_alone(const struct local_masks *masks, size_t window, size_t local)
{
    const unsigned char *of_window = masks->masks + window * SEG_WINDOW_FRAMES;
    size_t n_alone = 0, n_trunk = 0;
    for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
        n_alone += of_window[k] == 1u << local;
    for (size_t i = first_trunk(window); i < end_trunk(window); i++)
        n_trunk += mask_at(masks, window, i) == 1u << local;
    return n_alone >= ENOUGH_ALONE && n_trunk >= FEWEST_TRUNK;
}

static void open_window(struct local_speakers *locals)
{
    const size_t window = locals->n_open++;
    memset(sums_of(locals, window, 0), 0,
           SEG_N_SPEAKERS * 2 * locals->n_rows * sizeof *locals->sums);
    for (size_t s = 0; s < SEG_N_SPEAKERS; s++)
        locals->pooled[window % MOST_OPEN][s] =
            (struct pooled){.alone = enough_alone(locals->masks, window, s)};
}

static void add_to(const struct local_speakers *locals, size_t window, size_t local,
                   const float *frame)
{
    double *restrict sums = sums_of(locals, window, local), *restrict squares =
                                                                sums + locals->n_rows;
    for (size_t r = 0; r < locals->n_rows; r++) {
        const double x = (double)frame[r];
        sums[r] += x;
        squares[r] += x * x;
    }
}

/* Means and standard deviations, as stats_pool.h has them, from sums over n frames. */
static void finish_stats(const double *sums, size_t n_rows, size_t n, float *stats)
{
    for (size_t r = 0; r < n_rows; r++) {
        const double mean = sums[r] / (double)n;
        const double variance = fmax(sums[n_rows + r] - sums[r] * mean, 0.0) / (double)(n - 1);
        stats[r] = (float)mean;
        stats[n_rows + r] = (float)sqrt(variance + STATS_POOL_VARIANCE_FLOOR);
    }
}

/* ---- mapping --------------------------------------------------------------------------------- */

enum vp_status local_speakers_map(const double *cosines, size_t n, size_t n_voices, size_t *voice,
                                  struct vp_err *err)
{
    const enum vp_status status = vp_assignment_solve(cosines, n, n_voices, voice, err);
    for (size_t i = 0; i < n && status == VP_OK; i++)
        if (voice[i] == VP_ASSIGNMENT_NONE)
            voice[i] = argmax(cosines + i * n_voices, n_voices);
    return status;
}

/* Cosines of an embedding with all voices; false where it has no direction. */
static bool compare(const struct local_voices *voices, const float *embedding, double *cosines)
{
    const int dim = (int)voices->dim;
    const double norm = (double)cblas_snrm2(dim, embedding, 1);
    if (!(norm > 0.0) || !isfinite(norm))
        return false;
    for (size_t v = 0; v < voices->n; v++)
        cosines[v] =
            (double)cblas_sdot(dim, embedding, 1, voices->directions + v * voices->dim, 1) / norm;
    return true;
}

/* The window that has been open longest is over: who its local speakers are. */
static enum vp_status close_window(struct local_speakers *locals, struct vp_err *err)
{
    const size_t window = locals->n_closed++;
    size_t known[SEG_N_SPEAKERS], voice[SEG_N_SPEAKERS], n = 0, n_known = 0;
    size_t pooled[SEG_N_SPEAKERS];
    for (size_t s = 0; s < SEG_N_SPEAKERS; s++) {
        const size_t n_frames = locals->pooled[window % MOST_OPEN][s].n;
        if (n_frames < FEWEST_TRUNK)
            continue;
        finish_stats(sums_of(locals, window, s), locals->n_rows, n_frames,
                     locals->stats + n * 2 * locals->n_rows);
        pooled[n++] = s;
    }
    if (n == 0)
        return VP_OK;
    resnet_embed_stats(locals->resnet, locals->stats, n, locals->embeddings);
    for (size_t i = 0; i < n; i++)
        if (compare(&locals->voices, locals->embeddings + i * locals->voices.dim,
                    locals->cosines + n_known * locals->voices.n))
            known[n_known++] = pooled[i];
    enum vp_status status = VP_OK;
    if (n_known > 0)
        status = local_speakers_map(locals->cosines, n_known, locals->voices.n, voice, err);
    for (size_t i = 0; i < n_known && status == VP_OK; i++)
        locals->voice_of[window * SEG_N_SPEAKERS + known[i]] = (unsigned char)voice[i];
    return status;
}

/* ---- frame by frame -------------------------------------------------------------------------- */

/* Windows that end before trunk frame i are closed, those that begin by then are opened. */
static enum vp_status advance(struct local_speakers *locals, size_t i, struct vp_err *err)
{
    enum vp_status status = VP_OK;
    const size_t n_windows = locals->masks->n_windows;
    for (;;) {
        if (locals->n_closed < locals->n_open && end_trunk(locals->n_closed) <= i)
            status = close_window(locals, err);
        else if (locals->n_open < n_windows && first_trunk(locals->n_open) <= i)
            open_window(locals);
        else
            break;
        if (status != VP_OK)
            break;
    }
    return status;
}

enum vp_status local_speakers_add(struct local_speakers *locals, size_t i, const float *frame,
                                  struct vp_err *err)
{
    const enum vp_status status = advance(locals, i, err);
    for (size_t w = locals->n_closed; w < locals->n_open && status == VP_OK; w++) {
        const unsigned mask = mask_at(locals->masks, w, i);
        for (size_t s = 0; s < SEG_N_SPEAKERS; s++) {
            struct pooled *pooled = &locals->pooled[w % MOST_OPEN][s];
            if (pooled->alone ? mask != 1u << s : !(mask >> s & 1u))
                continue;
            add_to(locals, w, s, frame);
            pooled->n++;
        }
    }
    return status;
}

enum vp_status local_speakers_finish(struct local_speakers *locals, struct vp_err *err)
{
    enum vp_status status = VP_OK;
    while (locals->n_closed < locals->n_open && status == VP_OK)
        status = close_window(locals, err);
    return status;
}

const unsigned char *local_speakers_voices(const struct local_speakers *locals)
{
    return locals->voice_of;
}
