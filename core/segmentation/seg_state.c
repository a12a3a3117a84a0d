/*
 * Windows through the network:
 *
 *   samples -> sinc [T0,80] -> |norm| pool norm [5325,80] -> conv pool norm [1773,60]
 *   -> conv pool norm [589,60] -> 4 x LSTM [589,256] -> 2 x linear [589,128] -> [589,7]
 *
 * The norm of the samples is linear, so the sinc filters run on the samples as they are, once for
 * all windows of a batch, and each window's own mean and variance are applied behind them:
 *
 *   filter(a x + b) = a filter(x) + b sum of its taps
 */
#include "segmentation/seg_state.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NORM_EPS 1e-5 /* torch.nn.InstanceNorm1d's default */

struct seg_state {
    const struct seg_packed *packed;        /* borrowed */
    size_t n_windows, n_samples, n_stretch; /* room */
    size_t n_frames;                        /* of the longest window */
    struct arena arena;
    float *fold;         /* of the sinc filters */
    float *raw;          /* their outputs over the stretch */
    float *rows[2];      /* one window's activations, in turns */
    float *a, *b, *sums; /* one row each, of the widest */
    double *totals;      /* the same in double */
    float *sequences[2]; /* [n_frames, n_windows, widest], in turns */
    struct lstm_work lstm;
};

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t sinc_outputs(size_t n_samples)
{
    return (n_samples - SEG_TAPS) / SEG_STRIDE + 1;
}

size_t seg_n_frames(size_t n_samples)
{
    size_t n = n_samples < SEG_MIN_SAMPLES ? 0 : (n_samples - SEG_TAPS) / SEG_STRIDE + 1;
    for (size_t i = 0; i <= SEG_N_CONVS && n > 0; i++)
        n = (i == 0 ? n : n - SEG_KERNEL + 1) / SEG_POOL;
    return n;
}

/* ---- state -------------------------------------------------------------------------------- */

static void place_buffers(void *ctx, struct arena *arena)
{
    struct seg_state *state = ctx;
    const struct seg_packed *s = state->packed;
    const size_t n_pooled = sinc_outputs(state->n_samples) / SEG_POOL;
    const size_t filters = s->sinc.n_row, channels = SEG_PADDED(s->n_channels);
    const size_t units = SEG_PADDED(s->n_hidden), linear = SEG_PADDED(s->n_linear);
    const size_t widest = max_size(max_size(channels, 2 * units), linear);
    const size_t batch = state->n_windows;
    state->fold = arena_floats(arena, SINC_FOLD_FLOATS);
    state->raw = arena_rows(arena, sinc_outputs(state->n_stretch), filters);
    for (size_t i = 0; i < 2; i++) {
        state->rows[i] = arena_rows(arena, n_pooled, max_size(filters, channels));
        state->sequences[i] = arena_rows(arena, state->n_frames * batch, widest);
    }
    state->a = arena_floats(arena, max_size(filters, widest));
    state->b = arena_floats(arena, max_size(filters, widest));
    state->sums = arena_floats(arena, max_size(filters, widest));
    state->totals = (double *)(void *)arena_rows(arena, 2, max_size(filters, widest));
    state->lstm.products = arena_rows(arena, LSTM_BLOCK * batch, 4 * units);
    state->lstm.cells = arena_rows(arena, batch, units);
    state->lstm.zeros = arena_floats(arena, units);
}

enum vp_status seg_state_new(const struct seg_packed *packed, size_t n_windows, size_t n_samples,
                             size_t hop, struct seg_state **out, struct vp_err *err)
{
    *out = NULL;
    struct seg_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return status_no_memory(err, "the segmentation's scratch", sizeof *state);
    state->packed = packed;
    state->n_windows = n_windows;
    state->n_samples = n_samples;
    state->n_frames = seg_n_frames(n_samples);
    enum vp_status status = VP_OK;
    if (n_windows == 0 || state->n_frames == 0 ||
        !size_multiply(n_windows - 1, hop, &state->n_stretch) ||
        !size_add(state->n_stretch, n_samples, &state->n_stretch))
        status =
            status_fail(err, VP_ERR_ARGUMENT, "no room for a window of %zu samples", n_samples);
    if (status == VP_OK)
        status =
            arena_build(&state->arena, place_buffers, state, "the segmentation's scratch", err);
    if (status == VP_OK)
        *out = state;
    else
        seg_state_free(state);
    return status;
}

