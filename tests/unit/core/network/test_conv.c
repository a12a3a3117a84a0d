/*
 * Every convolution kernel of this build against the definition in double: odd sizes, both
 * strides, that of frequency alone, both kernel sizes, any number of frames, borders untouched.
 */
#include "unit.h"

#include "naive_net.h"
#include "network/conv.h"

#include <cblas.h>
#include <math.h>

struct shape {
    size_t n_in, n_out, n_freq, kernel, stride;
    bool every_frame; /* the stride is one of frequency alone */
};

static const struct shape shapes[] = {
    {1, 32, 80, 3, 1, false},    {1, 3, 7, 3, 1, false},     {1, 1, 1, 3, 1, false},
    {32, 32, 80, 3, 1, false},   {3, 5, 11, 3, 1, false},    {8, 8, 9, 3, 1, false},
    {16, 16, 10, 3, 1, false},   {17, 33, 13, 3, 1, false},  {64, 64, 20, 3, 1, false},
    {96, 80, 6, 3, 1, false},    {128, 256, 5, 3, 1, false}, {256, 256, 10, 3, 1, false},
    {32, 64, 80, 3, 2, false},   {5, 7, 13, 3, 2, false},    {17, 40, 10, 3, 2, false},
    {128, 256, 20, 3, 2, false}, {2, 4, 1, 3, 2, false},     {32, 64, 80, 1, 2, false},
    {3, 6, 9, 1, 2, false},      {64, 48, 10, 1, 2, false},  {2, 4, 1, 1, 2, false},
    {24, 40, 12, 1, 1, false},   {130, 3, 7, 1, 1, false},   {1, 1, 3, 1, 1, false},
    {32, 32, 80, 3, 2, true},    {5, 7, 13, 3, 2, true},     {17, 40, 10, 3, 2, true},
    {130, 7, 3, 3, 2, true},     {2, 4, 1, 3, 2, true},      {32, 32, 80, 1, 2, true},
    {3, 6, 9, 1, 2, true},
};

/* The convolution of a shape, with random weights. */
static void random_conv(struct net_conv *net, const struct shape *shape, uint64_t *seed)
{
    naive_conv_init(net, shape->n_out, shape->n_in, shape->kernel, shape->stride, seed);
    if (shape->every_frame)
        net->time_stride = 1;
}

static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                         VP_KERNEL_NEON};

#define UNTOUCHED 12345.0F

static size_t n_with_tile[7]; /* clips that ran with tiles of so many frames */

static float *frames_new(const struct frame_layout *layout, size_t n)
{
    float *frames = NULL;
    const size_t n_bytes = (n * layout->n_floats * sizeof *frames + 63) / 64 * 64;
    frames = aligned_alloc(64, n_bytes);
    assert_non_null(frames);
    memset(frames, 0, n_bytes);
    return frames;
}

/* values [C][F][T] -> frames; the borders stay zero. */
static void to_frames(const struct frame_layout *layout, const double *values, size_t n,
                      float *frames)
{
    for (size_t c = 0; c < layout->n_channels; c++)
        for (size_t f = 0; f < layout->n_freq; f++)
            for (size_t t = 0; t < n; t++)
                frames[t * layout->n_floats + frame_index(layout, c, f)] =
                    (float)values[(c * layout->n_freq + f) * n + t];
}

static double *random_values(size_t n, uint64_t *seed)
{
    double *values = calloc(n, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)(float)naive_random(seed);
    return values;
}

