/* Files of a CAM++ that are wrong: refused by name, or by their own self-test. */
#include "unit.h"

#include "draft_safetensors.h"
#include "loader/net_load.h"
#include "spoilt.h"
#include "voiceprint.h"

#include <math.h>
#include <unistd.h>

#define DIM 24

static void open_draft(struct draft_safetensors *draft)
{
    draft_safetensors_open(draft, "../campplus/net");
}

static void no_front_end(struct draft_safetensors *d)
{
    json_object_del(json_object_get(d->header, "__metadata__"), "front_end");
}

static void unknown_front_end(struct draft_safetensors *d)
{
    draft_safetensors_metadata(d, "front_end", "hann");
}

/* The tensor by another name. */
static void rename_tensor(struct draft_safetensors *d, const char *from, const char *to)
{
    json_t *entry = json_incref(draft_safetensors_entry(d, from));
    json_object_del(d->header, from);
    json_object_set_new(d->header, to, entry);
}

static void gate_missing(struct draft_safetensors *d)
{
    rename_tensor(d, "xvector.block2.tdnnd2.cam_layer.linear2.bias", "projection.bias");
}

static void half_a_block(struct draft_safetensors *d)
{
    rename_tensor(d, "head.layer1.1.conv1.weight", "projection.weight");
}

static void not_finite(struct draft_safetensors *d)
{
    draft_safetensors_values(d, "xvector.block3.tdnnd1.linear1.weight")[3] = NAN;
}

static void negative_variance(struct draft_safetensors *d)
{
    draft_safetensors_values(d, "xvector.block1.tdnnd2.nonlinear1.batchnorm.running_var")[1] =
        -1.0F;
}

/* A tensor's dims, same number of values. */
static void reshape(struct draft_safetensors *d, const char *name, const char *dims)
{
    json_object_set_new(draft_safetensors_entry(d, name), "shape", json_loads(dims, 0, NULL));
}

static void wrong_taps(struct draft_safetensors *d)
{
    reshape(d, "xvector.block1.tdnnd1.cam_layer.linear_local.weight", "[12, 54, 1]");
}

static void wrong_head(struct draft_safetensors *d)
{
    reshape(d, "xvector.tdnn.linear.weight", "[40, 40, 5]");
}

static void wrong_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*spoil)(struct draft_safetensors *d);
        const char *sentence;
    } cases[] = {
        {"no_front_end", no_front_end, "metadata 'front_end' must be povey"},
        {"unknown_front_end", unknown_front_end, "'front_end'"},
        {"gate_missing", gate_missing, "'xvector.block2.tdnnd2.cam_layer.linear2.bias' is missing"},
        {"half_a_block", half_a_block, "has no place in the network"},
        {"not_finite", not_finite, "'xvector.block3.tdnnd1.linear1.weight' holds NaN"},
        {"negative_variance", negative_variance, "has a variance of -1 in channel 1"},
        {"wrong_taps", wrong_taps, "has shape [12, 54, 1] where [12, 18, 3] is needed"},
        {"wrong_head", wrong_head, "has shape [40, 40, 5] where [40, 80, 5] is needed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct draft_safetensors draft;
        struct vp_err err = {0};
        struct net *net = NULL;
        open_draft(&draft);
        cases[i].spoil(&draft);
        if (spoilt_safetensors_load(&draft, &net, &err) == VP_OK ||
            strstr(err.message, cases[i].sentence) == NULL)
            fail_msg("%s: '%s'", cases[i].what, err.message);
        assert_null(net);
        draft_safetensors_close(&draft);
    }
}

/* Embeds the built-in signal; the file states what `reference` gave, where it is not NULL. */
static enum vp_status self_test(const char *front_end, const float *reference, float *embedding,
                                struct vp_err *err)
{
    struct draft_safetensors draft;
    struct vp_limits limits;
    struct vp_self_test result;
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    double norm;
    open_draft(&draft);
    draft_safetensors_metadata(&draft, "front_end", front_end);
    if (reference != NULL) {
        json_t *list = json_array();
        for (size_t d = 0; d < DIM; d++)
            json_array_append_new(list, json_real((double)reference[d]));
        char *text = json_dumps(list, JSON_COMPACT);
        draft_safetensors_metadata(&draft, "self_test", text);
        free(text);
        json_decref(list);
    }
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(&draft, &n_bytes);
    char path[] = "/tmp/vp-campplus-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n_bytes), n_bytes);
    close(fd);
    free(bytes);
    draft_safetensors_close(&draft);
    vp_limits_default(&limits);
    enum vp_status status = vp_model_open(path, VP_KERNEL_AUTO, &model, err);
    unlink(path);
    if (status == VP_OK)
        status = vp_scratch_new(model, &limits, &scratch, err);
    if (status == VP_OK)
        status = vp_model_self_test(scratch, &result, err);
    if (status == VP_OK)
        status = vp_clip_embed(scratch, embedding, &norm, err);
    if (status == VP_OK)
        status = vp_embedding_normalize(embedding, DIM, &norm, err);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

/* A file that names the other front end does not become ready: its own vector tells. */
static void the_wrong_front_end_cannot_be_used(void **state)
{
    (void)state;
    float reference[DIM], other[DIM];
    struct vp_err err = {0};
    assert_int_equal(self_test("povey", NULL, reference, &err), VP_OK);
    assert_int_equal(self_test("povey", reference, other, &err), VP_OK);
    assert_memory_equal(reference, other, sizeof other);
    assert_int_equal(self_test("hamming", reference, other, &err), VP_ERR_SELF_TEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(the_wrong_front_end_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
