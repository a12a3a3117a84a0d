/*
 * The speech detector's loops in vectors. One source, one object for each instruction set; the
 * plain object, of four lanes, is what every CPU of the family runs: SSE2, or NEON on ARM64.
 */
#include "base/vec_math.h"
#include "speech/vad_kernel.h"

#define N_VECS (VAD_PANEL / LANES)

/* At any address. */
typedef float vec_anywhere
    __attribute__((vector_size(LANES * sizeof(float)), may_alias, aligned(sizeof(float))));

INLINE vec k_load_anywhere(const float *p)
{
    return *(const vec_anywhere *)(const void *)p;
}

INLINE void k_store_anywhere(float *p, vec x)
{
    *(vec_anywhere *)(void *)p = x;
}

/* A panel's sums wait for an addition each; there are enough of them to fill that time. */
static void k_multiply(const struct small_layer *layer, const float *x, float *y)
{
    const size_t n_in = layer->n_taps * layer->n_in;
    const float *w = layer->weight;
    for (size_t o = 0; o < layer->n_out; o += VAD_PANEL) {
        vec sums[N_VECS];
#pragma GCC unroll 12
        for (size_t k = 0; k < N_VECS; k++)
            sums[k] = k_load_anywhere(layer->bias + o + k * LANES);
        for (size_t i = 0; i < n_in; i++, w += VAD_PANEL) {
            const vec value = k_fill(x[i]);
#pragma GCC unroll 12
            for (size_t k = 0; k < N_VECS; k++)
                sums[k] += k_load_anywhere(w + k * LANES) * value;
        }
#pragma GCC unroll 12
        for (size_t k = 0; k < N_VECS; k++)
            k_store_anywhere(y + o + k * LANES, sums[k]);
    }
}

static void k_gru(const float *from_x, const float *from_h, size_t n_units, float *h)
{
    for (size_t i = 0; i < n_units; i += LANES) {
        vec x[3], u[3]; /* reset, update, new: PyTorch's order */
        for (size_t gate = 0; gate < 3; gate++) {
            x[gate] = k_load_anywhere(from_x + gate * n_units + i);
            u[gate] = k_load_anywhere(from_h + gate * n_units + i);
        }
        const vec r = k_sigmoid(x[0] + u[0]);
        const vec z = k_sigmoid(x[1] + u[1]);
        const vec n = k_tanh(x[2] + r * u[2]);
        k_store_anywhere(h + i, (k_fill(1.0F) - z) * n + z * k_load_anywhere(h + i));
    }
}

const struct vad_kernel KERNEL = {.multiply = k_multiply, .gru = k_gru};
