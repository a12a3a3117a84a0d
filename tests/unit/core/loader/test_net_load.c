/*
 * Model files as people have them: the goldens of every exporter give one network; what is handed
 * over by mistake is told apart; digest and errors of the path.
 */
#include "unit.h"

#include "draft_safetensors.h"
#include "loader/net_load.h"

#include <glob.h>
#include <math.h>
#include <unistd.h>

#define MODELS "tests/golden/models/"

static struct net *load(const char *path, const char *wanted_format)
{
    struct net *net = NULL;
    struct vp_err err = {0};
    const char *format = "";
    char digest[72];
    if (net_load(path, &net, &format, digest, &err) != VP_OK)
        fail_msg("%s: %s", path, err.message);
    assert_string_equal(format, wanted_format);
    return net;
}

/* Largest difference of two arrays, by the largest value. */
static double difference(const float *a, const float *b, size_t n)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)a[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    }
    return largest > 0.0 ? worst / largest : worst;
}

static void assert_same_conv(const char *path, const struct net_conv *a, const struct net_conv *b)
{
    assert_int_equal(a->n_in, b->n_in);
    assert_int_equal(a->n_out, b->n_out);
    assert_int_equal(a->kernel, b->kernel);
    assert_int_equal(a->stride, b->stride);
    /* Exporters fold BatchNorm in float32, we in double: 2^-23 and a little. */
    if (a->n_out > 0 && (difference(a->weight, b->weight, net_conv_n_weights(a)) > 1e-6 ||
                         difference(a->bias, b->bias, a->n_out) > 1e-6))
        fail_msg("%s: weights differ", path);
}

static void assert_same_net(const char *path, const struct net *a, const struct net *b)
{
    size_t n_out = 0;
    assert_int_equal(a->n_mels, b->n_mels);
    assert_int_equal(a->dim, b->dim);
    assert_same_conv(path, &a->stem, &b->stem);
    for (size_t s = 0; s < VP_MAX_STAGES; s++) {
        assert_int_equal(a->stages[s].n_blocks, b->stages[s].n_blocks);
        for (size_t k = 0; k < a->stages[s].n_blocks; k++) {
            const struct net_block *x = &a->stages[s].blocks[k], *y = &b->stages[s].blocks[k];
            assert_int_equal(x->n_convs, y->n_convs);
            assert_int_equal(x->has_shortcut, y->has_shortcut);
            for (size_t i = 0; i < x->n_convs; i++)
                assert_same_conv(path, &x->convs[i], &y->convs[i]);
            assert_same_conv(path, &x->shortcut, &y->shortcut);
            n_out = x->convs[x->n_convs - 1].n_out;
        }
    }
    size_t n_rows = 2 * n_out * net_stage_n_freq(a, VP_MAX_STAGES - 1);
    assert_memory_equal(a->fc_weight, b->fc_weight, a->dim * n_rows * sizeof(float));
    assert_memory_equal(a->fc_bias, b->fc_bias, a->dim * sizeof(float));
}

/* NET.safetensors and every NET-*.onnx */
static void every_exporter_gives_one_network(void **state)
{
    (void)state;
    static const struct {
        const char *safetensors, *pattern;
        size_t n_files; /* at least: an empty folder must not pass */
    } nets[] = {
        {MODELS "tiny.safetensors", MODELS "tiny-*.onnx", 15},
        {MODELS "deep.safetensors", MODELS "deep-*.onnx", 1},
        {MODELS "bottleneck.safetensors", MODELS "bottleneck-*.onnx", 1},
    };
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        struct net *expected = load(nets[i].safetensors, "safetensors");
        glob_t found;
        assert_int_equal(glob(nets[i].pattern, 0, NULL, &found), 0);
        assert_true(found.gl_pathc >= nets[i].n_files);
        for (size_t k = 0; k < found.gl_pathc; k++) {
            struct net *net = load(found.gl_pathv[k], "onnx");
            assert_same_net(found.gl_pathv[k], expected, net);
            assert_non_null(net->mean_vec); /* the exports subtract one that is not zero */
            assert_true(difference(net->mean_vec, expected->fc_bias, net->dim) > 1e-3);
            net_free(net);
        }
        globfree(&found);
        net_free(expected);
    }
}