void seg_state_free(struct seg_state *state)
{
    if (state == NULL)
        return;
    arena_free(&state->arena);
    free(state);
}

size_t seg_state_bytes(const struct seg_state *state)
{
    return sizeof *state + state->arena.n_bytes;
}

/* ---- one window, up to the LSTM ----------------------------------------------------------- */

struct run {
    struct seg_state *state;
    size_t n_samples, n_windows, n_frames;
    const struct seg_tap *tap; /* or NULL */
};

static void tap_row(const struct run *run, const struct seg_row *row)
{
    run->tap->see(run->tap->ctx, row);
}

/* rows [n_rows, SEG_PADDED(row->n_channels)] of one window; row says of which stage and window. */
static void tap_rows(const struct run *run, struct seg_row row, const float *rows, size_t n_rows)
{
    for (row.t = 0; run->tap != NULL && row.t < n_rows; row.t++) {
        row.values = rows + row.t * SEG_PADDED(row.n_channels);
        tap_row(run, &row);
    }
}

/* The norm of the samples as scale and offset: a x + b. */
static void wav_norm(const struct seg_packed *s, const float *x, size_t n, double *a, double *b)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    *a = (double)s->wav_weight / sqrt(squares / (double)n + NORM_EPS);
    *b = (double)s->wav_bias - mean * *a;
}

/* Instance norm i of rows [n, n_row], in place, and the leaky ReLU. The variance is biased and the
 * window's own. Sums in float are short, those of them in double. */
static void norm_rows(struct seg_state *state, size_t i, float *rows, size_t n, size_t n_row)
{
    const struct seg_packed *s = state->packed;
    float *mean = state->a, *offset = state->b;
    memset(mean, 0, n_row * sizeof *mean);
    double *total = state->totals;
    for (size_t pass = 0; pass < 2; pass++) {
        memset(total, 0, n_row * sizeof *total);
        for (size_t t = 0; t < n; t += SEG_SUM_ROWS) {
            const size_t n_rows = n - t < SEG_SUM_ROWS ? n - t : SEG_SUM_ROWS;
            s->kernel->sum(rows + t * n_row, n_rows, n_row, mean, pass == 1, state->sums);
            for (size_t c = 0; c < n_row; c++)
                total[c] += (double)state->sums[c];
        }
        for (size_t c = 0; c < n_row && pass == 0; c++)
            mean[c] = (float)(total[c] / (double)n);
    }
    for (size_t c = 0; c < n_row; c++) {
        const double gain = (double)s->gains[i][c] / sqrt(total[c] / (double)n + NORM_EPS);
        offset[c] = (float)((double)s->offsets[i][c] - (double)mean[c] * gain);
        mean[c] = (float)gain; /* its room is free now */
    }
    s->kernel->norm(rows, n, n_row, mean, offset);
}

/* in [n, n_in] -> out [n - 4, n_out]: five matrix products, one for each tap. */
static void conv_rows(const struct seg_packed_conv *conv, const float *in, size_t n, float *out)
{
    const size_t n_out = n - SEG_KERNEL + 1;
    for (size_t t = 0; t < n_out; t++)
        memcpy(out + t * conv->n_out, conv->bias, conv->n_out * sizeof *out);
    for (size_t k = 0; k < SEG_KERNEL; k++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n_out, (int)conv->n_out,
                    (int)conv->n_in, 1.0F, in + k * conv->n_in, (int)conv->n_in,
                    conv->weight + k * conv->n_in * conv->n_out, (int)conv->n_out, 1.0F, out,
                    (int)conv->n_out);
}

