/*
 * One worker's share of the segmentation network: windows of samples -> log-probabilities of sets
 * of speakers. Activations are allocated at creation; one owner at a time.
 *
 * Frame i of a window is centred at sample SEG_FRAME_CENTRE + SEG_FRAME_STEP i.
 */
#ifndef VP_SEG_STATE_H
#define VP_SEG_STATE_H

#include "diarization.h"
#include "segmentation/seg_packed.h"

#define SEG_WINDOW_SAMPLES VP_SEGMENTATION_SAMPLES
#define SEG_WINDOW_FRAMES  VP_SEGMENTATION_FRAMES
#define SEG_FRAME_STEP     270u /* samples from frame to frame */
#define SEG_FRAME_CENTRE   495u /* of frame 0, in samples */
#define SEG_MIN_SAMPLES    991u /* that give one frame */
/* Windows at once: more would hardly be faster, and hold a worker longer. */
#define SEG_BATCH 4u

/* Frames of a window of n_samples, 0 when it is shorter than SEG_MIN_SAMPLES. */
size_t seg_n_frames(size_t n_samples);

struct seg_state;

/* Room for batches of n_windows windows of up to n_samples, hop samples apart. Borrows packed for
 * its life. Returns owned *out. VP_ERR_ARGUMENT when that gives no frame, VP_ERR_NO_MEMORY. */
enum vp_status seg_state_new(const struct seg_packed *packed, size_t n_windows, size_t n_samples,
                             size_t hop, struct seg_state **out, struct vp_err *err) VP_MUST_CHECK;
void seg_state_free(struct seg_state *state); /* takes; NULL is legal */
size_t seg_state_bytes(const struct seg_state *state);

/* Windows of one stretch of samples: window w is samples + w hop, n_samples long. */
struct seg_windows {
    const float *samples; /* [(n - 1) hop + n_samples], 16 kHz mono, borrowed for the call */
    size_t n_samples;     /* at least SEG_MIN_SAMPLES */
    size_t hop;           /* a multiple of SEG_STRIDE, unless n is 1 */
    size_t n;
};

/* One row of a stage's output. */
struct seg_row {
    const char *stage; /* "sinc", "conv1", "conv2", "lstm" or "linear" */
    size_t window, t;
    size_t n_channels;
    const float *values; /* [n_channels], borrowed for the call */
};

/* Sees the rows of all stages, for tests. */
struct seg_tap {
    void (*see)(void *ctx, const struct seg_row *row);
    void *ctx;
};

/* Runs the network: log_probs [windows->n, frames, SEG_N_CLASSES]. What windows share of the sinc
 * filters is computed once. tap may be NULL. Never allocates. VP_ERR_ARGUMENT beyond the state's
 * room, VP_ERR_INFERENCE when a value is not finite. */
enum vp_status seg_state_run(struct seg_state *state, const struct seg_windows *windows,
                             const struct seg_tap *tap, float *log_probs,
                             struct vp_err *err) VP_MUST_CHECK;

#endif
