/*
 * The speech detector's net. Products of a matrix and a vector, written out for lanes of four: the
 * order of additions is fixed, so pieces of any size give the same bits, and at 60,000
 * multiplications each 20 ms no library would be faster.
 */
#include "diarize/speech/vad.h"

#include "base/lanes.h"
#include "loader/small_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_FRAMES 4u /* that the convolution sees */
#define N_WINDOW      (KERNEL_FRAMES * VAD_N_MELS)
#define N_CONV        48u
#define N_HIDDEN      64u
#define N_GATES       (3u * N_HIDDEN) /* reset, update, new: PyTorch's order */
#define N_PANEL       16u             /* outputs of matvec that are summed at once */

struct gru {
    struct small_layer input, hidden; /* -> [N_GATES] each */
    float h[N_HIDDEN];
};

struct vad {
    struct small_layer conv; /* [4 frames, 80] -> [48] */
    struct gru gru1, gru2;
    float head[N_HIDDEN], head_bias;
    float window[N_WINDOW]; /* frames 2s - 2 .. 2s + 1 of step s */
    size_t n_frames;        /* heard so far */
    size_t n_steps;         /* made so far, those after the end included */
};

/* ---- arithmetic ----------------------------------------------------------------------------- */

/* y = W x + b; W lies in panels of N_PANEL outputs, input by input: a convolution takes the frames
 * of its taps, one behind the other. */
static void multiply(const struct small_layer *m, const float *x, float *y)
{
    const size_t n_in = m->n_taps * m->n_in;
    for (size_t o = 0; o < m->n_out; o += N_PANEL) {
        const float *w = m->weight + o * n_in;
        lanes sum[N_PANEL / N_LANES];
        memcpy(sum, m->bias + o, sizeof sum);
        for (size_t i = 0; i < n_in; i++, w += N_PANEL) {
            lanes column[N_PANEL / N_LANES];
            memcpy(column, w, sizeof column);
            const lanes value = lanes_fill(x[i]);
            for (size_t k = 0; k < N_PANEL / N_LANES; k++)
                sum[k] += column[k] * value;
        }
        memcpy(y + o, sum, sizeof sum);
    }
}

static float logistic(float x)
{
    return 1.0F / (1.0F + expf(-x));
}

/* h = (1 - z) n + z h, with r = s(Wr x + Ur h), z = s(Wz x + Uz h), n = tanh(Wn x + r (Un h)) */
static void gru_step(struct gru *gru, const float *x)
{
    float from_x[N_GATES], from_h[N_GATES];
    multiply(&gru->input, x, from_x);
    multiply(&gru->hidden, gru->h, from_h);
    for (size_t i = 0; i < N_HIDDEN; i++) {
        const float r = logistic(from_x[i] + from_h[i]);
        const float z = logistic(from_x[N_HIDDEN + i] + from_h[N_HIDDEN + i]);
        const float n = tanhf(from_x[2 * N_HIDDEN + i] + r * from_h[2 * N_HIDDEN + i]);
        gru->h[i] = (1.0F - z) * n + z * gru->h[i];
    }
}

/* One step of the net on the window; the probability of speech VAD_DELAY_STEPS before. */
static float step(struct vad *vad)
{
    float conv[N_CONV], logit = vad->head_bias;
    multiply(&vad->conv, vad->window, conv);
    for (size_t i = 0; i < N_CONV; i++)
        conv[i] = fmaxf(conv[i], 0.0F);
    gru_step(&vad->gru1, conv);
    gru_step(&vad->gru2, vad->gru1.h);
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
        {"conv.weight", "conv.bias", N_CONV, VAD_N_MELS, KERNEL_FRAMES, N_PANEL, &vad->conv},
        {"gru1.weight_ih_l0", "gru1.bias_ih_l0", N_GATES, N_CONV, 0, N_PANEL, &vad->gru1.input},
        {"gru1.weight_hh_l0", "gru1.bias_hh_l0", N_GATES, N_HIDDEN, 0, N_PANEL, &vad->gru1.hidden},
        {"gru2.weight_ih_l0", "gru2.bias_ih_l0", N_GATES, N_HIDDEN, 0, N_PANEL, &vad->gru2.input},
        {"gru2.weight_hh_l0", "gru2.bias_hh_l0", N_GATES, N_HIDDEN, 0, N_PANEL, &vad->gru2.hidden},
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

enum vp_status vad_new(const void *bytes, size_t n_bytes, struct vad **out, struct vp_err *err)
{
    *out = NULL;
    if (bytes == NULL) {
        bytes = vad_weights;
        n_bytes = (size_t)(vad_weights_end - vad_weights);
    }
    struct vad *vad = calloc(1, sizeof *vad);
    if (vad == NULL)
        return status_no_memory(err, "the speech detector", sizeof *vad);
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
