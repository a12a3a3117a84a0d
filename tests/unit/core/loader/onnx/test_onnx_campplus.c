/* A CAM++ in ONNX files: every exporter's spelling gives the net of the .safetensors, and what is
 * another network is refused by name. */
#include "unit.h"

#include "loader/model_file.h"
#include "loader/net_load.h"
#include "spoilt.h"

#include <math.h>
#include <stdlib.h>

#define FOLDER "tests/golden/campplus/"

static struct net *load(const char *name)
{
    char path[128], digest[DIGEST_TEXT_CHARS];
    const char *format;
    struct net *net = NULL;
    struct vp_err err = {0};
    snprintf(path, sizeof path, FOLDER "%s", name);
    if (net_load(path, &net, &format, digest, &err) != VP_OK)
        fail_msg("%s: %s", name, err.message);
    return net;
}

/* Every `find` [n] of the file becomes `replace` [n]. */
static void replace_all(const struct model_file *file, const char *find, const char *replace,
                        size_t n)
{
    unsigned char *bytes = file->bytes;
    size_t n_found = 0;
    for (size_t i = 0; i + n <= file->n_bytes; i++)
        if (memcmp(bytes + i, find, n) == 0) {
            memcpy(bytes + i, replace, n);
            n_found++;
        }
    assert_true(n_found > 0);
}

/* ---- spellings ---------------------------------------------------------------------------- */

/* How far two nets are from one another. */
struct distance {
    const char *name;
    double worst; /* of a value, relative to 1 or to the value where that is larger */
};

static void compare(struct distance *distance, const float *a, const float *b, size_t n)
{
    assert_true((a == NULL) == (b == NULL));
    for (size_t i = 0; a != NULL && i < n; i++)
        distance->worst = fmax(distance->worst,
                               fabs((double)a[i] - (double)b[i]) / fmax(1.0, fabs((double)a[i])));
}

static void compare_conv(struct distance *d, const struct net_conv *a, const struct net_conv *b)
{
    assert_true(a->n_in == b->n_in && a->n_out == b->n_out && a->kernel == b->kernel);
    assert_true(a->stride == b->stride && a->time_stride == b->time_stride);
    compare(d, a->weight, b->weight, net_conv_n_weights(a));
    compare(d, a->bias, b->bias, a->n_out);
}

static void compare_conv1d(struct distance *d, const struct net_conv1d *a,
                           const struct net_conv1d *b)
{
    assert_true(a->n_in == b->n_in && a->n_out == b->n_out && a->n_taps == b->n_taps);
    assert_true(a->stride == b->stride && a->dilation == b->dilation && a->relu == b->relu);
    compare(d, a->weight, b->weight, a->n_out * a->n_in * a->n_taps);
    compare(d, a->bias, b->bias, a->n_out);
    compare(d, a->scale, b->scale, a->n_in);
    compare(d, a->shift, b->shift, a->n_in);
}

static void compare_head(struct distance *d, const struct net *a, const struct net *b)
{
    compare_conv(d, &a->stem, &b->stem);
    for (size_t s = 0; s < VP_MAX_STAGES; s++) {
        assert_int_equal(a->stages[s].n_blocks, b->stages[s].n_blocks);
        for (size_t i = 0; i < a->stages[s].n_blocks; i++) {
            const struct net_block *x = &a->stages[s].blocks[i], *y = &b->stages[s].blocks[i];
            assert_true(x->n_convs == y->n_convs && x->has_shortcut == y->has_shortcut);
            for (size_t c = 0; c < x->n_convs; c++)
                compare_conv(d, &x->convs[c], &y->convs[c]);
            if (x->has_shortcut)
                compare_conv(d, &x->shortcut, &y->shortcut);
        }
    }
}

static void compare_nets(struct distance *d, const struct net *a, const struct net *b)
{
    compare_head(d, a, b);
    compare_conv1d(d, &a->campplus->tdnn, &b->campplus->tdnn);
    size_t n_rows = 0;
    for (size_t k = 0; k < CAMPPLUS_N_BLOCKS; k++) {
        const struct campplus_block *x = &a->campplus->blocks[k], *y = &b->campplus->blocks[k];
        assert_int_equal(x->n_layers, y->n_layers);
        for (size_t i = 0; i < x->n_layers; i++) {
            compare_conv1d(d, &x->layers[i].bottleneck, &y->layers[i].bottleneck);
            compare_conv1d(d, &x->layers[i].local, &y->layers[i].local);
            compare_conv1d(d, &x->layers[i].down, &y->layers[i].down);
            compare_conv1d(d, &x->layers[i].up, &y->layers[i].up);
        }
        compare_conv1d(d, &x->transit, &y->transit);
        n_rows = x->transit.n_out;
    }
    assert_int_equal(a->dim, b->dim);
    compare(d, a->fc_weight, b->fc_weight, a->dim * 2 * n_rows);
    compare(d, a->fc_bias, b->fc_bias, a->dim);
}

static void spellings_give_the_same_net(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool exact; /* nothing was folded by the exporter */
        enum front_end front_end;
    } files[] = {
        {"torch113-wespeaker.onnx", false, FRONT_END_HAMMING},
        {"torch113-sherpa.onnx", false, FRONT_END_POVEY},
        {"torch113-3dspeaker.onnx", false, FRONT_END_POVEY},
        {"torch113-unfolded.onnx", true, FRONT_END_POVEY},
        {"torch2-sherpa-opset17.onnx", false, FRONT_END_POVEY},
        {"torch2-unfolded.onnx", true, FRONT_END_POVEY},
    };
    struct net *plain = load("net.safetensors");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct net *net = load(files[i].name);
        struct distance distance = {.name = files[i].name};
        compare_nets(&distance, plain, net);
        if (distance.worst > (files[i].exact ? 0.0 : 1e-6))
            fail_msg("%s: weights off by %g", files[i].name, distance.worst);
        assert_true(net->front_end == files[i].front_end);
        assert_true((net->mean_vec != NULL) == (strstr(files[i].name, "wespeaker") != NULL));
        net_free(net);
    }
    net_free(plain);
}

