/*
 * The speech detector alone, on recordings of 16 kHz mono:
 *
 *   speech [on=P] [off=P] [min_on=F] [min_off=F] [pad=F] FILE...
 *
 * writes where there is speech, as RTTM, on standard output (settings as in
 * core/speech/speech.h, F in frames of 10 ms), and the time that features and detector
 * took, on one core, on standard error.
 */
#include "speech/speech.h"
#include "features/fbank.h"
#include "speech/vad.h"

#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE_HZ         16000
#define FRAMES_A_SECOND 100.0
/* Frame t is of the samples from t to t + 2.5 hundredths; the hundredth in its middle is meant. */
#define FRAME_SHIFT_S 0.0075

struct clock {
    double audio_s, fbank_s, vad_s;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "speech: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n + 1, size);
    if (memory == NULL)
        give_up("the recording", "no memory");
    return memory;
}

static float *read_samples(const char *path, size_t *n_samples)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (file == NULL)
        give_up(path, sf_strerror(NULL));
    if (info.samplerate != RATE_HZ || info.channels != 1)
        give_up(path, "not 16 kHz mono");
    float *samples = allocate((size_t)info.frames, sizeof *samples);
    *n_samples = (size_t)sf_readf_float(file, samples, info.frames);
    sf_close(file);
    return samples;
}

static void print_spans(const char *path, const unsigned char *decided, size_t n_frames)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const int n_name = (int)strcspn(name, ".");
    for (size_t t = 0, start = 0; t < n_frames; t++) {
        if (t == 0 || decided[t] != decided[t - 1])
            start = t;
        if (decided[t] && (t + 1 == n_frames || !decided[t + 1]))
            printf("SPEAKER %.*s 1 %.4f %.4f <NA> <NA> speech <NA> <NA>\n", n_name, name,
                   start == 0 ? 0.0 : (double)start / FRAMES_A_SECOND + FRAME_SHIFT_S,
                   (double)(t + 1 - start) / FRAMES_A_SECOND + (start == 0 ? FRAME_SHIFT_S : 0.0));
    }
}

static void detect(const char *path, const struct speech_settings *settings,
                   struct fbank_work *work, struct vad *vad, struct clock *clock)
{
    size_t n_samples;
    float *samples = read_samples(path, &n_samples);
    const size_t n_frames = fbank_n_frames(n_samples);
    float *features = allocate(n_frames * VAD_N_MELS, sizeof *features);
    float *probabilities = allocate(n_frames, sizeof *probabilities);
    unsigned char *decided = allocate(n_frames, sizeof *decided);
    struct speech speech;

    const double start_s = now_s();
    fbank_log_mel(work, samples, n_samples, features);
    const double middle_s = now_s();
    size_t n = vad_push(vad, features, n_frames, probabilities);
    vad_flush(vad, probabilities + n);
    speech_start(&speech, settings);
    n = speech_push(&speech, probabilities, n_frames, decided);
    speech_finish(&speech, decided + n);
    clock->fbank_s += middle_s - start_s;
    clock->vad_s += now_s() - middle_s;
    clock->audio_s += (double)n_samples / RATE_HZ;

    print_spans(path, decided, n_frames);
    free(samples);
    free(features);
    free(probabilities);
    free(decided);
}

/* Takes "on=0.5" and the like. */
static bool set(struct speech_settings *settings, const char *argument)
{
    double value;
    if (sscanf(argument, "on=%lf", &value) == 1)
        settings->on = (float)value;
    else if (sscanf(argument, "off=%lf", &value) == 1)
        settings->off = (float)value;
    else if (sscanf(argument, "min_on=%lf", &value) == 1)
        settings->min_on_frames = (size_t)value;
    else if (sscanf(argument, "min_off=%lf", &value) == 1)
        settings->min_off_frames = (size_t)value;
    else if (sscanf(argument, "pad=%lf", &value) == 1)
        settings->pad_frames = (size_t)value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct speech_settings settings = speech_default;
    struct fbank_plan *plan = NULL;
    struct fbank_work *work = NULL;
    struct vad *vad = NULL;
    struct clock clock = {0};
    struct vp_err err;
    if (fbank_plan_new(VAD_N_MELS, FRONT_END_HAMMING, VP_KERNEL_BLAS, &plan, &err) != VP_OK ||
        fbank_work_new(plan, &work, &err) != VP_OK ||
        vad_new(NULL, 0, VP_KERNEL_AVX2, &vad, &err) != VP_OK)
        give_up("cannot start", err.message);
    for (int i = 1; i < argc; i++)
        if (!set(&settings, argv[i]))
            detect(argv[i], &settings, work, vad, &clock);
    if (clock.audio_s > 0.0)
        fprintf(stderr, "%.1f s of audio: features %.5f, detector %.5f of real time\n",
                clock.audio_s, clock.fbank_s / clock.audio_s, clock.vad_s / clock.audio_s);
    vad_free(vad);
    fbank_work_free(work);
    fbank_plan_free(plan);
    return 0;
}
