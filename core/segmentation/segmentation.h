/*
 * The segmentation network at work: windows of samples -> log-probabilities of sets of speakers.
 *
 *   vp_segmentation   packed weights. Immutable, shared by all threads.
 *   struct seg_state  activations of one worker, all allocated at creation. One owner.
 *
 * Frame i of a window is centred at sample 495 + 270 i.
 */
#ifndef VP_SEGMENTATION_H
#define VP_SEGMENTATION_H

#include "diarization.h"
#include "segmentation/lstm.h"
#include "segmentation/seg_kernel.h"
#include "segmentation/sinc.h"

#define SEG_WINDOW_SAMPLES VP_SEGMENTATION_SAMPLES
#define SEG_WINDOW_FRAMES  VP_SEGMENTATION_FRAMES
#define SEG_FRAME_STEP     270u /* samples from frame to frame */
#define SEG_FRAME_CENTRE   495u /* of frame 0, in samples */
#define SEG_MIN_SAMPLES    991u /* that give one frame */
#define SEG_BATCH          8u   /* windows at once */

struct seg_packed_conv {
    size_t n_in, n_out; /* padded */
    float *weight;      /* [SEG_KERNEL, n_in, n_out] */
    float *bias;        /* [n_out] */
};

struct seg_packed_linear {
    size_t n_in, n_out; /* padded */
    float *weight;      /* [n_in, n_out] */
    float *bias;        /* [n_out] */
};

struct vp_segmentation {
    struct vp_segmentation_info info;
    char *name; /* owned */
    const struct seg_kernel *kernel;
    struct arena arena; /* of all weights */
    size_t n_filters, n_channels, n_hidden, n_layers, n_linear;
    float wav_weight, wav_bias;
    struct sinc sinc;
    float *gains[SEG_N_NORMS], *offsets[SEG_N_NORMS]; /* padded */
    struct seg_packed_conv convs[SEG_N_CONVS];
    struct lstm_layer lstm[SEG_MOST_LAYERS];
    struct seg_packed_linear linears[SEG_N_LINEARS];
};

/* Packs a loaded network; net is borrowed for the call. Returns owned *out (vp_segmentation_free).
 * VP_ERR_NO_MEMORY. info.format, digest and name are the caller's to set. */
enum vp_status segmentation_new(const struct seg_net *net, enum vp_kernel kernel,
                                vp_segmentation **out, struct vp_err *err) VP_MUST_CHECK;

/* Frames of a window of n_samples, 0 when it is shorter than SEG_MIN_SAMPLES. */
size_t segmentation_n_frames(size_t n_samples);

struct seg_state;

/* Room for batches of n_windows windows of up to n_samples, hop samples apart. Borrows
 * segmentation for its life. Returns owned *out. */
enum vp_status seg_state_new(const vp_segmentation *segmentation, size_t n_windows,
                             size_t n_samples, size_t hop, struct seg_state **out,
                             struct vp_err *err) VP_MUST_CHECK;
void seg_state_free(struct seg_state *state); /* takes; NULL is legal */
size_t seg_state_bytes(const struct seg_state *state);

/* One row of a stage ("sinc", "conv1", "conv2", "lstm", "linear", "log_probs") of a window. */
typedef void (*seg_tap)(void *ctx, const char *stage, size_t window, size_t t, size_t n_channels,
                        const float *row);

/*
 * Window w is samples + w hop, n_samples long (at least SEG_MIN_SAMPLES). out [n_windows, frames,
 * SEG_N_CLASSES]. hop is a multiple of SEG_STRIDE, or n_windows is 1; what windows share of the
 * sinc filters is computed once. Never allocates. tap may be NULL. VP_ERR_ARGUMENT beyond the
 * state's room, VP_ERR_INFERENCE when a value is not finite.
 */
enum vp_status segmentation_run(struct seg_state *state, const float *samples, size_t n_samples,
                                size_t hop, size_t n_windows, seg_tap tap, void *tap_ctx,
                                float *out, struct vp_err *err) VP_MUST_CHECK;

#endif
