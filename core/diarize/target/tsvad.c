/* Convolutions as sums of products of matrices, one for each of their taps. */
#include "diarize/target/tsvad.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/safetensors.h"

#define N_INPUT    (2 * TSVAD_N_SCALES + TSVAD_N_PARTS + TSVAD_N_PROJECTED)
#define N_CHANNELS 48u
#define N_MID      4u
#define MOST_ROWS  (TSVAD_MOST + 2 * TSVAD_CONTEXT)
/* As the net was trained: tools/train/tsvad/features.py. */
#define LEAST_PROB  1e-4F /* of the speech detector: beyond, it is only surer */
#define LOGIT_SHARE 0.25F

const size_t tsvad_reach[TSVAD_N_SCALES] = {1, 3, 6, 9};

/* y_t = b + sum over taps k of W_k x_(t + (k - n_taps / 2) apart) */
struct convolution {
    size_t n_taps, apart, n_in, n_out;
    float *weight; /* owned, [n_taps, n_in, n_out] */
    float *bias;   /* owned, [n_out] */
};

struct tsvad {
    struct convolution proj, inp, mid[N_MID], out;
    char model_digest[DIGEST_TEXT_CHARS];
    float input[MOST_ROWS * N_INPUT];
    float state[MOST_ROWS * N_CHANNELS], change[MOST_ROWS * N_CHANNELS];
    float logits[MOST_ROWS * TSVAD_N_PARTS];
};

/* ---- arithmetic ----------------------------------------------------------------------------- */

/* x [n, n_in] -> y [n, n_out]; rows beyond either end are zeroes. */
static void convolve(const struct convolution *c, const float *x, size_t n, float *y)
{
    for (size_t t = 0; t < n; t++)
        memcpy(y + t * c->n_out, c->bias, c->n_out * sizeof *y);
    for (size_t k = 0; k < c->n_taps; k++) {
        const size_t half = c->n_taps / 2;
        const size_t back = k < half ? (half - k) * c->apart : 0;
        const size_t ahead = k > half ? (k - half) * c->apart : 0;
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
    convolve(&tsvad->proj, trunk, n, projected);
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
    convolve(&tsvad->inp, tsvad->input, n_rows, tsvad->state);
    rectify(tsvad->state, n_rows * N_CHANNELS);
    for (size_t i = 0; i < N_MID; i++) {
        convolve(&tsvad->mid[i], tsvad->state, n_rows, tsvad->change);
        rectify(tsvad->change, n_rows * N_CHANNELS);
        for (size_t k = 0; k < n_rows * N_CHANNELS; k++)
            tsvad->state[k] += tsvad->change[k];
    }
    convolve(&tsvad->out, tsvad->state, n_rows, tsvad->logits);
    const float *logits = tsvad->logits + (first - begin) * TSVAD_N_PARTS;
    for (size_t i = 0; i < n * TSVAD_N_PARTS; i++)
        probabilities[i] = 1.0F / (1.0F + expf(-logits[i]));
}

/* ---- loading -------------------------------------------------------------------------------- */

/* PyTorch has [n_out, n_in, n_taps], without the last for a linear layer. */
static enum vp_status load_convolution(const struct safetensors *file, const char *name,
                                       size_t n_taps, struct convolution *c, struct vp_err *err)
{
    char weight[32], bias[32];
    (void)snprintf(weight, sizeof weight, "%s.weight", name);
    (void)snprintf(bias, sizeof bias, "%s.bias", name);
    const size_t dims[] = {c->n_out, c->n_in, n_taps};
    float *rows = NULL;
    c->n_taps = n_taps > 0 ? n_taps : 1;
    enum vp_status status = safetensors_take(file, weight, dims, n_taps > 0 ? 3 : 2, &rows, err);
    if (status == VP_OK)
        status = safetensors_take(file, bias, &c->n_out, 1, &c->bias, err);
    if (status == VP_OK) {
        const size_t n_weights = c->n_taps * c->n_in * c->n_out;
        c->weight = malloc(n_weights * sizeof *c->weight);
        if (c->weight == NULL)
            status = status_no_memory(err, "the net that tells who speaks",
                                      n_weights * sizeof *c->weight);
    }
    for (size_t o = 0; status == VP_OK && o < c->n_out; o++)
        for (size_t i = 0; i < c->n_in; i++)
            for (size_t k = 0; k < c->n_taps; k++)
                c->weight[(k * c->n_in + i) * c->n_out + o] =
                    rows[(o * c->n_in + i) * c->n_taps + k];
    free(rows);
    return status;
}

static enum vp_status load(const struct safetensors *file, struct tsvad *tsvad, struct vp_err *err)
{
    const struct {
        const char *name;
        size_t n_taps, apart, n_in, n_out; /* no taps: a linear layer */
        struct convolution *convolution;
    } parts[] = {
        {"proj", 0, 1, TSVAD_TRUNK_ROWS, TSVAD_N_PROJECTED, &tsvad->proj},
        {"inp", 3, 1, N_INPUT, N_CHANNELS, &tsvad->inp},
        {"mid.0", 5, 1, N_CHANNELS, N_CHANNELS, &tsvad->mid[0]},
        {"mid.1", 5, 2, N_CHANNELS, N_CHANNELS, &tsvad->mid[1]},
        {"mid.2", 5, 4, N_CHANNELS, N_CHANNELS, &tsvad->mid[2]},
        {"mid.3", 5, 2, N_CHANNELS, N_CHANNELS, &tsvad->mid[3]},
        {"out", 1, 1, N_CHANNELS, TSVAD_N_PARTS, &tsvad->out},
    };
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && status == VP_OK; i++) {
        *parts[i].convolution = (struct convolution){
            .apart = parts[i].apart, .n_in = parts[i].n_in, .n_out = parts[i].n_out};
        status = load_convolution(file, parts[i].name, parts[i].n_taps, parts[i].convolution, err);
    }
    return status == VP_OK ? safetensors_finish(file, "the net that tells who speaks", err)
                           : status;
}

enum vp_status tsvad_new(const void *bytes, size_t n_bytes, struct tsvad **out, struct vp_err *err)
{
    *out = NULL;
    if (bytes == NULL) {
        bytes = tsvad_weights;
        n_bytes = (size_t)(tsvad_weights_end - tsvad_weights);
    }
    struct safetensors file;
    struct metadata metadata = {0};
    struct tsvad *tsvad = calloc(1, sizeof *tsvad);
    if (tsvad == NULL)
        return status_no_memory(err, "the net that tells who speaks", sizeof *tsvad);
    enum vp_status status = safetensors_open(bytes, n_bytes, &file, &metadata, err);
    if (status == VP_OK)
        status = load(&file, tsvad, err);
    memcpy(tsvad->model_digest, metadata.model_digest, sizeof tsvad->model_digest);
    safetensors_close(&file);
    metadata_clear(&metadata);
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
    struct convolution *const all[] = {&tsvad->proj,   &tsvad->inp,    &tsvad->mid[0],
                                       &tsvad->mid[1], &tsvad->mid[2], &tsvad->mid[3],
                                       &tsvad->out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i]->weight);
        free(all[i]->bias);
    }
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