/* samples and the sinc filters' outputs -> row window of each moment of sequences[0]. */
static void run_window(const struct run *run, const float *samples, const float *raw, size_t window)
{
    static const char *const names[SEG_N_CONVS] = {"conv1", "conv2"};
    struct seg_state *state = run->state;
    const struct seg_packed *s = state->packed;
    const size_t filters = s->sinc.n_row, channels = SEG_PADDED(s->n_channels);
    float *rows = state->rows[0], *other = state->rows[1];
    double scale, shift;
    wav_norm(s, samples, run->n_samples, &scale, &shift);
    for (size_t c = 0; c < filters; c++)
        state->b[c] = (float)(shift * (double)s->sinc.gain[c]);
    /* [15975,80] -> [5325,80] */
    size_t n = sinc_outputs(run->n_samples) / SEG_POOL;
    s->kernel->abs_pool(raw, n, filters, (float)scale, state->b, rows);
    norm_rows(state, 0, rows, n, filters);
    tap_rows(run, (struct seg_row){"sinc", window, 0, s->n_filters, NULL}, rows, n);
    /* [5325,80] -> [1773,60] -> [589,60] */
    for (size_t i = 0; i < SEG_N_CONVS; i++) {
        conv_rows(&s->convs[i], rows, n, other);
        n = (n - SEG_KERNEL + 1) / SEG_POOL;
        s->kernel->pool(other, n, channels, rows);
        norm_rows(state, i + 1, rows, n, channels);
        tap_rows(run, (struct seg_row){names[i], window, 0, s->n_channels, NULL}, rows, n);
    }
    for (size_t t = 0; t < n; t++)
        memcpy(state->sequences[0] + (t * run->n_windows + window) * channels, rows + t * channels,
               channels * sizeof *rows);
}

/* ---- all windows -------------------------------------------------------------------------- */

/* Rows of a sequence [n_frames, n_windows, n_row]; where they hold both directions of the LSTM,
 * each padded, the two are put side by side. */
static void tap_sequence(const struct run *run, const char *stage, const float *rows, size_t n_row,
                         size_t n_channels)
{
    float *joined = run->state->a;
    const bool directions = strcmp(stage, "lstm") == 0;
    for (size_t i = 0; run->tap != NULL && i < run->n_frames * run->n_windows; i++) {
        struct seg_row row = {stage, i % run->n_windows, i / run->n_windows, n_channels,
                              rows + i * n_row};
        if (directions) {
            memcpy(joined, row.values, n_channels / 2 * sizeof *joined);
            memcpy(joined + n_channels / 2, row.values + n_row / 2,
                   n_channels / 2 * sizeof *joined);
            row.values = joined;
        }
        tap_row(run, &row);
    }
}

/* rows [n, n_in] -> out [n, n_out], without the leaky ReLU */
static void linear_rows(const struct seg_packed_linear *linear, const float *rows, size_t n,
                        float *out)
{
    for (size_t t = 0; t < n; t++)
        memcpy(out + t * linear->n_out, linear->bias, linear->n_out * sizeof *out);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)linear->n_out,
                (int)linear->n_in, 1.0F, rows, (int)linear->n_in, linear->weight,
                (int)linear->n_out, 1.0F, out, (int)linear->n_out);
}

static bool log_softmax(const float *logits, float *out)
{
    double largest = (double)logits[0], sum = 0;
    for (size_t k = 1; k < SEG_N_CLASSES; k++)
        largest = fmax(largest, (double)logits[k]);
    for (size_t k = 0; k < SEG_N_CLASSES; k++)
        sum += exp((double)logits[k] - largest);
    for (size_t k = 0; k < SEG_N_CLASSES; k++)
        out[k] = (float)((double)logits[k] - largest - log(sum));
    return isfinite(sum) && isfinite(largest);
}

