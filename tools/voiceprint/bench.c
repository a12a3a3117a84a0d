/* voiceprint bench: how long the network takes, on one thread, for clips of given lengths. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define MOST_LENGTHS  64u
#define HOP_SAMPLES   160u
#define FRAME_SAMPLES 400u
#define LEAST_FRAMES  9u
#define MOST_FRAMES   60000u /* ten minutes */

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

/* "98,298" -> counts. Returns how many; 0 when the text is no such list. */
static size_t parse_frames(const char *text, size_t *counts)
{
    size_t n = 0;
    while (n < MOST_LENGTHS) {
        char *end;
        const unsigned long count = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || count < LEAST_FRAMES || count > MOST_FRAMES)
            return 0;
        counts[n++] = count;
        if (*end == '\0')
            return n;
        if (*end != ',')
            return 0;
        text = end + 1;
    }
    return 0;
}

/* Noise that comes and goes: a signal without special values, the same each time. */
static float *make_signal(size_t n)
{
    float *samples = malloc(n * sizeof *samples);
    unsigned seed = 1;
    for (size_t i = 0; samples != NULL && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        const double noise = (double)(seed >> 8) / (double)(1 << 23) - 1.0;
        samples[i] = (float)(noise * (0.11 + 0.1 * sin((double)i / 800.0)));
    }
    return samples;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct times {
    double *ms; /* [repeat] */
    double fbank_ms;
};

/* Times vp_clip_embed, and vp_clip_fbank beside it. The first round warms up and is not kept. */
static bool measure(vp_scratch *scratch, const float *samples, size_t n_frames, unsigned repeat,
                    float *embedding, struct times *times)
{
    const size_t n_samples = FRAME_SAMPLES + (n_frames - 1) * HOP_SAMPLES;
    struct vp_clip_info info;
    struct vp_err err;
    double norm;
    if (vp_clip_set_samples(scratch, samples, n_samples, &info, &err) != VP_OK)
        goto failed;
    times->fbank_ms = INFINITY;
    for (unsigned round = 0; round <= repeat; round++) {
        const double start = now_ms();
        if (vp_clip_fbank(scratch, NULL, NULL, &err) != VP_OK)
            goto failed;
        const double middle = now_ms();
        if (vp_clip_embed(scratch, embedding, &norm, &err) != VP_OK)
            goto failed;
        const double end = now_ms();
        times->fbank_ms = fmin(times->fbank_ms, middle - start);
        if (round > 0)
            times->ms[round - 1] = end - middle;
    }
    qsort(times->ms, repeat, sizeof *times->ms, by_size);
    return true;
failed:
    cli_complain("bench", "%zu frames: %s", n_frames, err.message);
    return false;
}

static int bench_all(const struct cli *cli, const size_t *counts, size_t n_counts, size_t longest)
{
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    float *samples = NULL, *embedding = NULL;
    struct times times = {.ms = calloc(cli->repeat, sizeof(double))};
    int status = EXIT_FAILED;
    if (!cli_open_model(cli, &model) || !cli_new_scratch(cli, model, &scratch))
        goto out;
    const struct vp_model_info *info = vp_model_info(model);
    samples = make_signal(FRAME_SAMPLES + longest * HOP_SAMPLES);
    embedding = calloc(info->dim, sizeof *embedding);
    if (samples == NULL || embedding == NULL || times.ms == NULL) {
        cli_complain("bench", "no memory");
        goto out;
    }
    for (size_t i = 0; i < n_counts; i++) {
        if (!measure(scratch, samples, counts[i], cli->repeat, embedding, &times) ||
            !cli_print_json(json_pack("{s:I, s:f, s:f, s:s, s:f, s:i}", "frames",
                                      (json_int_t)counts[i], "min_ms", times.ms[0], "median_ms",
                                      times.ms[cli->repeat / 2], "kernel",
                                      vp_kernel_name(info->kernel), "fbank_ms", times.fbank_ms,
                                      "repeat", (int)cli->repeat)))
            goto out;
    }
    status = EXIT_GOOD;
out:
    free(samples);
    free(embedding);
    free(times.ms);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

static int run(const struct cli *cli)
{
    size_t counts[MOST_LENGTHS], longest = 0;
    const size_t n = parse_frames(cli->frames != NULL ? cli->frames : "98,298", counts);
    if (n == 0 || cli->n_files != 0) {
        cli_complain("bench", "%s; see voiceprint bench --help",
                     n == 0 ? "--frames is a list like 98,298 of 9 to 60000" : "takes no files");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < n; i++)
        longest = counts[i] > longest ? counts[i] : longest;
    struct cli sized = *cli; /* limits that any of the lengths satisfies */
    sized.limits.min_duration_s = 0.105;
    sized.limits.max_duration_s = fmax(1.0, (double)(longest + 2) * HOP_SAMPLES / 16000.0);
    return bench_all(&sized, counts, n, longest);
}

const struct command command_bench = {
    .name = "bench",
    .arguments = "[OPTION...]",
    .summary = "time the network on generated sound, on one thread",
    .help = "A line of JSON for each length: frames, min_ms and median_ms of the network alone,\n"
            "kernel, fbank_ms (the least time for the features), repeat.\n"
            "\n"
            "  --frames N,N,...   lengths in frames of 10 ms (default 98,298)\n"
            "  --repeat N         how often each (default 20)\n"
            "  --model FILE       .onnx or .safetensors\n"
            "  --kernel NAME      auto, blas, avx2, avx512 or neon (default auto)\n",
    .options = " model kernel frames repeat ",
    .run = run,
};
