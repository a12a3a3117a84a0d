/*
 * Local speakers pooled from the trunk of a whole recording, against a twin that holds all of it,
 * and whom a window takes them for. Trunk frames and masks are made here.
 */
#include "unit.h"

#include <math.h>

#include "diarize/local/local_speakers.h"
#include "naive_net.h"
#include "network/stats_pool.h"
#include "voice/model.h"

enum { N_WINDOWS = 14, N_VOICES = 3, MOST_TRUNK = 300 };

static vp_model *model;
static size_t n_rows, dim;

static int open_model(void **state)
{
    (void)state;
    if (vp_model_open("tests/golden/models/small.safetensors", VP_KERNEL_AUTO, &model, NULL) !=
        VP_OK)
        return -1;
    n_rows = resnet_trunk_rows(model->network->resnet);
    dim = model->info.dim;
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    vp_model_free(model);
    return 0;
}

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    assert_non_null(memory);
    return memory;
}

/* ---- the twin ------------------------------------------------------------------------------ */

/* Who speaks in trunk frame i, 255 where the window does not cover it. */
static unsigned twin_mask(const struct local_masks *masks, size_t w, size_t i)
{
    const double at = 1280.0 * (double)i + 640.0 - 16000.0 * (double)w;
    if (at < 0.0 || at >= 160000.0)
        return 255;
    const double k = floor((at - 360.0) / 270.0);
    return masks->masks[w * SEG_WINDOW_FRAMES + (size_t)fmin(fmax(k, 0.0), 588.0)];
}

/* Cosines of a local speaker with the voices; false: too few frames to know him. */
static bool twin_cosines(const struct local_masks *masks, size_t w, unsigned local,
                         const float *trunk, const bool *computed, const float *directions,
                         double *cosines)
{
    size_t n_alone = 0, n_trunk_alone = 0, n = 0;
    for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
        n_alone += masks->masks[w * SEG_WINDOW_FRAMES + k] == 1u << local;
    for (size_t i = 0; i < MOST_TRUNK; i++)
        n_trunk_alone += twin_mask(masks, w, i) == 1u << local;
    const bool alone = n_alone >= 15 && n_trunk_alone >= 3;
    float *stats = allocate(2 * n_rows, sizeof *stats), *embedding = allocate(dim, sizeof(float));
    bool *used = allocate(MOST_TRUNK, sizeof *used);
    for (size_t i = 0; i < MOST_TRUNK; i++) {
        const unsigned mask = twin_mask(masks, w, i);
        used[i] =
            computed[i] && mask != 255 && (alone ? mask == 1u << local : (mask >> local & 1u) != 0);
        n += used[i];
    }
    for (size_t r = 0; r < n_rows && n >= 3; r++) {
        double mean = 0.0, squares = 0.0;
        for (size_t i = 0; i < MOST_TRUNK; i++)
            mean += used[i] ? (double)trunk[i * n_rows + r] / (double)n : 0.0;
        for (size_t i = 0; i < MOST_TRUNK; i++)
            squares += used[i] ? pow((double)trunk[i * n_rows + r] - mean, 2.0) : 0.0;
        stats[r] = (float)mean;
        stats[n_rows + r] = (float)sqrt(squares / (double)(n - 1) + STATS_POOL_VARIANCE_FLOOR);
    }
    if (n >= 3)
        resnet_embed_stats(model->network->resnet, stats, 1, embedding);
    double norm = 0.0;
    for (size_t d = 0; d < dim; d++)
        norm += (double)embedding[d] * (double)embedding[d];
    for (size_t v = 0; v < N_VOICES; v++) {
        cosines[v] = 0.0;
        for (size_t d = 0; d < dim; d++)
            cosines[v] += (double)embedding[d] * (double)directions[v * dim + d] / sqrt(norm);
    }
    free(stats);
    free(embedding);
    free(used);
    return n >= 3;
}

/* Of all ways to give n local speakers different voices, the one of the largest sum. */
static void twin_map(const double cosines[SEG_N_SPEAKERS][N_VOICES], size_t n, size_t *voice)
{
    double best = -HUGE_VAL;
    for (size_t code = 0; code < N_VOICES * N_VOICES * N_VOICES; code++) {
        const size_t tried[] = {code % N_VOICES, code / N_VOICES % N_VOICES,
                                code / N_VOICES / N_VOICES};
        double sum = 0.0;
        bool twice = false;
        for (size_t i = 0; i < n; i++) {
            sum += cosines[i][tried[i]];
            for (size_t j = 0; j < i; j++)
                twice |= tried[i] == tried[j];
        }
        if (twice || sum <= best)
            continue;
        best = sum;
        memcpy(voice, tried, n * sizeof *voice);
    }
}

