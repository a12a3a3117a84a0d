/*
 * The speech detector's net: products of a matrix and a vector (vad_kernel.h). The order of
 * additions is fixed, so pieces of any size give the same bits, and at 60,000 multiplications each
 * 20 ms no library would be faster.
 */
#include "speech/vad.h"

#include "speech/vad_kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_FRAMES 4u /* that the convolution sees */
#define N_WINDOW      (KERNEL_FRAMES * VAD_N_MELS)
#define N_CONV        48u
#define N_HIDDEN      64u
#define N_GATES       (3u * N_HIDDEN) /* reset, update, new: PyTorch's order */

struct gru {
    struct small_layer input, hidden; /* -> [N_GATES] each */
    float h[N_HIDDEN];
};

struct vad {
    const struct vad_kernel *kernel;
    struct small_layer conv; /* [4 frames, 80] -> [48] */
    struct gru gru1, gru2;
    float head[N_HIDDEN], head_bias;
    float window[N_WINDOW]; /* frames 2s - 2 .. 2s + 1 of step s */
    size_t n_frames;        /* heard so far */
    size_t n_steps;         /* made so far, those after the end included */
};

/* ---- arithmetic ----------------------------------------------------------------------------- */

static float logistic(float x)
{
    return 1.0F / (1.0F + expf(-x));
}

/* The unit's state after hearing x */
static void gru_step(const struct vad_kernel *kernel, struct gru *gru, const float *x)
{
    float from_x[N_GATES], from_h[N_GATES];
    kernel->multiply(&gru->input, x, from_x);
    kernel->multiply(&gru->hidden, gru->h, from_h);
    kernel->gru(from_x, from_h, N_HIDDEN, gru->h);
}

/* One step of the net on the window; the probability of speech VAD_DELAY_STEPS before. */
static float step(struct vad *vad)
{
    float conv[N_CONV], logit = vad->head_bias;
    vad->kernel->multiply(&vad->conv, vad->window, conv);
    for (size_t i = 0; i < N_CONV; i++)
        conv[i] = fmaxf(conv[i], 0.0F);
    gru_step(vad->kernel, &vad->gru1, conv);
    gru_step(vad->kernel, &vad->gru2, vad->gru1.h);
    for (size_t i = 0; i < N_HIDDEN; i++)
        logit += vad->head[i] * vad->gru2.h[i];
    vad->n_steps++;
    return logistic(logit);
}

/* ---- stream --------------------------------------------------------------------------------- */

/* Takes one frame [80]. Writes two probabilities when a step is complete and old enough. */
static size_t take_frame(struct vad *vad, const float *frame, float *probabilities)
{
    const size_t frame_bytes = VAD_N_MELS * sizeof *frame;
    if (vad->n_frames == 0)
        for (size_t k = 0; k < KERNEL_FRAMES - VAD_STEP_FRAMES; k++)
            memcpy(vad->window + k * VAD_N_MELS, frame, frame_bytes);
    const size_t at = KERNEL_FRAMES - VAD_STEP_FRAMES + vad->n_frames % VAD_STEP_FRAMES;
    memcpy(vad->window + at * VAD_N_MELS, frame, frame_bytes);
    vad->n_frames++;
    if (vad->n_frames % VAD_STEP_FRAMES != 0)
        return 0;
    const float probability = step(vad);
    memmove(vad->window, vad->window + VAD_STEP_FRAMES * VAD_N_MELS,
            (KERNEL_FRAMES - VAD_STEP_FRAMES) * frame_bytes);
    if (vad->n_steps <= VAD_DELAY_STEPS)
        return 0;
    probabilities[0] = probabilities[1] = probability;
    return VAD_STEP_FRAMES;
}

size_t vad_push(struct vad *vad, const float *features, size_t n_frames, float *probabilities)
{
    size_t n = 0;
    for (size_t t = 0; t < n_frames; t++)
        n += take_frame(vad, features + t * VAD_N_MELS, probabilities + n);
    return n;
}

/* Forgets what was heard. */
static void restart(struct vad *vad)
{
    memset(vad->gru1.h, 0, sizeof vad->gru1.h);
    memset(vad->gru2.h, 0, sizeof vad->gru2.h);
    vad->n_frames = vad->n_steps = 0;
}