/* Variances as small as epsilon, in both forms of the file: where they are, a float's rounding of
 * epsilon shows in the weights. */
static void small_variances_give_the_same_bits(void **state)
{
    (void)state;
    struct draft_safetensors draft;
    struct model_file file;
    struct net *plain = NULL, *net = NULL;
    struct vp_err err = {0};
    draft_safetensors_open(&draft, "../campplus/net");
    float *variances =
        draft_safetensors_values(&draft, "xvector.block1.tdnnd2.nonlinear1.batchnorm.running_var");
    float before[32], after[32];
    memcpy(before, variances, sizeof before);
    for (size_t i = 0; i < 32; i++)
        after[i] = variances[i] = 1e-6F * (float)(i + 1);
    assert_int_equal(spoilt_safetensors_load(&draft, &plain, &err), VP_OK);
    assert_int_equal(model_file_read(FOLDER "torch113-unfolded.onnx", &file, &err), VP_OK);
    replace_all(&file, (const char *)before, (const char *)after, sizeof before);
    assert_int_equal(spoilt_load_bytes(file.bytes, file.n_bytes, &net, &err), VP_OK);
    struct distance distance = {.name = "small variances"};
    compare_nets(&distance, plain, net);
    assert_true(distance.worst == 0.0);
    net_free(plain);
    net_free(net);
    model_file_free(&file);
    draft_safetensors_close(&draft);
}

/* ---- what is another network ---------------------------------------------------------------- */

/* Every `find` [n] of the file becomes `replace` [n]; NULL: there is no second one. */
struct spoiling {
    const char *name;
    size_t n;
    const char *find, *replace;
    size_t n2;
    const char *find2, *replace2;
    const char *sentence;
};

#define TEXT(find, replace) sizeof(find) - 1, find, replace

static void other_networks_are_refused(void **state)
{
    (void)state;
    static const struct spoiling spoilings[] = {
        {"no_sigmoid", TEXT("Sigmoid", "Softmax"), 0, NULL, NULL, "operator Softmax is not one"},
        {"no_front_end", TEXT("3d-speaker", "4d-speaker"), 0, NULL, NULL, "'front_end' must be"},
        {"segments_of_50", TEXT("kernel_shape\x40\x64", "kernel_shape\x40\x32"),
         TEXT("strides\x40\x64", "strides\x40\x32"), "is not the mean over the clip plus the mean"},
        {"segments_that_overlap", TEXT("strides\x40\x64", "strides\x40\x32"), 0, NULL, NULL,
         "(AveragePool) does not fit"},
        {"no_last_segment", TEXT("ceil_mode\x18\x01", "ceil_mode\x18\x00"), 0, NULL, NULL,
         "is not the mean over the clip plus the mean"},
        {"no_dilation", TEXT("dilations\x40\x02", "dilations\x40\x01"), 0, NULL, NULL,
         "its dilations is not that of a CAM++"},
        {"tdnn_keeps_every_frame", TEXT("strides\x40\x02\xa0", "strides\x40\x01\xa0"), 0, NULL,
         NULL, "its strides is not that of a"},
        {"groups", TEXT("group\x18\x01", "group\x18\x02"), 0, NULL, NULL, "its group is not that"},
        {"sums_for_products",
         TEXT("\x22\x03Mul", "\x22\x03"
                             "Add"),
         0, NULL, NULL, "is given by Add where Mul is needed"},
    };
    for (size_t i = 0; i < sizeof spoilings / sizeof spoilings[0]; i++) {
        const struct spoiling *s = &spoilings[i];
        struct model_file file;
        struct net *net = NULL;
        struct vp_err err = {0};
        assert_int_equal(model_file_read(FOLDER "torch113-sherpa.onnx", &file, &err), VP_OK);
        replace_all(&file, s->find, s->replace, s->n);
        if (s->find2 != NULL)
            replace_all(&file, s->find2, s->replace2, s->n2);
        if (spoilt_load_bytes(file.bytes, file.n_bytes, &net, &err) == VP_OK ||
            strstr(err.message, s->sentence) == NULL)
            fail_msg("%s: '%s'", s->name, err.message);
        assert_null(net);
        model_file_free(&file);
    }
}

/* A byte changed here and there, and files that were cut: read or refused, and nothing else. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    struct model_file file;
    struct vp_err err = {0};
    assert_int_equal(model_file_read(FOLDER "torch113-unfolded.onnx", &file, &err), VP_OK);
    unsigned char *bytes = file.bytes;
    for (size_t i = 11; i < file.n_bytes; i += 4001) {
        struct net *net = NULL;
        bytes[i] ^= 0x14;
        const enum vp_status status = spoilt_load_bytes(bytes, file.n_bytes, &net, &err);
        assert_true((status == VP_OK) == (net != NULL));
        net_free(net);
        bytes[i] ^= 0x14;
        assert_true(spoilt_load_bytes(bytes, i, &net, &err) != VP_OK && net == NULL);
    }
    model_file_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_give_the_same_net),
        cmocka_unit_test(small_variances_give_the_same_bits),
        cmocka_unit_test(other_networks_are_refused),
        cmocka_unit_test(damaged_files_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