/* ---- tests --------------------------------------------------------------------------------- */

/* Local speakers who come and go, at once now and then; some of next to no frames. */
static struct local_masks made_masks(void)
{
    struct local_masks masks = {0};
    for (size_t w = 0; w < N_WINDOWS; w++) {
        unsigned char window[SEG_WINDOW_FRAMES] = {0};
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
            const size_t t = local_masks_first_frame(w) + k;
            window[k] = (unsigned char)((t % 400 < 230) | (t % 300 > 200) << 1 |
                                        (w % 3 == 0 && k > 300 && k < 309) << 2);
        }
        assert_int_equal(local_masks_add(&masks, window, 1, NULL), VP_OK);
    }
    return masks;
}

static void local_speakers_are_those_of_the_twin(void **state)
{
    (void)state;
    struct local_masks masks = made_masks();
    float *trunk = allocate(MOST_TRUNK * n_rows, sizeof *trunk);
    float *directions = allocate(N_VOICES * dim, sizeof *directions);
    bool computed[MOST_TRUNK];
    uint64_t seed = 4;
    for (size_t i = 0; i < MOST_TRUNK; i++) {
        computed[i] = i % 90 < 80 && i < 287; /* stretches without speech are left out */
        for (size_t r = 0; r < n_rows; r++)
            trunk[i * n_rows + r] =
                (float)(naive_random(&seed) + ((i / 25 + r) % 3 == 0 ? 1.0 : 0.0));
    }
    for (size_t i = 0; i < N_VOICES * dim; i++)
        directions[i] = (float)naive_random(&seed);
    for (size_t v = 0; v < N_VOICES; v++)
        assert_int_equal(vp_embedding_normalize(directions + v * dim, dim, NULL, NULL), VP_OK);

    struct local_speakers *locals;
    const struct local_voices voices = {directions, N_VOICES, dim};
    assert_int_equal(local_speakers_new(&masks, model->network->resnet, &voices, &locals, NULL),
                     VP_OK);
    for (size_t i = 0; i < MOST_TRUNK; i++)
        if (computed[i])
            assert_int_equal(local_speakers_add(locals, i, trunk + i * n_rows, NULL), VP_OK);
    assert_int_equal(local_speakers_finish(locals, NULL), VP_OK);

    size_t n_known = 0, n_unknown = 0;
    for (size_t w = 0; w < N_WINDOWS; w++) {
        double cosines[SEG_N_SPEAKERS][N_VOICES];
        size_t known[SEG_N_SPEAKERS], voice[SEG_N_SPEAKERS], n = 0;
        for (unsigned s = 0; s < SEG_N_SPEAKERS; s++) {
            if (twin_cosines(&masks, w, s, trunk, computed, directions, cosines[n]))
                known[n++] = s;
            else
                n_unknown++;
        }
        const unsigned char *found = local_speakers_voices(locals) + w * SEG_N_SPEAKERS;
        twin_map((const double(*)[N_VOICES])cosines, n, voice);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(found[known[i]], voice[i]);
        size_t n_found = 0;
        for (size_t s = 0; s < SEG_N_SPEAKERS; s++)
            n_found += found[s] != LOCAL_NOBODY;
        assert_int_equal(n_found, n);
        n_known += n;
    }
    assert_true(n_known > N_WINDOWS && n_unknown > 5); /* both kinds were met */
    local_speakers_free(locals);
    local_masks_clear(&masks);
    free(trunk);
    free(directions);
}

static void a_window_is_mapped_one_to_one(void **state)
{
    (void)state;
    size_t voice[3];
    /* both nearest to voice 0, the first by far */
    const double two[] = {0.9, 0.1, 0.8, 0.6};
    assert_int_equal(local_speakers_map(two, 2, 2, voice, NULL), VP_OK);
    assert_int_equal(voice[0], 0);
    assert_int_equal(voice[1], 1);
    /* more local speakers than voices: the surplus goes to the nearest */
    const double surplus[] = {0.9, 0.2, 0.3, 0.5, 0.6, 0.1};
    assert_int_equal(local_speakers_map(surplus, 3, 2, voice, NULL), VP_OK);
    assert_int_equal(voice[0], 0);
    assert_int_equal(voice[1], 1);
    assert_int_equal(voice[2], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_speakers_are_those_of_the_twin),
        cmocka_unit_test(a_window_is_mapped_one_to_one),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
