/* Opening a segmentation network, and one window through it. */
#include "segmentation/segmentation.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel.h"
#include "loader/digest.h"
#include "loader/model_file.h"
#include "segmentation/seg_state.h"

enum vp_status segmentation_new(const struct seg_net *net, enum vp_kernel kernel,
                                vp_segmentation **out, struct vp_err *err)
{
    *out = NULL;
    vp_segmentation *s = calloc(1, sizeof *s);
    if (s == NULL)
        return status_no_memory(err, "the segmentation network", sizeof *s);
    const enum vp_status status = seg_packed_init(&s->packed, net, kernel, err);
    if (status != VP_OK) {
        free(s);
        return status;
    }
    s->info.weights_bytes = s->packed.arena.used;
    s->info.untrained = net->untrained;
    *out = s;
    return VP_OK;
}

enum vp_status vp_segmentation_open(const char *path, enum vp_kernel kernel, vp_segmentation **out,
                                    struct vp_err *err)
{
    *out = NULL;
    enum vp_kernel picked;
    enum vp_status status = kernel_pick(kernel, &picked, err);
    if (status != VP_OK)
        return status;
    openblas_set_num_threads(1); /* as vp_model_open: parallelism is over recordings */
    struct model_file file = {0};
    struct seg_net *net = NULL;
    vp_segmentation *s = NULL;
    const char *format = NULL;
    status = model_file_read(path, &file, err);
    if (status == VP_OK)
        status = seg_net_load(file.bytes, file.n_bytes, &net, &format, err);
    if (status == VP_OK)
        status = segmentation_new(net, picked, &s, err);
    if (status == VP_OK)
        status = model_file_name(net->name, path, &s->name, err);
    if (status == VP_OK) {
        digest_of_file(file.bytes, file.n_bytes, s->info.digest);
        s->license = net->license;
        s->origin = net->origin;
        net->license = net->origin = NULL;
        s->info.name = s->name;
        s->info.license = s->license;
        s->info.origin = s->origin;
        s->info.format = format;
        *out = s;
    } else {
        vp_segmentation_free(s);
    }
    seg_net_free(net);
    model_file_free(&file);
    return status;
}

bool vp_segmentation_beside(const char *model_path, char *path, size_t n_path)
{
    const char *slash = strrchr(model_path, '/');
    const int n_folder = slash != NULL ? (int)(slash - model_path) + 1 : 0;
    const int n = snprintf(path, n_path, "%.*ssegmentation.safetensors", n_folder, model_path);
    return n > 0 && (size_t)n < n_path && access(path, R_OK) == 0;
}

void vp_segmentation_free(vp_segmentation *segmentation)
{
    if (segmentation == NULL)
        return;
    seg_packed_clear(&segmentation->packed);
    free(segmentation->name);
    free(segmentation->license);
    free(segmentation->origin);
    free(segmentation);
}

const struct vp_segmentation_info *vp_segmentation_info(const vp_segmentation *segmentation)
{
    return &segmentation->info;
}

enum vp_status vp_segmentation_run(const vp_segmentation *segmentation, const float *samples,
                                   float *log_probs, struct vp_err *err)
{
    const struct seg_windows window = {.samples = samples, .n_samples = SEG_WINDOW_SAMPLES, .n = 1};
    struct seg_state *state;
    enum vp_status status =
        seg_state_new(&segmentation->packed, 1, SEG_WINDOW_SAMPLES, 0, &state, err);
    if (status == VP_OK)
        status = seg_state_run(state, &window, NULL, log_probs, err);
    seg_state_free(state);
    return status;
}