size_t vad_flush(struct vad *vad, float *probabilities)
{
    if (vad->n_frames == 0)
        return 0;
    float last[VAD_N_MELS], pair[VAD_STEP_FRAMES];
    const size_t n_frames = vad->n_frames;
    const size_t done =
        vad->n_steps > VAD_DELAY_STEPS ? (vad->n_steps - VAD_DELAY_STEPS) * VAD_STEP_FRAMES : 0;
    /* The latest frame: where it was put, or where memmove took it after a full step. */
    memcpy(last, vad->window + (1 + n_frames % VAD_STEP_FRAMES) * VAD_N_MELS, sizeof last);
    size_t n = 0;
    while (done + n < n_frames) {
        const size_t found = take_frame(vad, last, pair);
        for (size_t i = 0; i < found && done + n < n_frames; i++) /* an odd end leaves one over */
            probabilities[n++] = pair[i];
    }
    restart(vad);
    return n;
}

/* ---- loading -------------------------------------------------------------------------------- */

static enum vp_status load(const void *bytes, size_t n_bytes, struct vad *vad, struct vp_err *err)
{
    struct small_layer head = {0};
    struct metadata metadata = {0};
    const struct small_layer_spec specs[] = {
        {"conv.weight", "conv.bias", N_CONV, VAD_N_MELS, KERNEL_FRAMES, VAD_PANEL, &vad->conv},
        {"gru1.weight_ih_l0", "gru1.bias_ih_l0", N_GATES, N_CONV, 0, VAD_PANEL, &vad->gru1.input},
        {"gru1.weight_hh_l0", "gru1.bias_hh_l0", N_GATES, N_HIDDEN, 0, VAD_PANEL,
         &vad->gru1.hidden},
        {"gru2.weight_ih_l0", "gru2.bias_ih_l0", N_GATES, N_HIDDEN, 0, VAD_PANEL, &vad->gru2.input},
        {"gru2.weight_hh_l0", "gru2.bias_hh_l0", N_GATES, N_HIDDEN, 0, VAD_PANEL,
         &vad->gru2.hidden},
        {"head.weight", "head.bias", 1, N_HIDDEN, 0, 1, &head},
    };
    const enum vp_status status = small_net_read(
        bytes, n_bytes, specs, sizeof specs / sizeof specs[0], "a speech detector", &metadata, err);
    if (status == VP_OK) {
        memcpy(vad->head, head.weight, sizeof vad->head);
        vad->head_bias = head.bias[0];
    }
    small_layer_clear(&head);
    metadata_clear(&metadata);
    return status;
}

enum vp_status vad_new(const void *bytes, size_t n_bytes, enum vp_kernel kernel, struct vad **out,
                       struct vp_err *err)
{
    *out = NULL;
    if (bytes == NULL) {
        bytes = vad_weights;
        n_bytes = (size_t)(vad_weights_end - vad_weights);
    }
    struct vad *vad = calloc(1, sizeof *vad);
    if (vad == NULL)
        return status_no_memory(err, "the speech detector", sizeof *vad);
    vad->kernel = vad_kernel_get(kernel);
    const enum vp_status status = load(bytes, n_bytes, vad, err);
    if (status == VP_OK)
        *out = vad;
    else
        vad_free(vad);
    return status;
}

void vad_free(struct vad *vad)
{
    if (vad == NULL)
        return;
    small_layer_clear(&vad->conv);
    small_layer_clear(&vad->gru1.input);
    small_layer_clear(&vad->gru1.hidden);
    small_layer_clear(&vad->gru2.input);
    small_layer_clear(&vad->gru2.hidden);
    free(vad);
}

static size_t layer_bytes(const struct small_layer *layer)
{
    return (layer->n_taps * layer->n_in + 1) * layer->n_out * sizeof(float);
}

size_t vad_bytes(const struct vad *vad)
{
    return sizeof *vad + layer_bytes(&vad->conv) + layer_bytes(&vad->gru1.input) +
           layer_bytes(&vad->gru1.hidden) + layer_bytes(&vad->gru2.input) +
           layer_bytes(&vad->gru2.hidden);
}