/* The whole clip in calls of as many frames as the tiling allows. */
static void run_clip(const struct conv_kernel *kernel, const struct conv *conv, const float *in,
                     size_t n_in, const float *residual, bool relu, float *out, size_t n_out)
{
    struct conv_tiling tiling;
    kernel->tiling(conv, n_out, &tiling);
    assert_in_range(tiling.tile, 1, conv->most_tile);
    assert_in_range(tiling.most, tiling.tile, conv->most);
    assert_int_equal(tiling.most % tiling.tile, 0);
    assert_int_equal(tiling.grain % tiling.tile, 0);
    n_with_tile[tiling.tile]++;
    const size_t most = conv_n_in(conv, tiling.tile, tiling.most);
    const float **in_frames = calloc(most, sizeof *in_frames);
    const float **residual_frames = calloc(conv->most, sizeof *residual_frames);
    float **out_frames = calloc(conv->most, sizeof *out_frames);
    float *zeros = frames_new(&conv->in, 1);
    const struct frame_layout scratch_layout = {.n_floats = conv->scratch_floats};
    float *scratch = frames_new(&scratch_layout, 1);
    for (size_t t = 0; t < n_out; t += tiling.most) {
        const size_t n = n_out - t < tiling.most ? n_out - t : tiling.most;
        for (size_t i = 0; i < conv_n_in(conv, tiling.tile, n); i++) {
            const ptrdiff_t at = (ptrdiff_t)(t * conv->time_stride + i) - (conv->kernel == 3);
            in_frames[i] =
                at < 0 || at >= (ptrdiff_t)n_in ? zeros : in + (size_t)at * conv->in.n_floats;
        }
        for (size_t i = 0; i < n; i++) {
            out_frames[i] = out + (t + i) * conv->out.n_floats;
            residual_frames[i] = residual == NULL ? NULL : residual + (t + i) * conv->out.n_floats;
        }
        const struct conv_frames frames = {.in = in_frames,
                                           .residual = residual == NULL ? NULL : residual_frames,
                                           .out = out_frames,
                                           .tile = tiling.tile,
                                           .n = n,
                                           .relu = relu};
        kernel->run(conv, &frames, scratch);
    }
    free(in_frames);
    free(residual_frames);
    free(out_frames);
    free(zeros);
    free(scratch);
}

static void compare(enum vp_kernel which, const struct conv *conv, const double *expected,
                    const float *out, size_t n_out)
{
    const struct frame_layout *layout = &conv->out;
    double error = 0.0, power = 0.0;
    for (size_t t = 0; t < n_out; t++)
        for (size_t c = 0; c < layout->n_channels; c++)
            for (size_t f = 0; f < layout->n_freq; f++) {
                const double want = expected[(c * layout->n_freq + f) * n_out + t];
                const double got = (double)out[t * layout->n_floats + frame_index(layout, c, f)];
                error += (got - want) * (got - want);
                power += want * want;
            }
    if (!(sqrt(error) <= (which == VP_KERNEL_BLAS ? 1e-6 : 6e-6) * sqrt(power)))
        fail_msg(
            "%zu -> %zu, F %zu, kernel %zu, stride %zu, %zu in time, %zu frames: l2 error %.3g",
            conv->n_in, conv->n_out, layout->n_freq, conv->kernel, conv->stride, conv->time_stride,
            n_out, sqrt(error / power));
    for (size_t t = 0; t < n_out; t++)
        for (size_t b = 0; b < layout->n_blocks; b++)
            for (size_t r = 0; r < layout->n_rows; r++)
                for (size_t l = 0; (r == 0 || r > layout->n_freq) && l < layout->lanes; l++)
                    assert_true(
                        out[t * layout->n_floats + (b * layout->n_rows + r) * layout->lanes + l] ==
                        UNTOUCHED);
}

