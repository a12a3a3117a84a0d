/*
 * The whole network, every kernel of this build: against PyTorch's goldens stage by stage, and
 * against the definition in double on nets of other shapes and on clips of many bands.
 */
#include "unit.h"

#include "loader/net_load.h"
#include "naive_net.h"
#include "network/resnet.h"
#include "npy.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                         VP_KERNEL_NEON};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])

/* Largest l2 error relative to float64. BLAS: what float32 sums cost. Winograd adds the rounding of
 * its transforms, on these small nets up to 3e-6; it averages out in the published one. The
 * model's own bar is 1e-4. */
static double bar_of(enum vp_kernel kernel)
{
    return kernel == VP_KERNEL_BLAS ? 2e-6 : 5e-6;
}

static struct resnet *pack(const struct net *net, enum vp_kernel kernel, size_t max_frames,
                           struct resnet_state **state)
{
    struct resnet *resnet = NULL;
    struct vp_err err;
    if (resnet_new(net, kernel, &resnet, &err) != VP_OK ||
        resnet_state_new(resnet, max_frames, 1, state, &err) != VP_OK)
        fail_msg("%s", err.message);
    return resnet;
}

/* ---- goldens ------------------------------------------------------------------------------ */

static const char *const stages[] = {"conv1",  "layer1", "layer2",   "layer3",
                                     "layer4", "pooled", "embedding"};
#define N_STAGES (sizeof stages / sizeof stages[0])

struct goldens {
    struct npy stage[N_STAGES];
    double error[N_STAGES], power[N_STAGES];
    size_t n_seen[N_STAGES];
};

static void on_tap(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                   const float *frame)
{
    struct goldens *goldens = ctx;
    size_t s = 0;
    while (strcmp(stage, stages[s]) != 0)
        assert_true(++s < N_STAGES);
    const struct npy *golden = &goldens->stage[s];
    const size_t n_frames = golden->n_dims == 3 ? golden->shape[2] : 1;
    assert_int_equal(n_channels, golden->shape[0]);
    assert_int_equal(n_freq, golden->n_dims == 3 ? golden->shape[1] : 1);
    assert_true(t < n_frames);
    for (size_t i = 0; i < n_channels * n_freq; i++) {
        const double want = (double)golden->data[i * n_frames + t];
        goldens->error[s] += ((double)frame[i] - want) * ((double)frame[i] - want);
        goldens->power[s] += want * want;
        goldens->n_seen[s]++;
    }
}

static void check_goldens(struct resnet_state *state, enum vp_kernel kernel, const char *folder)
{
    char path[256];
    struct npy features;
    struct goldens goldens = {.n_seen = {0}};
    snprintf(path, sizeof path, "tests/golden/%s/fbank.npy", folder);
    assert_true(npy_load(path, &features));
    for (size_t s = 0; s < N_STAGES; s++) {
        snprintf(path, sizeof path, "tests/golden/%s/%s.npy", folder, stages[s]);
        assert_true(npy_load(path, &goldens.stage[s]));
    }
    float embedding[256];
    struct vp_err err;
    assert_int_equal(
        resnet_forward(state, features.data, features.shape[0], embedding, on_tap, &goldens, &err),
        VP_OK);
    for (size_t s = 0; s < N_STAGES; s++) {
        assert_int_equal(goldens.n_seen[s], goldens.stage[s].n);
        /* this net's embedding is a small difference of large terms */
        const double bar = bar_of(kernel) * (strcmp(stages[s], "embedding") == 0 ? 2.5 : 1.0);
        if (!(sqrt(goldens.error[s]) <= bar * sqrt(goldens.power[s])))
            fail_msg("%s %s: l2 error %.3g", folder, stages[s],
                     sqrt(goldens.error[s] / goldens.power[s]));
        npy_free(&goldens.stage[s]);
    }
    npy_free(&features);
}

static void every_stage_is_pytorchs(void **unused)
{
    (void)unused;
    static const char *const folders[] = {"t009", "t010", "t016", "t017", "t050", "t098"};
    struct net *net = NULL;
    const char *format;
    char digest[72];
    struct vp_err err;
    assert_int_equal(net_load("tests/golden/models/small.safetensors", &net, &format, digest, &err),
                     VP_OK);
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (!vp_kernel_available(kernels[k]))
            continue; /* test_conv says so */
        struct resnet_state *state = NULL;
        struct resnet *resnet = pack(net, kernels[k], 98, &state);
        for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
            check_goldens(state, kernels[k], folders[i]);
        resnet_state_free(state);
        resnet_free(resnet);
    }
    net_free(net);
}

/* ---- the definition ----------------------------------------------------------------------- */

static float *random_features(size_t n_frames, size_t n_mels)
{
    uint64_t seed = n_frames;
    float *features = calloc(n_frames * n_mels, sizeof *features);
    assert_non_null(features);
    for (size_t i = 0; i < n_frames * n_mels; i++) /* slow waves and noise, as speech has both */
        features[i] = (float)(2.0 * sin((double)i * 0.001) + 2.0 * naive_random(&seed));
    return features;
}

