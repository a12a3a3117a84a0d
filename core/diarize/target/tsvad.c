/* Convolutions as sums of products of matrices, one for each of their taps. */
#include "diarize/target/tsvad.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/small_net.h"

#define N_INPUT    (2 * TSVAD_N_SCALES + TSVAD_N_PARTS + TSVAD_N_PROJECTED)
#define N_CHANNELS 48u
#define N_MID      4u
#define MOST_ROWS  (TSVAD_MOST + 2 * TSVAD_CONTEXT)
/* As the net was trained: tools/train/tsvad/features.py. */
#define LEAST_PROB  1e-4F /* of the speech detector: smaller ones say nothing more */
#define LOGIT_SHARE 0.25F

const size_t tsvad_reach[TSVAD_N_SCALES] = {1, 3, 6, 9};

/* Frames between the taps of the layers in the middle. */
static const size_t mid_dilation[N_MID] = {1, 2, 4, 2};

struct tsvad {
    struct small_layer proj, inp, mid[N_MID], out; /* weights [n_taps, n_in, n_out] */
    char model_digest[DIGEST_TEXT_CHARS];
    float input[MOST_ROWS * N_INPUT];
    float state[MOST_ROWS * N_CHANNELS], change[MOST_ROWS * N_CHANNELS];
    float logits[MOST_ROWS * TSVAD_N_PARTS];
};

/* ---- arithmetic ----------------------------------------------------------------------------- */

/* x [n, n_in] -> y [n, n_out], y_t = b + sum over taps k of W_k x_(t + (k - n_taps / 2) dilation);
 * rows beyond either end are zeroes. */
static void convolve(const struct small_layer *c, size_t dilation, const float *x, size_t n,
                     float *y)
{
    for (size_t t = 0; t < n; t++)
        memcpy(y + t * c->n_out, c->bias, c->n_out * sizeof *y);
    for (size_t k = 0; k < c->n_taps; k++) {
        const size_t half = c->n_taps / 2;
        const size_t back = k < half ? (half - k) * dilation : 0;
        const size_t ahead = k > half ? (k - half) * dilation : 0;
        if (back + ahead >= n)
            continue;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(n - back - ahead),
                    (int)c->n_out, (int)c->n_in, 1.0F, x + ahead * c->n_in, (int)c->n_in,
                    c->weight + k * c->n_in * c->n_out, (int)c->n_out, 1.0F, y + back * c->n_out,
                    (int)c->n_out);
    }
}

static void rectify(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fmaxf(x[i], 0.0F);
}

void tsvad_project(const struct tsvad *tsvad, const float *trunk, size_t n, float *projected)
{
    convolve(&tsvad->proj, 1, trunk, n, projected);
    rectify(projected, n * TSVAD_N_PROJECTED);
}

float tsvad_speech(float probability)
{
    const float p = fminf(fmaxf(probability, LEAST_PROB), 1.0F - LEAST_PROB);
    return LOGIT_SHARE * logf(p / (1.0F - p));
}

/* The 28 values of one frame and voice. */
static void gather(const struct tsvad_input *in, size_t voice, size_t t, float *row)
{
    const float *cosines = in->cosines + t * in->n_voices * TSVAD_N_SCALES;
    for (size_t s = 0; s < TSVAD_N_SCALES; s++) {
        float nearest = TSVAD_FLOOR;
        for (size_t v = 0; v < in->n_voices; v++)
            if (v != voice)
                nearest = fmaxf(nearest, cosines[v * TSVAD_N_SCALES + s]);
        row[s] = cosines[voice * TSVAD_N_SCALES + s];
        row[TSVAD_N_SCALES + s] = nearest;
    }
    row += 2 * TSVAD_N_SCALES;
    memcpy(row, in->speech + t * TSVAD_N_PARTS, TSVAD_N_PARTS * sizeof *row);
    memcpy(row + TSVAD_N_PARTS, in->projected + t * TSVAD_N_PROJECTED,
           TSVAD_N_PROJECTED * sizeof *row);
}