static void bottlenecks_halve_in_the_middle(void **state)
{
    (void)state;
    struct net *net = load(MODELS "bottleneck.safetensors", "safetensors");
    const struct net_block *first = &net->stages[0].blocks[0], *second = &net->stages[1].blocks[0];
    assert_int_equal(first->n_convs, 3);
    assert_true(first->has_shortcut); /* stride 1, but four times the channels */
    assert_int_equal(first->shortcut.stride, 1);
    assert_int_equal(second->convs[0].kernel, 1);
    assert_int_equal(second->convs[1].kernel, 3);
    assert_int_equal(second->convs[1].stride, 2);
    assert_int_equal(second->convs[0].stride * second->convs[2].stride, 1);
    net_free(net);
}

/* ---- not a model -------------------------------------------------------------------------- */

static void mistaken_files_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *sentence;
    } files[] = {
        {"<!DOCTYPE html><html><head><title>Not Found", "HTML"},
        {"<?xml version=\"1.0\"?><Error><Code>AccessDenied", "XML"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "git-lfs pointer"},
        {"PK\003\004 archive/data.pkl", "PyTorch checkpoint"},
        {"\200\002}q\001(X\005", "pickle"},
        {"\037\213\010", "gzip"},
        {"GGUF\003", "GGUF"},
        {"RIFF....WAVEfmt ", "no safetensors file and no whole ONNX file"},
        {"{\"error\": \"not found\"}", "no safetensors file and no whole ONNX file"},
        {"hello", "no safetensors file and no whole ONNX file"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char bytes[256] = {0};
        struct net *net = NULL;
        struct vp_err err = {0};
        const char *format;
        snprintf(bytes, sizeof bytes, "%s", files[i].begin);
        assert_int_equal(net_load_bytes(bytes, sizeof bytes, &net, &format, &err), VP_ERR_MODEL);
        if (strstr(err.message, files[i].sentence) == NULL)
            fail_msg("file %zu: %s", i, err.message);
        assert_int_equal(net_load_bytes(bytes, 3, &net, &format, &err), VP_ERR_MODEL);
    }
}

/* A file that every byte value could begin. */
static void single_bytes_are_refused(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        unsigned char bytes[4096];
        struct net *net = NULL;
        struct vp_err err = {0};
        const char *format;
        memset(bytes, (int)value, sizeof bytes);
        assert_int_equal(net_load_bytes(bytes, sizeof bytes, &net, &format, &err), VP_ERR_MODEL);
        assert_null(net);
    }
}

static enum vp_status load_path(const char *path, struct vp_err *err)
{
    struct net *net = NULL;
    const char *format;
    char digest[72];
    enum vp_status status = net_load(path, &net, &format, digest, err);
    net_free(net);
    return status;
}

static void paths_that_cannot_be_read(void **state)
{
    (void)state;
    struct vp_err err = {0};
    assert_int_equal(load_path("tests/no-such-model.onnx", &err), VP_ERR_IO);
    assert_non_null(strstr(err.message, "tests/no-such-model.onnx: No such file"));
    assert_int_equal(load_path("tests", &err), VP_ERR_IO);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(load_path("/dev/zero", &err), VP_ERR_IO);
    char path[] = "/tmp/vp-model-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(load_path(path, &err), VP_ERR_MODEL);
    assert_non_null(strstr(err.message, "is empty"));
    assert_int_equal(ftruncate(fd, (off_t)1 << 32), 0); /* sparse */
    assert_int_equal(load_path(path, &err), VP_ERR_MODEL);
    assert_non_null(strstr(err.message, "4294967296 bytes"));
    close(fd);
    unlink(path);
}

static void digest_is_of_the_whole_file(void **state)
{
    (void)state;
    struct net *net = NULL;
    struct vp_err err = {0};
    const char *format;
    char digest[72], line[72] = "";
    assert_int_equal(net_load(MODELS "tiny.safetensors", &net, &format, digest, &err), VP_OK);
    net_free(net);
    FILE *sum = popen("sha256sum " MODELS "tiny.safetensors", "r"); /* coreutils, another opinion */
    assert_non_null(sum);
    assert_non_null(fgets(line, 65, sum));
    pclose(sum);
    assert_memory_equal(digest, "sha256:", 7);
    assert_string_equal(digest + 7, line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exporter_gives_one_network),
        cmocka_unit_test(bottlenecks_halve_in_the_middle),
        cmocka_unit_test(mistaken_files_are_told_apart),
        cmocka_unit_test(single_bytes_are_refused),
        cmocka_unit_test(paths_that_cannot_be_read),
        cmocka_unit_test(digest_is_of_the_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