static double l2_error(const float *got, const double *want, size_t n)
{
    double error = 0.0, power = 0.0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        power += want[i] * want[i];
    }
    return sqrt(error / power);
}

static void check_net(const struct naive_shape *shape, const size_t *lengths, size_t n_lengths)
{
    struct net *net = naive_net(shape, 7);
    struct resnet *resnets[N_KERNELS] = {NULL};
    struct resnet_state *states[N_KERNELS] = {NULL};
    for (size_t k = 0; k < N_KERNELS; k++)
        if (vp_kernel_available(kernels[k]))
            resnets[k] = pack(net, kernels[k], lengths[n_lengths - 1], &states[k]);
    for (size_t i = 0; i < n_lengths; i++) {
        float *features = random_features(lengths[i], net->n_mels), embedding[64];
        double want[64];
        naive_forward(net, features, lengths[i], want);
        for (size_t k = 0; k < N_KERNELS; k++) {
            struct vp_err err;
            if (states[k] == NULL)
                continue;
            assert_int_equal(
                resnet_forward(states[k], features, lengths[i], embedding, NULL, NULL, &err),
                VP_OK);
            const double error = l2_error(embedding, want, net->dim);
            if (!(error <= bar_of(kernels[k])))
                fail_msg("kernel %s, %zu frames, %zu channels: l2 error %.3g",
                         vp_kernel_name(kernels[k]), lengths[i], shape->channels[0], error);
        }
        free(features);
    }
    for (size_t k = 0; k < N_KERNELS; k++) {
        resnet_state_free(states[k]);
        resnet_free(resnets[k]);
    }
    net_free(net);
}

static void odd_lengths(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {9, 10, 11, 15, 16, 17, 31, 50, 63, 98};
    const struct naive_shape basic = {
        .n_mels = 80, .dim = 12, .blocks = {1, 2, 1, 1}, .channels = {4, 7, 8, 17}};
    check_net(&basic, lengths, sizeof lengths / sizeof lengths[0]);
}

static void odd_widths(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {9, 17, 50};
    const struct naive_shape basic = {
        .n_mels = 23, .dim = 5, .blocks = {2, 1, 2, 1}, .channels = {3, 5, 33, 40}};
    check_net(&basic, lengths, sizeof lengths / sizeof lengths[0]);
}

static void bottlenecks(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {9, 10, 17, 50, 98};
    const struct naive_shape shape = {.n_mels = 40,
                                      .dim = 8,
                                      .blocks = {2, 1, 2, 1},
                                      .channels = {8, 20, 36, 64},
                                      .bottleneck = true};
    check_net(&shape, lengths, sizeof lengths / sizeof lengths[0]);
}

static void clips_of_many_bands(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {333, 998, 1999, 5000};
    const struct naive_shape shape = {
        .n_mels = 16, .dim = 4, .blocks = {1, 1, 1, 1}, .channels = {2, 3, 4, 5}};
    check_net(&shape, lengths, sizeof lengths / sizeof lengths[0]);
}

static void every_length_ends_well(void **unused)
{
    (void)unused;
    size_t lengths[192];
    for (size_t i = 0; i < 192; i++)
        lengths[i] = RESNET_MIN_FRAMES + i;
    const struct naive_shape shape = {
        .n_mels = 8, .dim = 4, .blocks = {1, 1, 1, 2}, .channels = {2, 3, 2, 3}};
    check_net(&shape, lengths, 192);
}

/* As deep as the published model: the schedule must get by with the frames it planned, whatever the
 * length of the clip. The kernels check each other. */
static void a_deep_net_takes_every_length(void **unused)
{
    (void)unused;
    const struct naive_shape shape = {
        .n_mels = 80, .dim = 4, .blocks = {3, 4, 6, 3}, .channels = {1, 2, 1, 2}};
    struct net *net = naive_net(&shape, 3);
    struct resnet *resnets[N_KERNELS] = {NULL};
    struct resnet_state *states[N_KERNELS] = {NULL};
    for (size_t k = 0; k < N_KERNELS; k++)
        if (vp_kernel_available(kernels[k]))
            resnets[k] = pack(net, kernels[k], 1500, &states[k]);
    float *features = random_features(1500, net->n_mels);
    for (size_t n_frames = RESNET_MIN_FRAMES; n_frames <= 1500;
         n_frames += n_frames < 50 ? 1 : 67) {
        double want[4] = {0};
        for (size_t k = 0; k < N_KERNELS; k++) {
            float embedding[4];
            struct vp_err err;
            if (states[k] == NULL)
                continue;
            assert_int_equal(
                resnet_forward(states[k], features, n_frames, embedding, NULL, NULL, &err), VP_OK);
            for (size_t i = 0; k == 0 && i < 4; i++)
                want[i] = (double)embedding[i];
            assert_true(l2_error(embedding, want, 4) <= 1e-5);
        }
    }
    for (size_t k = 0; k < N_KERNELS; k++) {
        resnet_state_free(states[k]);
        resnet_free(resnets[k]);
    }
    free(features);
    net_free(net);
}

