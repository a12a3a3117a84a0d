/* A buzz of another pitch for each voice. */
#include "tracked.h"

#include "unit.h"

#include <sndfile.h>

#include "audio/mono.h"
#include "audio/sniff.h"
#include "naive_target_pass.h"

#define MODEL "models/voiceprint.safetensors"

struct tracked tracked;

/* A buzz of another pitch and other formants for each voice. */
static void buzz(size_t voice, float *out, size_t n)
{
    static const double rates_hz[TRACKED_N_VOICES] = {16000.0, 10000.0, 23000.0};
    audio_file_buzz(out, n, rates_hz[voice]);
}

size_t tracked_samples_of(size_t n_frames)
{
    const size_t n = (n_frames - 1) * 160 + 400 + 37; /* and some that make no frame */
    assert_true(n <= TRACKED_MOST);
    return n;
}

struct audio_file tracked_wav(size_t n)
{
    return audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, tracked.samples, n);
}

void tracked_speech(size_t first, size_t end)
{
    const struct segment segment = {first, end, (double)first / 100.0, (double)end / 100.0};
    assert_int_equal(segments_add(&tracked.segments, &segment, NULL), VP_OK);
}

int tracked_forget_speech(void **state)
{
    (void)state;
    segments_clear(&tracked.segments);
    return 0;
}

int tracked_set_up(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = TARGET_PASS_SCRATCH_S;
    if (vp_model_open(MODEL, VP_KERNEL_AUTO, &tracked.model, &tracked.err) != VP_OK ||
        tsvad_new(NULL, 0, &tracked.tsvad, &tracked.err) != VP_OK)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (vp_scratch_new(tracked.model, &limits, &tracked.scratches[i], &tracked.err) != VP_OK)
            return -1;
    tracked.directions =
        calloc(TRACKED_N_VOICES * tracked.model->info.dim, sizeof *tracked.directions);
    if (tracked.directions == NULL)
        return -1;
    for (size_t v = 0; v < TRACKED_N_VOICES; v++) {
        struct vp_clip_info info;
        double norm;
        float *direction = tracked.directions + v * tracked.model->info.dim;
        buzz(v, tracked.samples, 48000);
        if (vp_clip_set_samples(tracked.scratches[0], tracked.samples, 48000, &info,
                                &tracked.err) != VP_OK ||
            vp_clip_fbank(tracked.scratches[0], NULL, NULL, &tracked.err) != VP_OK ||
            vp_clip_embed(tracked.scratches[0], direction, &norm, &tracked.err) != VP_OK ||
            vp_embedding_normalize(direction, tracked.model->info.dim, &norm, &tracked.err) !=
                VP_OK)
            return -1;
    }
    return 0;
}

int tracked_tear_down(void **state)
{
    (void)state;
    free(tracked.directions);
    for (size_t i = 0; i < 2; i++)
        vp_scratch_free(tracked.scratches[i]);
    tsvad_free(tracked.tsvad);
    vp_model_free(tracked.model);
    return 0;
}

float *tracked_floats(size_t n)
{
    float *values = calloc(n, sizeof *values);
    assert_non_null(values);
    return values;
}

enum vp_status tracked_run(const struct audio_file *file, size_t n_frames, size_t n_voices,
                           double max_duration_s, float **out, size_t *n_parts)
{
    struct container container;
    struct target_pass *tracking;
    float *probabilities =
        naive_detect(tracked.scratches[1], tracked.samples, tracked_samples_of(n_frames));
    const struct target_pass_known known = {.max_duration_s = max_duration_s,
                                            .channel = VP_CHANNEL_MIX,
                                            .n_frames = n_frames,
                                            .probabilities = probabilities,
                                            .segments = &tracked.segments,
                                            .directions = tracked.directions,
                                            .n_voices = n_voices};
    bool done = false;
    double progress = 0.0;
    *out = NULL;
    assert_int_equal(
        sniff_container((struct bytes){file->bytes, file->n}, &container, &tracked.err), VP_OK);
    enum vp_status status =
        target_pass_new(tracked.model, tracked.tsvad, &container, &known, &tracking, &tracked.err);
    free(probabilities);
    for (size_t i = 0; status == VP_OK && !done; i++) {
        status = target_pass_step(tracking, tracked.scratches[i % 2], &done, &tracked.err);
        const double now = target_pass_progress(tracking);
        assert_true(now >= progress && now <= 1.0);
        progress = now;
    }
    if (status == VP_OK) {
        const float *found = target_pass_probabilities(tracking, n_parts);
        assert_int_equal(*n_parts, (n_frames + 7) / 8 * 4);
        assert_true(progress == 1.0);
        assert_true(target_pass_bytes(tracking) > *n_parts * n_voices * sizeof *found);
        *out = tracked_floats(*n_parts * n_voices);
        memcpy(*out, found, *n_parts * n_voices * sizeof *found);
    }
    target_pass_free(tracking);
    return status;
}

float *tracked_well(struct audio_file file, size_t n_frames, size_t n_voices)
{
    float *found;
    size_t n_parts;
    const enum vp_status status = tracked_run(&file, n_frames, n_voices, 60.0, &found, &n_parts);
    if (status != VP_OK)
        fail_msg("%s: %s", vp_status_name(status), tracked.err.message);
    audio_file_free(&file);
    return found;
}
