/* Model files that a test spoilt, in front of the loader. */
#include "spoilt.h"

#include "loader/net_load.h"
#include "unit.h"

enum vp_status spoilt_load_bytes(const unsigned char *bytes, size_t n_bytes, struct net **out,
                                 struct vp_err *err)
{
    const char *format = "";
    /* A block of its own size: AddressSanitizer sees a step beyond. */
    unsigned char *copy = malloc(n_bytes > 0 ? n_bytes : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n_bytes);
    enum vp_status status = net_load_bytes(copy, n_bytes, out, &format, err);
    free(copy);
    return status;
}

enum vp_status spoilt_safetensors_load(const struct draft_safetensors *draft, struct net **out,
                                       struct vp_err *err)
{
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(draft, &n_bytes);
    enum vp_status status = spoilt_load_bytes(bytes, n_bytes, out, err);
    free(bytes);
    return status;
}

/* Was the file called name refused by that sentence, and no other way? Frees net. */
static bool is_refused(const char *name, const char *sentence, enum vp_status status,
                       struct net *net, const struct vp_err *err)
{
    if (status == VP_ERR_MODEL && net == NULL && strstr(err->message, sentence) != NULL)
        return true;
    print_error("%s: %s, \"%s\" lacks \"%s\"\n", name, vp_status_name(status), err->message,
                sentence);
    net_free(net);
    return false;
}

void spoilt_safetensors_expect(const struct spoilt_safetensors *spoilt, size_t n)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < n; i++) {
        struct draft_safetensors d;
        struct net *net = NULL;
        struct vp_err err = {0};
        draft_safetensors_open(&d, "tiny");
        spoilt[i].spoil(&d);
        enum vp_status status = spoilt_safetensors_load(&d, &net, &err);
        draft_safetensors_close(&d);
        n_bad += !is_refused(spoilt[i].name, spoilt[i].sentence, status, net, &err);
    }
    assert_int_equal(n_bad, 0);
}

enum vp_status spoilt_onnx_load(struct draft_onnx *draft, struct net **out, struct vp_err *err)
{
    const char *format = "";
    size_t n_bytes;
    unsigned char *bytes = draft_onnx_write(draft, &n_bytes);
    free(draft);
    enum vp_status status = net_load_bytes(bytes, n_bytes, out, &format, err);
    free(bytes);
    assert_string_equal(format, "onnx");
    return status;
}

void spoilt_onnx_expect(const struct spoilt_onnx *spoilt, size_t n)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < n; i++) {
        struct draft_onnx *draft = draft_onnx_new();
        struct net *net = NULL;
        struct vp_err err = {0};
        spoilt[i].spoil(draft);
        enum vp_status status = spoilt_onnx_load(draft, &net, &err);
        n_bad += !is_refused(spoilt[i].name, spoilt[i].sentence, status, net, &err);
    }
    assert_int_equal(n_bad, 0);
}
