/*
 * Weights of the net that tells who speaks: damaged ones are refused by name, and a net serves the
 * embedding model of its digest and no other; the one in the box that in the box.
 */
#include "unit.h"

#include "naive_tsvad.h"
#include "voiceprint.h"

#include <math.h>

static void tensor_missing(struct draft_safetensors *d)
{
    json_object_set(d->header, "mid.4.weight", draft_safetensors_entry(d, "mid.2.weight"));
    json_object_del(d->header, "mid.2.weight");
}

static void bias_missing(struct draft_safetensors *d)
{
    json_object_set(d->header, "out.offset", draft_safetensors_entry(d, "out.bias"));
    json_object_del(d->header, "out.bias");
}

static void set_shape(struct draft_safetensors *d, const char *tensor, const char *json)
{
    json_object_set_new(draft_safetensors_entry(d, tensor), "shape", json_loads(json, 0, NULL));
}

static void shape_turned(struct draft_safetensors *d)
{
    set_shape(d, "inp.weight", "[48, 3, 28]");
}

static void shape_with_taps(struct draft_safetensors *d)
{
    set_shape(d, "proj.weight", "[16, 2560, 1]");
}

static void trunk_of_another_width(struct draft_safetensors *d)
{
    set_shape(d, "proj.weight", "[32, 1280]");
}

static void tensor_surplus(struct draft_safetensors *d)
{
    uint64_t seed = 1;
    naive_tsvad_add(d, "mid.4", "bias", json_pack("[i]", 3), 3, 1.0, &seed);
}

static void value_nan(struct draft_safetensors *d)
{
    draft_safetensors_values(d, "mid.3.weight")[7] = NAN;
}

static void value_infinite(struct draft_safetensors *d)
{
    draft_safetensors_values(d, "proj.bias")[15] = INFINITY;
}

static void digest_without_its_kind(struct draft_safetensors *d)
{
    draft_safetensors_metadata(d, "model_digest", naive_tsvad_digest + 7);
}

static void digest_cut(struct draft_safetensors *d)
{
    draft_safetensors_metadata(d, "model_digest", "sha256:0123456789abcdef");
}

static void digest_longer(struct draft_safetensors *d)
{
    char longer[sizeof naive_tsvad_digest + 1];
    snprintf(longer, sizeof longer, "%s0", naive_tsvad_digest);
    draft_safetensors_metadata(d, "model_digest", longer);
}

static void digest_in_capitals(struct draft_safetensors *d)
{
    char capitals[sizeof naive_tsvad_digest];
    memcpy(capitals, naive_tsvad_digest, sizeof naive_tsvad_digest);
    capitals[sizeof naive_tsvad_digest - 2] = 'F';
    draft_safetensors_metadata(d, "model_digest", capitals);
}

static void damaged_weights_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct draft_safetensors *draft);
        const char *sentence;
    } refused[] = {
        {tensor_missing, "tensor 'mid.2.weight' is missing"},
        {bias_missing, "tensor 'out.bias' is missing"},
        {shape_turned, "'inp.weight' has shape [48, 3, 28] where [48, 28, 3]"},
        {shape_with_taps, "'proj.weight' has shape [16, 2560, 1] where [16, 2560]"},
        {trunk_of_another_width, "'proj.weight' has shape [32, 1280] where [16, 2560]"},
        {tensor_surplus, "tensor 'mid.4.bias' is none of the net that tells who speaks"},
        {value_nan, "'mid.3.weight' holds NaN or infinity (value 7)"},
        {value_infinite, "'proj.bias' holds NaN or infinity (value 15)"},
        {digest_without_its_kind, "'model_digest' is something else where sha256: and 64"},
        {digest_cut, "metadata 'model_digest' is 'sha256:0123456789abcdef'"},
        {digest_longer, "'model_digest' is something else where sha256: and 64"},
        {digest_in_capitals, "'model_digest' is something else where sha256: and 64"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct draft_safetensors draft = naive_tsvad_random(11);
        struct tsvad *tsvad = NULL;
        struct vp_err err = {0};
        size_t n_bytes;
        refused[i].spoil(&draft);
        unsigned char *bytes = draft_safetensors_write(&draft, &n_bytes);
        assert_int_equal(tsvad_new(bytes, n_bytes, &tsvad, &err), VP_ERR_MODEL);
        assert_null(tsvad);
        if (strstr(err.message, refused[i].sentence) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, refused[i].sentence);
        free(bytes);
        draft_safetensors_close(&draft);
    }
}

