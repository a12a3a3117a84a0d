/* The choice between the types of network. */
#include "network/network.h"

#include <stdlib.h>

_Static_assert(NETWORK_MIN_FRAMES == RESNET_MIN_FRAMES, "the ResNet's is the larger one");

enum vp_status network_new(const struct net *net, enum vp_kernel kernel, struct network **out,
                           struct vp_err *err)
{
    *out = NULL;
    struct network *network = calloc(1, sizeof *network);
    if (network == NULL)
        return status_no_memory(err, "the network", sizeof *network);
    const enum vp_status status = net->campplus != NULL
                                      ? campplus_new(net, kernel, &network->campplus, err)
                                      : resnet_new(net, kernel, &network->resnet, err);
    if (status == VP_OK)
        *out = network;
    else
        free(network);
    return status;
}

void network_free(struct network *network)
{
    if (network == NULL)
        return;
    resnet_free(network->resnet);
    campplus_free(network->campplus);
    free(network);
}

size_t network_bytes(const struct network *network)
{
    return network->campplus != NULL ? campplus_bytes(network->campplus)
                                     : resnet_bytes(network->resnet);
}

enum vp_status network_state_new(const struct network *network, size_t max_frames, size_t n_threads,
                                 struct network_state **out, struct vp_err *err)
{
    *out = NULL;
    struct network_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return status_no_memory(err, "the network's scratch", sizeof *state);
    const enum vp_status status =
        network->campplus != NULL
            ? campplus_state_new(network->campplus, max_frames, n_threads, &state->campplus, err)
            : resnet_state_new(network->resnet, max_frames, n_threads, &state->resnet, err);
    if (status == VP_OK)
        *out = state;
    else
        free(state);
    return status;
}

void network_state_free(struct network_state *state)
{
    if (state == NULL)
        return;
    resnet_state_free(state->resnet);
    campplus_state_free(state->campplus);
    free(state);
}

size_t network_state_bytes(const struct network_state *state)
{
    return state->campplus != NULL ? campplus_state_bytes(state->campplus)
                                   : resnet_state_bytes(state->resnet);
}

enum vp_status network_forward(struct network_state *state, const float *features, size_t n_frames,
                               float *embedding, vp_tap tap, void *tap_ctx, struct vp_err *err)
{
    return state->campplus != NULL
               ? campplus_forward(state->campplus, features, n_frames, embedding, tap, tap_ctx, err)
               : resnet_forward(state->resnet, features, n_frames, embedding, tap, tap_ctx, err);
}

void network_watch(struct network_state *state, struct cancel cancel)
{
    if (state->campplus != NULL)
        campplus_watch(state->campplus, cancel);
    else
        resnet_watch(state->resnet, cancel);
}

void network_help(struct network_state *state, bool (*leave)(void *ctx), void *ctx)
{
    if (state->campplus != NULL)
        campplus_help(state->campplus, leave, ctx);
    else
        resnet_help(state->resnet, leave, ctx);
}