static void check(enum vp_kernel which, const struct shape *shape, size_t n_frames,
                  bool with_residual, bool relu)
{
    const struct conv_kernel *kernel = conv_kernel_get(which);
    uint64_t seed = n_frames * 1000 + shape->n_in * 31 + shape->n_out;
    struct net_conv net = {0};
    random_conv(&net, shape, &seed);
    struct conv conv;
    assert_true(kernel->plan(&net, shape->n_freq, &conv));
    const struct frame_layout weights_layout = {.n_floats = conv.n_weights};
    conv.weights = frames_new(&weights_layout, 1);
    kernel->pack(&conv, &net);
    const size_t n_freq_out = (shape->n_freq - 1) / shape->stride + 1;
    const size_t n_out = (n_frames - 1) / net.time_stride + 1;
    assert_int_equal(conv.out.n_freq, n_freq_out);

    const size_t n_values = shape->n_out * n_freq_out * n_out;
    double *in = random_values(shape->n_in * shape->n_freq * n_frames, &seed);
    double *residual = random_values(n_values, &seed);
    double *expected = calloc(n_values, sizeof *expected);
    naive_conv(&net, in, shape->n_freq, n_frames, with_residual ? residual : NULL, relu, expected);

    float *in_frames = frames_new(&conv.in, n_frames);
    float *residual_frames = frames_new(&conv.out, n_out);
    float *out_frames = frames_new(&conv.out, n_out);
    to_frames(&conv.in, in, n_frames, in_frames);
    to_frames(&conv.out, residual, n_out, residual_frames);
    for (size_t i = 0; i < n_out * conv.out.n_floats; i++)
        out_frames[i] = UNTOUCHED;
    run_clip(kernel, &conv, in_frames, n_frames, with_residual ? residual_frames : NULL, relu,
             out_frames, n_out);
    compare(which, &conv, expected, out_frames, n_out);

    free(in);
    free(residual);
    free(expected);
    free(in_frames);
    free(residual_frames);
    free(out_frames);
    free(conv.weights);
    free(net.weight);
    free(net.bias);
}

static void every_kernel_computes_the_definition(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 5, 9, 10, 12, 16, 17, 25, 26, 31, 50, 131};
    for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
        if (!vp_kernel_available(kernels[k])) {
            print_message("kernel %s: not in this build or not on this CPU, left out\n",
                          vp_kernel_name(kernels[k]));
            continue;
        }
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
                if (shapes[s].n_in * shapes[s].n_out < 4096 || lengths[i] < 18)
                    check(kernels[k], &shapes[s], lengths[i], i % 2 == 0, i % 3 != 0);
        static const size_t vector_tiles[] = {2, 4, 5, 6};
        for (size_t i = 0; kernels[k] != VP_KERNEL_BLAS && i < 4; i++)
            assert_true(n_with_tile[vector_tiles[i]] > 1);
        memset(n_with_tile, 0, sizeof n_with_tile);
    }
}

/* A broken model must not look like a silent one. */
static void nan_comes_through(void **state)
{
    (void)state;
    const struct shape nets[] = {{4, 4, 10, 3, 1, false},
                                 {4, 4, 10, 3, 2, false},
                                 {4, 4, 10, 1, 1, false},
                                 {1, 4, 10, 3, 1, false},
                                 {4, 4, 10, 3, 2, true}};
    for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++)
        for (size_t i = 0; i < sizeof nets / sizeof nets[0] && vp_kernel_available(kernels[k]);
             i++) {
            const struct conv_kernel *kernel = conv_kernel_get(kernels[k]);
            uint64_t seed = 1;
            struct net_conv net = {0};
            random_conv(&net, &nets[i], &seed);
            net.bias[2] = NAN;
            struct conv conv;
            assert_true(kernel->plan(&net, nets[i].n_freq, &conv));
            const struct frame_layout weights_layout = {.n_floats = conv.n_weights};
            conv.weights = frames_new(&weights_layout, 1);
            kernel->pack(&conv, &net);
            float *in = frames_new(&conv.in, 6), *out = frames_new(&conv.out, 6);
            run_clip(kernel, &conv, in, 6, NULL, true, out, 3);
            assert_true(isnan(out[frame_index(&conv.out, 2, 1)]));
            assert_true(isfinite(out[frame_index(&conv.out, 1, 1)]));
            free(in);
            free(out);
            free(conv.weights);
            free(net.weight);
            free(net.bias);
        }
}

static void absent_kernels_are_not_given(void **state)
{
    (void)state;
    assert_null(conv_kernel_get(VP_KERNEL_AUTO));
    assert_null(conv_kernel_get((enum vp_kernel)99));
    assert_ptr_equal(conv_kernel_get(VP_KERNEL_BLAS), &conv_blas);
}

int main(void)
{
    openblas_set_num_threads(1); /* as vp_model_open does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_computes_the_definition),
        cmocka_unit_test(nan_comes_through),
        cmocka_unit_test(absent_kernels_are_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