static void a_cut_file_is_refused(void **state)
{
    (void)state;
    struct draft_safetensors draft = naive_tsvad_random(12);
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(&draft, &n_bytes);
    const size_t lengths[] = {0, 7, 8, 500, n_bytes / 2, n_bytes - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct tsvad *tsvad = NULL;
        struct vp_err err = {0};
        unsigned char *cut = malloc(lengths[i] > 0 ? lengths[i] : 1);
        assert_non_null(cut);
        memcpy(cut, bytes, lengths[i]);
        assert_int_equal(tsvad_new(cut, lengths[i], &tsvad, &err), VP_ERR_MODEL);
        assert_null(tsvad);
        free(cut);
    }
    free(bytes);
    draft_safetensors_close(&draft);
    tsvad_free(NULL);
}

/* ---- whom it serves ------------------------------------------------------------------------- */

static void serves_the_model_of_its_digest_alone(void **state)
{
    (void)state;
    char other[sizeof naive_tsvad_digest];
    struct naive_tsvad twin = naive_tsvad_open(naive_tsvad_random(13));
    assert_true(tsvad_serves(twin.tsvad, naive_tsvad_digest));
    assert_false(tsvad_serves(twin.tsvad, ""));
    assert_false(tsvad_serves(twin.tsvad, naive_tsvad_digest + 7));
    for (size_t i = 7; i + 1 < sizeof naive_tsvad_digest; i++) {
        memcpy(other, naive_tsvad_digest, sizeof naive_tsvad_digest);
        other[i] = other[i] == '0' ? '1' : '0';
        assert_false(tsvad_serves(twin.tsvad, other));
        other[i] = '\0';
        assert_false(tsvad_serves(twin.tsvad, other));
    }
    naive_tsvad_close(&twin);
    struct draft_safetensors draft = naive_tsvad_random(13);
    json_object_del(json_object_get(draft.header, "__metadata__"), "model_digest");
    twin = naive_tsvad_open(draft); /* of no model: it serves none, not even one without a digest */
    assert_false(tsvad_serves(twin.tsvad, ""));
    assert_false(tsvad_serves(twin.tsvad, naive_tsvad_digest));
    naive_tsvad_close(&twin);
}

static void the_net_in_the_box_serves_the_model_in_the_box(void **state)
{
    (void)state;
    struct vp_err err = {0};
    vp_model *model, *small;
    struct tsvad *tsvad;
    if (vp_model_open("models/voiceprint.safetensors", VP_KERNEL_AUTO, &model, &err) != VP_OK ||
        vp_model_open("tests/golden/models/small.safetensors", VP_KERNEL_AUTO, &small, &err) !=
            VP_OK ||
        tsvad_new(NULL, 0, &tsvad, &err) != VP_OK)
        fail_msg("%s", err.message);
    assert_true(tsvad_serves(tsvad, vp_model_info(model)->digest));
    assert_false(tsvad_serves(tsvad, vp_model_info(small)->digest));
    assert_true(tsvad_bytes(tsvad) > sizeof(float) * 16 * NAIVE_TSVAD_ROWS);
    tsvad_free(tsvad);
    vp_model_free(small);
    vp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_weights_are_refused_by_name),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(serves_the_model_of_its_digest_alone),
        cmocka_unit_test(the_net_in_the_box_serves_the_model_in_the_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
