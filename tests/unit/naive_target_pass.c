/* Everything at hand at once, pooled by plain loops. */
#include "naive_target_pass.h"

#include <math.h>

#include "network/resnet_ops.h"
#include "speech/vad.h"
#include "unit.h"
#include "voice/scratch.h"

#define N_ROWS 2560u

static float *floats(size_t n)
{
    float *values = calloc(n, sizeof *values);
    assert_non_null(values);
    return values;
}

float *naive_detect(vp_scratch *scratch, const float *samples, size_t n)
{
    struct vad *vad;
    const size_t n_frames = fbank_n_frames(n);
    float *features = floats(n_frames * 80), *probabilities = floats(n_frames + 1);
    fbank_log_mel(scratch->fbank, samples, n, features);
    assert_int_equal(vad_new(NULL, 0, VP_KERNEL_BLAS, &vad, NULL), VP_OK);
    const size_t n_pushed = vad_push(vad, features, n_frames, probabilities);
    assert_int_equal(n_pushed + vad_flush(vad, probabilities + n_pushed), n_frames);
    vad_free(vad);
    free(features);
    return probabilities;
}

/* What the detector says, the last frame's word for what lies behind it. */
static void plain_speech(struct naive_target_pass *twin, const float *probabilities)
{
    const size_t last = twin->n_frames - 1;
    for (size_t i = 0; i < twin->n_trunk * 8; i++)
        twin->speech[i / 2] += 0.5F * tsvad_speech(probabilities[i < last ? i : last]);
}

/* Trunk frames 64 k .. 64 k + 63 come from the log-mel frames of 64 k - 4 .. 64 k + 67. */
static void plain_trunk(struct naive_target_pass *twin, vp_scratch *scratch, const float *features)
{
    float *cut = floats(72 * 8 * 80), *made = floats(72 * N_ROWS);
    for (size_t k = 0; k * 64 < twin->n_trunk; k++) {
        const size_t before = k > 0 ? 4 : 0, first = (64 * k - before) * 8;
        const size_t last = (64 * k + 68) * 8;
        const size_t n = (last < twin->n_frames ? last : twin->n_frames) - first;
        for (size_t m = 0; m < 80; m++) {
            double sum = 0.0;
            for (size_t t = 0; t < n; t++)
                sum += (double)features[(first + t) * 80 + m];
            for (size_t t = 0; t < n; t++)
                cut[t * 80 + m] = (float)((double)features[(first + t) * 80 + m] - sum / (double)n);
        }
        assert_int_equal(resnet_trunk(scratch->state->resnet, cut, n, made, NULL), VP_OK);
        for (size_t t = 64 * k; t < 64 * k + 64 && t < twin->n_trunk; t++)
            memcpy(twin->trunk + t * N_ROWS, made + (t - 64 * k + before) * N_ROWS,
                   N_ROWS * sizeof *made);
    }
    free(made);
    free(cut);
}

/* Mean and standard deviation of the frames within reach of frame at -> stats [2 N_ROWS] */
static void plain_stats(const struct naive_target_pass *twin, size_t at, size_t reach,
                        double *stats)
{
    const size_t first = at > reach ? at - reach : 0;
    for (size_t r = 0; r < N_ROWS; r++) {
        double sum = 0.0, squares = 0.0, n = 0.0;
        for (size_t t = first; t <= at + reach && t < twin->n_trunk; t++, n += 1.0)
            sum += (double)twin->trunk[t * N_ROWS + r];
        for (size_t t = first; t <= at + reach && t < twin->n_trunk; t++)
            squares += pow((double)twin->trunk[t * N_ROWS + r] - sum / n, 2.0);
        stats[r] = sum / n;
        stats[N_ROWS + r] = sqrt(squares / (n - 1.0) + 1e-7);
    }
}

static void plain_embedding(const struct resnet *resnet, const double *stats, double *embedding)
{
    for (size_t d = 0; d < resnet->dim; d++) {
        const float *weight = resnet->fc_weight + d * 2 * N_ROWS;
        double sum = (double)resnet->fc_bias[d];
        for (size_t i = 0; i < 2 * N_ROWS; i++)
            sum += (double)weight[i] * stats[i];
        embedding[d] = sum;
    }
}

static void plain_cosines(struct naive_target_pass *twin, const struct resnet *resnet,
                          const float *directions)
{
    static const size_t reaches[] = {1, 3, 6, 9};
    const size_t dim = resnet->dim;
    double *stats = calloc(2 * N_ROWS, sizeof *stats), *embedding = calloc(dim, sizeof *embedding);
    assert_true(stats != NULL && embedding != NULL);
    for (size_t t = 0; t < twin->n_trunk; t++)
        for (size_t s = 0; s < 4; s++) {
            plain_stats(twin, t, reaches[s], stats);
            plain_embedding(resnet, stats, embedding);
            for (size_t v = 0; v < twin->n_voices; v++) {
                double dot = 0.0, squares = 0.0;
                for (size_t d = 0; d < dim; d++) {
                    dot += embedding[d] * (double)directions[v * dim + d];
                    squares += embedding[d] * embedding[d];
                }
                twin->cosines[(t * twin->n_voices + v) * 4 + s] = (float)(dot / sqrt(squares));
            }
        }
    free(embedding);
    free(stats);
}

struct naive_target_pass naive_track(vp_scratch *scratch, struct tsvad *tsvad, const float *samples,
                                     size_t n, const float *directions, size_t n_voices)
{
    struct naive_target_pass twin = {.n_frames = fbank_n_frames(n), .n_voices = n_voices};
    const size_t n_trunk = twin.n_trunk = (twin.n_frames + 7) / 8;
    float *one = floats(n_trunk * 4);
    twin.trunk = floats(n_trunk * N_ROWS);
    twin.cosines = floats(n_trunk * n_voices * 4);
    twin.speech = floats(n_trunk * 4);
    twin.projected = floats(n_trunk * 16);
    twin.probabilities = floats(n_trunk * 4 * n_voices);
    float *features = floats(twin.n_frames * 80);
    fbank_log_mel(scratch->fbank, samples, n, features);
    float *probabilities = naive_detect(scratch, samples, n);
    plain_speech(&twin, probabilities);
    free(probabilities);
    plain_trunk(&twin, scratch, features);
    plain_cosines(&twin, scratch->model->network->resnet, directions);
    tsvad_project(tsvad, twin.trunk, n_trunk, twin.projected);
    const struct tsvad_input in = {n_trunk, n_voices, twin.cosines, twin.speech, twin.projected};
    for (size_t v = 0; v < n_voices; v++) {
        for (size_t first = 0; first < n_trunk; first += 200)
            tsvad_run(tsvad, &in, v, first, n_trunk - first < 200 ? n_trunk - first : 200,
                      one + 4 * first);
        for (size_t i = 0; i < n_trunk * 4; i++)
            twin.probabilities[i * n_voices + v] = one[i];
    }
    free(features);
    free(one);
    return twin;
}

void naive_target_pass_free(struct naive_target_pass *twin)
{
    float *const all[] = {twin->trunk, twin->cosines, twin->speech, twin->projected,
                          twin->probabilities};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}