void tsvad_run(struct tsvad *tsvad, const struct tsvad_input *input, size_t voice, size_t first,
               size_t n, float *probabilities)
{
    const size_t begin = first > TSVAD_CONTEXT ? first - TSVAD_CONTEXT : 0;
    const size_t beyond = first + n + TSVAD_CONTEXT;
    const size_t end = beyond < input->n_frames ? beyond : input->n_frames;
    const size_t n_rows = end - begin;
    for (size_t t = 0; t < n_rows; t++)
        gather(input, voice, begin + t, tsvad->input + t * N_INPUT);
    convolve(&tsvad->inp, 1, tsvad->input, n_rows, tsvad->state);
    rectify(tsvad->state, n_rows * N_CHANNELS);
    for (size_t i = 0; i < N_MID; i++) {
        convolve(&tsvad->mid[i], mid_dilation[i], tsvad->state, n_rows, tsvad->change);
        rectify(tsvad->change, n_rows * N_CHANNELS);
        for (size_t k = 0; k < n_rows * N_CHANNELS; k++)
            tsvad->state[k] += tsvad->change[k];
    }
    convolve(&tsvad->out, 1, tsvad->state, n_rows, tsvad->logits);
    const float *logits = tsvad->logits + (first - begin) * TSVAD_N_PARTS;
    for (size_t i = 0; i < n * TSVAD_N_PARTS; i++)
        probabilities[i] = 1.0F / (1.0F + expf(-logits[i]));
}

/* ---- loading -------------------------------------------------------------------------------- */

static enum vp_status load(const void *bytes, size_t n_bytes, struct tsvad *tsvad,
                           struct vp_err *err)
{
    struct metadata metadata = {0};
    /* panels of all outputs: [n_taps, n_in, n_out] */
    const struct small_layer_spec specs[] = {
        {"proj.weight", "proj.bias", TSVAD_N_PROJECTED, TSVAD_TRUNK_ROWS, 0, TSVAD_N_PROJECTED,
         &tsvad->proj},
        {"inp.weight", "inp.bias", N_CHANNELS, N_INPUT, 3, N_CHANNELS, &tsvad->inp},
        {"mid.0.weight", "mid.0.bias", N_CHANNELS, N_CHANNELS, 5, N_CHANNELS, &tsvad->mid[0]},
        {"mid.1.weight", "mid.1.bias", N_CHANNELS, N_CHANNELS, 5, N_CHANNELS, &tsvad->mid[1]},
        {"mid.2.weight", "mid.2.bias", N_CHANNELS, N_CHANNELS, 5, N_CHANNELS, &tsvad->mid[2]},
        {"mid.3.weight", "mid.3.bias", N_CHANNELS, N_CHANNELS, 5, N_CHANNELS, &tsvad->mid[3]},
        {"out.weight", "out.bias", TSVAD_N_PARTS, N_CHANNELS, 1, TSVAD_N_PARTS, &tsvad->out},
    };
    const enum vp_status status =
        small_net_read(bytes, n_bytes, specs, sizeof specs / sizeof specs[0],
                       "the net that tells who speaks", &metadata, err);
    memcpy(tsvad->model_digest, metadata.model_digest, sizeof tsvad->model_digest);
    metadata_clear(&metadata);
    return status;
}

enum vp_status tsvad_new(const void *bytes, size_t n_bytes, struct tsvad **out, struct vp_err *err)
{
    *out = NULL;
    if (bytes == NULL) {
        bytes = tsvad_weights;
        n_bytes = (size_t)(tsvad_weights_end - tsvad_weights);
    }
    struct tsvad *tsvad = calloc(1, sizeof *tsvad);
    if (tsvad == NULL)
        return status_no_memory(err, "the net that tells who speaks", sizeof *tsvad);
    const enum vp_status status = load(bytes, n_bytes, tsvad, err);
    if (status == VP_OK)
        *out = tsvad;
    else
        tsvad_free(tsvad);
    return status;
}

void tsvad_free(struct tsvad *tsvad)
{
    if (tsvad == NULL)
        return;
    small_layer_clear(&tsvad->proj);
    small_layer_clear(&tsvad->inp);
    for (size_t i = 0; i < N_MID; i++)
        small_layer_clear(&tsvad->mid[i]);
    small_layer_clear(&tsvad->out);
    free(tsvad);
}

size_t tsvad_bytes(const struct tsvad *tsvad)
{
    return sizeof *tsvad + (TSVAD_TRUNK_ROWS * TSVAD_N_PROJECTED + 3 * N_INPUT * N_CHANNELS +
                            N_MID * 5 * N_CHANNELS * N_CHANNELS + N_CHANNELS * TSVAD_N_PARTS) *
                               sizeof(float);
}

bool tsvad_serves(const struct tsvad *tsvad, const char *model_digest)
{
    return tsvad->model_digest[0] != '\0' && strcmp(tsvad->model_digest, model_digest) == 0;
}