static void run_lstm(const struct run *run, size_t *at)
{
    struct seg_state *state = run->state;
    const struct seg_packed *s = state->packed;
    for (size_t i = 0; i < s->n_layers; i++, *at ^= 1)
        lstm_run(&s->lstm[i], s->kernel, state->sequences[*at], run->n_frames, run->n_windows,
                 &state->lstm, state->sequences[*at ^ 1]);
    tap_sequence(run, "lstm", state->sequences[*at], 2 * SEG_PADDED(s->n_hidden), 2 * s->n_hidden);
}

static void run_linears(const struct run *run, size_t *at)
{
    struct seg_state *state = run->state;
    const struct seg_packed *s = state->packed;
    const size_t n_rows = run->n_frames * run->n_windows;
    memset(state->a, 0, SEG_PADDED(s->n_linear) * sizeof *state->a);
    for (size_t c = 0; c < SEG_PADDED(s->n_linear); c++)
        state->b[c] = 1;
    for (size_t i = 0; i < SEG_N_LINEARS; i++, *at ^= 1) {
        float *out = state->sequences[*at ^ 1];
        linear_rows(&s->linears[i], state->sequences[*at], n_rows, out);
        if (i < SEG_N_LINEARS - 1)
            s->kernel->norm(out, n_rows, s->linears[i].n_out, state->b, state->a);
        if (i == SEG_N_LINEARS - 2)
            tap_sequence(run, "linear", out, s->linears[i].n_out, s->n_linear);
    }
}

static bool fits(const struct seg_state *state, const struct seg_windows *windows)
{
    size_t n_stretch;
    return windows->n > 0 && windows->n <= state->n_windows &&
           seg_n_frames(windows->n_samples) > 0 && windows->n_samples <= state->n_samples &&
           (windows->n == 1 || windows->hop % SEG_STRIDE == 0) &&
           size_multiply(windows->n - 1, windows->hop, &n_stretch) &&
           size_add(n_stretch, windows->n_samples, &n_stretch) && n_stretch <= state->n_stretch;
}

/* Logits in sequences[at] -> log_probs. False when a value is not finite. */
static bool classify(const struct run *run, size_t at, float *log_probs)
{
    const size_t n_row = run->state->packed->linears[SEG_N_LINEARS - 1].n_out;
    bool finite = true;
    for (size_t w = 0; w < run->n_windows; w++)
        for (size_t t = 0; t < run->n_frames; t++) {
            const float *row = run->state->sequences[at] + (t * run->n_windows + w) * n_row;
            finite =
                log_softmax(row, log_probs + (w * run->n_frames + t) * SEG_N_CLASSES) && finite;
        }
    return finite;
}

enum vp_status seg_state_run(struct seg_state *state, const struct seg_windows *windows,
                             const struct seg_tap *tap, float *log_probs, struct vp_err *err)
{
    const struct seg_packed *s = state->packed;
    if (!fits(state, windows))
        return status_fail(err, VP_ERR_ARGUMENT,
                           "%zu windows of %zu samples, %zu apart, do not fit this scratch",
                           windows->n, windows->n_samples, windows->hop);
    const struct run run = {.state = state,
                            .n_samples = windows->n_samples,
                            .n_windows = windows->n,
                            .n_frames = seg_n_frames(windows->n_samples),
                            .tap = tap};
    const size_t hop = windows->hop;
    sinc_run(&s->sinc, windows->samples, sinc_outputs((windows->n - 1) * hop + windows->n_samples),
             state->fold, state->raw);
    for (size_t w = 0; w < windows->n; w++)
        run_window(&run, windows->samples + w * hop,
                   state->raw + w * hop / SEG_STRIDE * s->sinc.n_row, w);
    size_t at = 0; /* which of the sequences holds the rows */
    run_lstm(&run, &at);
    run_linears(&run, &at);
    if (!classify(&run, at, log_probs))
        return status_fail(err, VP_ERR_INFERENCE,
                           "the segmentation network gave a value that is not finite");
    return VP_OK;
}
