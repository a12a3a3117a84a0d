/*
 * The diarization behind the segmentation network, with the masks of the labels in its place: how
 * well embeddings, clustering and assembly do when every window is heard right.
 *
 *   oracle MODEL AUDIO REFERENCE.rttm [NUM_SPEAKERS] > HYPOTHESIS.rttm
 *
 * NUM_SPEAKERS: 0 finds out (default), a number asks for it, -1 also takes the speakers themselves
 * from the labels: what is lost then, windows and frames lose.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "diarize/answer.h"
#include "diarize/local/assembly.h"
#include "diarize/local/crowd.h"
#include "loader/model_file.h"

static void stop_if(enum vp_status status, const struct vp_err *err)
{
    if (status == VP_OK)
        return;
    fprintf(stderr, "oracle: %s\n", err->message);
    exit(1);
}

static bool speaks(const struct vp_rttm_recording *labels, size_t speaker, double at_s)
{
    for (size_t i = 0; i < labels->n_turns; i++)
        if (labels->turns[i].speaker == speaker && labels->turns[i].start_s <= at_s &&
            at_s < labels->turns[i].end_s)
            return true;
    return false;
}

/* The three who speak most in the window, two at once: what the network's classes can say.
 * local_of [3] becomes who they are. */
static void label_masks(const struct vp_rttm_recording *labels, size_t window,
                        unsigned char masks[SEG_WINDOW_FRAMES], size_t local_of[SEG_N_SPEAKERS])
{
    const size_t n = labels->n_speakers;
    bool *heard = calloc(n * SEG_WINDOW_FRAMES + 1, 1);
    size_t *total = calloc(n + 1, sizeof *total);
    if (heard == NULL || total == NULL)
        exit(1);
    for (size_t s = 0; s < n; s++)
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
            const double at_s =
                (double)(window * LOCAL_SPEAKERS_HOP + SEG_FRAME_CENTRE + k * SEG_FRAME_STEP) /
                16000;
            heard[s * SEG_WINDOW_FRAMES + k] = speaks(labels, s, at_s);
            total[s] += heard[s * SEG_WINDOW_FRAMES + k];
        }
    memset(masks, 0, SEG_WINDOW_FRAMES);
    for (unsigned local = 0; local < SEG_N_SPEAKERS; local++) {
        size_t best = n;
        for (size_t s = 0; s < n; s++)
            if (total[s] > 0 && (best == n || total[s] > total[best]))
                best = s;
        local_of[local] = best;
        if (best == n)
            continue;
        total[best] = 0;
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
            if (heard[best * SEG_WINDOW_FRAMES + k] && __builtin_popcount(masks[k]) < 2)
                masks[k] |= (unsigned char)(1u << local);
    }
    free(heard);
    free(total);
}

static void print_turns(const char *name, const struct vp_diarization_result *result)
{
    for (size_t i = 0; i < result->n_segments; i++) {
        const struct vp_turn *turn = &result->segments[i];
        printf("SPEAKER %s 1 %.3f %.3f <NA> <NA> SPEAKER_%02u <NA> <NA>\n", name, turn->start_s,
               turn->end_s - turn->start_s, turn->speaker);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    struct vp_err err = {0};
    vp_model *model;
    vp_scratch *scratch;
    struct vp_limits limits;
    struct model_file audio, text;
    struct vp_rttm rttm;
    struct vp_clip_info info;
    const int asked = argc > 4 ? atoi(argv[4]) : 0;
    vp_limits_default(&limits);
    limits.max_duration_s = 600;
    stop_if(vp_model_open(argv[1], VP_KERNEL_AUTO, &model, &err), &err);
    stop_if(vp_scratch_new(model, &limits, &scratch, &err), &err);
    stop_if(model_file_read(argv[2], &audio, &err), &err);
    stop_if(model_file_read(argv[3], &text, &err), &err);
    stop_if(vp_rttm_read(text.bytes, text.n_bytes, &rttm, &err), &err);
    if (rttm.n_recordings != 1)
        return 2;
    const struct vp_rttm_recording *labels = &rttm.recordings[0];
    stop_if(vp_clip_decode(scratch, audio.bytes, audio.n_bytes, &info, &err), &err);

    size_t n_samples;
    const float *samples = vp_clip_samples(scratch, &n_samples);
    const size_t n_windows = crowd_n_windows(n_samples);
    float *padded =
        calloc((n_windows - 1) * LOCAL_SPEAKERS_HOP + SEG_WINDOW_SAMPLES, sizeof *padded);
    size_t *truth = calloc(n_windows * SEG_N_SPEAKERS, sizeof *truth);
    struct local_speakers locals = {0};
    if (padded == NULL || truth == NULL)
        return 1;
    memcpy(padded, samples, n_samples * sizeof *padded);
    stop_if(local_speakers_init(&locals, model, &err), &err);
    for (size_t w = 0; w < n_windows; w++) {
        unsigned char masks[SEG_WINDOW_FRAMES];
        size_t local_of[SEG_N_SPEAKERS];
        const size_t before = locals.n;
        label_masks(labels, w, masks, local_of);
        stop_if(local_speakers_add(&locals, scratch, padded + w * LOCAL_SPEAKERS_HOP, masks, &err),
                &err);
        for (size_t i = before; i < locals.n; i++)
            truth[i] = local_of[locals.list[i].local];
    }
    struct answer answer = {.result = {.engine = VP_DIARIZE_SEGMENTATION,
                                       .clip = info,
                                       .threshold = crowd_threshold(vp_model_info(model))}};
    struct vp_diarize_options options;
    vp_diarize_options_default(&options);
    options.min_on_s = options.min_off_s = 0;
    options.num_speakers = asked > 0 ? (unsigned)asked : 0;
    stop_if(crowd_conclude(&locals, n_samples, &options, asked < 0 ? truth : NULL,
                           labels->n_speakers, &answer, &err),
            &err);
    print_turns(labels->name, &answer.result);
    answer_clear(&answer);
    local_speakers_clear(&locals);
    free(padded);
    free(truth);
    vp_rttm_free(&rttm);
    model_file_free(&audio);
    model_file_free(&text);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return 0;
}