/* ---- several threads ---------------------------------------------------------------------- */

struct helper {
    struct resnet_state *state;
    atomic_bool stop;
    unsigned n_asked;
};

static bool leave_sometimes(void *ctx)
{
    struct helper *helper = ctx;
    return ++helper->n_asked % 5000 == 0 || atomic_load(&helper->stop);
}

static void *help(void *ctx)
{
    struct helper *helper = ctx;
    while (!atomic_load(&helper->stop))
        resnet_help(helper->state, leave_sometimes, helper);
    return NULL;
}

/* Threads that come and go, more of them than there is room for: every bit stays the same. */
static void helpers_change_no_bit(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {9, 17, 98, 333, 1500};
    const struct naive_shape shape = {
        .n_mels = 80, .dim = 6, .blocks = {2, 1, 2, 1}, .channels = {4, 20, 8, 17}};
    struct net *net = naive_net(&shape, 5);
    float *features = random_features(1500, net->n_mels);
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (!vp_kernel_available(kernels[k]))
            continue;
        struct resnet_state *alone = NULL, *team = NULL;
        struct vp_err err;
        struct resnet *resnet = pack(net, kernels[k], 1500, &alone);
        assert_int_equal(resnet_state_new(resnet, 1500, 3, &team, &err), VP_OK);
        struct helper helpers[4];
        pthread_t threads[4];
        for (size_t i = 0; i < 4; i++) {
            helpers[i].state = team;
            helpers[i].n_asked = (unsigned)i * 1000;
            atomic_init(&helpers[i].stop, false);
            assert_int_equal(pthread_create(&threads[i], NULL, help, &helpers[i]), 0);
        }
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            float want[6], got[6];
            assert_int_equal(resnet_forward(alone, features, lengths[i], want, NULL, NULL, &err),
                             VP_OK);
            assert_int_equal(resnet_forward(team, features, lengths[i], got, NULL, NULL, &err),
                             VP_OK);
            assert_memory_equal(got, want, sizeof want);
        }
        for (size_t i = 0; i < 4; i++)
            atomic_store(&helpers[i].stop, true);
        for (size_t i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        resnet_state_free(alone);
        resnet_state_free(team);
        resnet_free(resnet);
    }
    free(features);
    net_free(net);
}

/* ---- rules -------------------------------------------------------------------------------- */

static void scratch_does_not_grow_with_the_clip(void **unused)
{
    (void)unused;
    const struct naive_shape shape = {
        .n_mels = 80, .dim = 4, .blocks = {1, 1, 1, 1}, .channels = {2, 3, 4, 5}};
    struct net *net = naive_net(&shape, 1);
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (!vp_kernel_available(kernels[k]))
            continue;
        struct resnet_state *ten_seconds = NULL, *ten_minutes = NULL;
        struct vp_err err;
        struct resnet *resnet = pack(net, kernels[k], 998, &ten_seconds);
        assert_int_equal(resnet_state_new(resnet, 59998, 1, &ten_minutes, &err), VP_OK);
        assert_int_equal(resnet_state_bytes(ten_seconds), resnet_state_bytes(ten_minutes));
        resnet_state_free(ten_seconds);
        resnet_state_free(ten_minutes);
        resnet_free(resnet);
    }
    net_free(net);
}

static void lengths_outside_are_refused(void **unused)
{
    (void)unused;
    const struct naive_shape shape = {
        .n_mels = 80, .dim = 4, .blocks = {1, 1, 1, 1}, .channels = {2, 3, 4, 5}};
    struct net *net = naive_net(&shape, 1);
    struct resnet_state *state = NULL;
    struct resnet *resnet = pack(net, VP_KERNEL_BLAS, 20, &state), *none = NULL;
    float *features = random_features(21, 80), embedding[4];
    struct vp_err err;
    assert_int_equal(resnet_forward(state, features, 8, embedding, NULL, NULL, &err),
                     VP_ERR_ARGUMENT);
    assert_int_equal(resnet_forward(state, features, 21, embedding, NULL, NULL, &err),
                     VP_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "9 to 20 frames"));
    assert_int_equal(resnet_new(net, VP_KERNEL_AUTO, &none, &err), VP_ERR_ARGUMENT);
    assert_null(none);
    free(features);
    resnet_state_free(state);
    resnet_free(resnet);
    net_free(net);
}

int main(void)
{
    openblas_set_num_threads(1); /* as vp_model_open does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_is_pytorchs),
        cmocka_unit_test(odd_lengths),
        cmocka_unit_test(odd_widths),
        cmocka_unit_test(bottlenecks),
        cmocka_unit_test(clips_of_many_bands),
        cmocka_unit_test(every_length_ends_well),
        cmocka_unit_test(a_deep_net_takes_every_length),
        cmocka_unit_test(helpers_change_no_bit),
        cmocka_unit_test(scratch_does_not_grow_with_the_clip),
        cmocka_unit_test(lengths_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
