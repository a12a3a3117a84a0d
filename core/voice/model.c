/* An opened model: the file's facts, the packed network and the feature plan. */
#include "voice/model.h"

#include "base/constants.h"
#include "base/kernel.h"
#include "loader/model_file.h"
#include "loader/net_load.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

static size_t conv_parameters(const struct net_conv *conv)
{
    return net_conv_n_weights(conv) + conv->n_out; /* 0 for a shortcut that is not there */
}

/* Values of a frame that the statistics are of. */
static size_t pooled_rows(const struct net *net)
{
    if (net->campplus != NULL)
        return net->campplus->blocks[CAMPPLUS_N_BLOCKS - 1].transit.n_out;
    const struct net_stage *last = &net->stages[VP_MAX_STAGES - 1];
    const struct net_block *block = &last->blocks[last->n_blocks - 1];
    return block->convs[block->n_convs - 1].n_out * net_stage_n_freq(net, VP_MAX_STAGES - 1);
}

static size_t count_parameters(const struct net *net)
{
    size_t n = conv_parameters(&net->stem) + net->dim * 2 * pooled_rows(net) + net->dim;
    if (net->campplus != NULL)
        n += campplus_net_parameters(net->campplus);
    for (size_t s = 0; s < VP_MAX_STAGES; s++)
        for (size_t b = 0; b < net->stages[s].n_blocks; b++) {
            const struct net_block *block = &net->stages[s].blocks[b];
            n += conv_parameters(&block->shortcut);
            for (size_t i = 0; i < block->n_convs; i++)
                n += conv_parameters(&block->convs[i]);
        }
    return net->mean_vec != NULL ? n + net->dim : n;
}

static void fill_info(const struct net *net, const struct vp_model *model,
                      struct vp_model_info *info)
{
    info->name = model->name;
    info->license = model->license;
    info->origin = model->origin;
    info->dim = net->dim;
    info->n_mels = net->n_mels;
    info->sample_rate_hz = SAMPLE_RATE_HZ;
    info->network = net->campplus != NULL ? "campplus" : "resnet";
    info->front_end = net->front_end == FRONT_END_POVEY ? "povey" : "hamming";
    info->n_stages = net->campplus != NULL ? CAMPPLUS_N_BLOCKS : VP_MAX_STAGES;
    for (size_t s = 0; s < info->n_stages; s++) {
        const struct net_block *first = net->stages[s].blocks;
        info->blocks[s] =
            net->campplus != NULL ? net->campplus->blocks[s].n_layers : net->stages[s].n_blocks;
        info->channels[s] = net->campplus != NULL ? net->campplus->blocks[s].transit.n_out
                                                  : first->convs[first->n_convs - 1].n_out;
    }
    info->n_parameters = count_parameters(net);
    info->untrained = net->untrained;
    info->has_threshold = net->has_threshold;
    info->threshold = net->threshold;
    info->has_calibration = net->has_calibration;
    info->slope = net->slope;
    info->offset = net->offset;
    info->blas = openblas_get_config();
    info->blas_core = openblas_get_corename();
    info->weights_bytes = network_bytes(model->network);
}

/* Takes what outlives the loader from net. */
static enum vp_status build(struct vp_model *model, struct net *net, const char *path,
                            struct vp_err *err)
{
    enum vp_status status = model_file_name(net->name, path, &model->name, err);
    if (status != VP_OK)
        return status;
    model->self_test = net->self_test;
    model->license = net->license;
    model->origin = net->origin;
    net->self_test = NULL;
    net->license = net->origin = NULL;
    model->has_diarize_threshold = net->has_diarize_threshold;
    model->diarize_threshold = net->diarize_threshold;
    status = fbank_plan_new(net->n_mels, net->front_end, model->info.kernel, &model->fbank, err);
    if (status == VP_OK && net->front_end != FRONT_END_HAMMING)
        status = fbank_plan_new(net->n_mels, FRONT_END_HAMMING, model->info.kernel,
                                &model->speech_fbank, err);
    if (status == VP_OK)
        status = network_new(net, model->info.kernel, &model->network, err);
    if (status == VP_OK)
        fill_info(net, model, &model->info);
    return status;
}

enum vp_status vp_model_open(const char *path, enum vp_kernel kernel, vp_model **out,
                             struct vp_err *err)
{
    *out = NULL;
    enum vp_kernel picked;
    enum vp_status status = kernel_pick(kernel, &picked, err);
    if (status != VP_OK)
        return status;
    openblas_set_num_threads(1); /* one per worker: parallelism is over clips */

    struct net *net = NULL;
    vp_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return status_no_memory(err, "the model", sizeof *model);
    model->info.kernel = picked;
    status = net_load(path, &net, &model->info.format, model->info.digest, err);
    if (status == VP_OK)
        status = build(model, net, path, err);
    net_free(net);
    if (status == VP_OK)
        *out = model;
    else
        vp_model_free(model);
    return status;
}

void vp_model_free(vp_model *model)
{
    if (model == NULL)
        return;
    network_free(model->network);
    fbank_plan_free(model->fbank);
    fbank_plan_free(model->speech_fbank);
    free(model->self_test);
    free(model->name);
    free(model->license);
    free(model->origin);
    free(model);
}

const struct vp_model_info *vp_model_info(const vp_model *model)
{
    return &model->info;
}
