/* Frame by frame, then runs of frames. */
#include "diarize/local/reconstruction.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "diarize/local/local_speakers.h"

#define ROW_S    0.02 /* of the target-speaker net's probabilities */
#define OPPOSITE 2.0F /* what 1 - cosine is for opposite voices: at right angles P counts twice */

/* ---- one frame ------------------------------------------------------------------------------- */

const float *reconstruction_evidence(const struct voice_evidence *evidence, size_t n_voices,
                                     double at_s)
{
    size_t row = (size_t)(at_s / ROW_S);
    if (evidence->windows != NULL)
        row = windows_nearest(evidence->windows, evidence->n_rows, at_s);
    if (row >= evidence->n_rows)
        row = evidence->n_rows - 1;
    return evidence->rows + row * n_voices;
}

/* The largest of values [n] that is not in taken, the lowest among equals. */
static size_t largest(const float *values, size_t n, uint32_t taken)
{
    size_t best = n;
    for (size_t v = 0; v < n; v++)
        if (!(taken >> v & 1u) && (best == n || values[v] > values[best]))
            best = v;
    return best;
}

static size_t elect_one(const struct frame_witnesses *frame)
{
    const float *p = frame->evidence, *v = frame->votes;
    const size_t i = largest(p, frame->n_voices, 0), j = largest(v, frame->n_voices, 0);
    const float cosine = frame->cosines[i * frame->n_voices + j];
    return (p[i] - p[j]) * OPPOSITE * (1.0F - cosine) > v[j] - v[i] ? i : j;
}

uint32_t reconstruction_elect(const struct frame_witnesses *frame, size_t count)
{
    float sums[VP_DIARIZE_MAX_SPEAKERS];
    uint32_t elected = 0;
    if (count == 1)
        return 1u << elect_one(frame);
    for (size_t v = 0; v < frame->n_voices; v++)
        sums[v] = frame->evidence[v] + frame->votes[v];
    for (size_t k = 0; k < count && k < frame->n_voices; k++)
        elected |= 1u << largest(sums, frame->n_voices, elected);
    return elected;
}

/* Shares of the windows around frame t that hear each voice. */
static void count_votes(const struct reconstruction *input, size_t t, float *votes)
{
    size_t first, end;
    memset(votes, 0, input->n_voices * sizeof *votes);
    local_masks_covering(input->masks, t, &first, &end);
    for (size_t w = first; w < end && input->voice_of != NULL; w++) {
        const unsigned mask = local_masks_in(input->masks, w, t);
        for (size_t s = 0; s < SEG_N_SPEAKERS; s++) {
            const unsigned voice = input->voice_of[w * SEG_N_SPEAKERS + s];
            if ((mask >> s & 1u) && voice != LOCAL_NOBODY)
                votes[voice] += 1.0F / (float)(end - first);
        }
    }
}

/* ---- all frames ------------------------------------------------------------------------------ */

/* The recording's frames: who speaks, and how sure that is. */
struct frames_elected {
    size_t n;
    uint32_t *voices; /* owned, [n], as bits */
    float *sure;      /* owned, [n, n_voices], 0..1 */
};

static void elect_frame(const struct reconstruction *input, const float *cosines, size_t t,
                        struct frames_elected *out)
{
    struct frame_witnesses frame = {.n_voices = input->n_voices, .cosines = cosines};
    const size_t count = local_masks_count(input->masks, t);
    if (count == 0)
        return;
    const double at_s = (double)(SEG_FRAME_CENTRE + t * SEG_FRAME_STEP) / SAMPLE_RATE_HZ;
    memcpy(frame.evidence, reconstruction_evidence(&input->evidence, input->n_voices, at_s),
           input->n_voices * sizeof *frame.evidence);
    count_votes(input, t, frame.votes);
    out->voices[t] = reconstruction_elect(&frame, count);
    for (size_t v = 0; v < input->n_voices; v++)
        out->sure[t * input->n_voices + v] =
            0.5F * (fminf(fmaxf(frame.evidence[v], 0.0F), 1.0F) + fminf(frame.votes[v], 1.0F));
}

static double frame_start_s(const struct frames_elected *frames, size_t t)
{
    return t == frames->n ? HUGE_VAL : (double)local_masks_frame_start(t) / SAMPLE_RATE_HZ;
}

/* Runs of frames of one voice -> turns. */
static enum vp_status voice_turns(const struct frames_elected *frames, size_t v, size_t n_voices,
                                  double end_s, struct turns *out, struct vp_err *err)
{
    enum vp_status status = VP_OK;
    for (size_t t = 0, end; t < frames->n && status == VP_OK; t = end + 1) {
        double sure = 0.0;
        for (end = t; end < frames->n && (frames->voices[end] >> v & 1u); end++)
            sure += (double)frames->sure[end * n_voices + v];
        if (end == t || frame_start_s(frames, t) >= end_s)
            continue;
        const struct vp_turn turn = {
            .start_s = frame_start_s(frames, t),
            .end_s = fmin(frame_start_s(frames, end), end_s),
            .speaker = (unsigned)v,
            .confidence = n_voices > 1 ? sure / (double)(end - t) : -1.0,
        };
        status = turns_add(out, &turn, err);
    }
    return status;
}

enum vp_status reconstruction_turns(const struct reconstruction *input, struct turns *out,
                                    struct vp_err *err)
{
    const size_t n = local_masks_n_frames(input->masks), n_voices = input->n_voices;
    float cosines[VP_DIARIZE_MAX_SPEAKERS * VP_DIARIZE_MAX_SPEAKERS];
    struct frames_elected frames = {.n = n};
    enum vp_status status = VP_OK;
    frames.voices = calloc(n + 1, sizeof *frames.voices);
    frames.sure = calloc(n + 1, n_voices * sizeof *frames.sure);
    if (frames.voices == NULL || frames.sure == NULL)
        status = status_no_memory(err, "the frames", n * n_voices * sizeof *frames.sure);
    if (status != VP_OK)
        goto out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_voices, (int)n_voices,
                (int)input->dim, 1.0F, input->directions, (int)input->dim, input->directions,
                (int)input->dim, 0.0F, cosines, (int)n_voices);
    for (size_t t = 0; t < n; t++)
        elect_frame(input, cosines, t, &frames);
    for (size_t v = 0; v < n_voices && status == VP_OK; v++)
        status =
            voice_turns(&frames, v, n_voices, (double)input->n_samples / SAMPLE_RATE_HZ, out, err);
out:
    free(frames.voices);
    free(frames.sure);
    return status;
}
