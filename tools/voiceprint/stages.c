/* voiceprint stages: what each stage of the network gives, as NumPy arrays. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "npy_write.h"

#define MOST_STAGES 16u

/* Output of one stage, gathered frame by frame. */
struct stage {
    char name[32];
    size_t n_channels, n_freq, n_frames, capacity; /* in frames */
    float *frames;                                 /* owned, [n_frames, n_channels, n_freq] */
};

struct stages {
    struct stage stages[MOST_STAGES];
    size_t n;
    bool failed;
};

static struct stage *find(struct stages *all, const char *name, size_t n_channels, size_t n_freq)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->stages[i].name, name) == 0)
            return &all->stages[i];
    if (all->n == MOST_STAGES)
        return NULL;
    struct stage *stage = &all->stages[all->n++];
    snprintf(stage->name, sizeof stage->name, "%s", name);
    stage->n_channels = n_channels;
    stage->n_freq = n_freq;
    return stage;
}

static void on_frame(void *ctx, const char *name, size_t n_channels, size_t n_freq, size_t t,
                     const float *frame)
{
    struct stages *all = ctx;
    struct stage *stage = find(all, name, n_channels, n_freq);
    if (stage == NULL || stage->n_channels != n_channels || stage->n_freq != n_freq)
        goto failed;
    const size_t n = n_channels * n_freq;
    if (t >= stage->capacity) {
        const size_t capacity = t < 32 ? 64 : 2 * t;
        float *larger = realloc(stage->frames, capacity * n * sizeof *larger);
        if (larger == NULL)
            goto failed;
        stage->frames = larger;
        stage->capacity = capacity;
    }
    memcpy(stage->frames + t * n, frame, n * sizeof *frame);
    if (t >= stage->n_frames)
        stage->n_frames = t + 1;
    return;
failed:
    all->failed = true;
}

static bool write_array(const char *folder, const char *name, const float *data,
                        const size_t *shape, size_t n_dims)
{
    char path[PATH_MAX];
    const int n = snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    errno = ENAMETOOLONG;
    if (n > 0 && (size_t)n < sizeof path && npy_write(path, data, shape, n_dims))
        return true;
    cli_complain(path, "%s", strerror(errno));
    return false;
}

/* [T, C, F] -> C, F, T on disk; a stage without time (pooled, embedding) -> [C]. */
static bool write_stage(const char *folder, const struct stage *stage)
{
    const size_t n_rows = stage->n_channels * stage->n_freq, n_frames = stage->n_frames;
    const bool timeless =
        strcmp(stage->name, "pooled") == 0 || strcmp(stage->name, "embedding") == 0;
    if (timeless)
        return write_array(folder, stage->name, stage->frames, &n_rows, 1);
    float *turned = malloc(n_rows * n_frames * sizeof *turned);
    if (turned == NULL) {
        cli_complain(stage->name, "no memory");
        return false;
    }
    for (size_t t = 0; t < n_frames; t++)
        for (size_t row = 0; row < n_rows; row++)
            turned[row * n_frames + t] = stage->frames[t * n_rows + row];
    const size_t shape[3] = {stage->n_channels, stage->n_freq, n_frames};
    const bool written = write_array(folder, stage->name, turned, shape, 3);
    free(turned);
    return written;
}

static bool compute(const struct cli *cli, const vp_model *model, vp_scratch *scratch,
                    struct stages *all)
{
    const struct vp_model_info *facts = vp_model_info(model);
    struct vp_clip_info info;
    struct vp_err err;
    const float *features;
    size_t n_frames;
    double norm;
    float *embedding = calloc(facts->dim, sizeof *embedding);
    bool good = embedding != NULL && cli_load_clip(cli, scratch, cli->files[0], &info, &err) &&
                vp_clip_fbank(scratch, &features, &n_frames, &err) == VP_OK;
    if (good) {
        const size_t shape[2] = {n_frames, facts->n_mels};
        if (!write_array(cli->out, "fbank", features, shape, 2)) {
            free(embedding);
            return false;
        }
        good = vp_clip_embed_tapped(scratch, on_frame, all, embedding, &norm, &err) == VP_OK;
    }
    if (!good || all->failed)
        cli_complain(cli->files[0], "%s",
                     embedding == NULL || all->failed ? "no memory for its stages" : err.message);
    free(embedding);
    return good && !all->failed;
}

static int run(const struct cli *cli)
{
    if (cli->n_files != 1 || cli->out == NULL) {
        cli_complain("stages", "one recording and --out are needed; see voiceprint stages --help");
        return EXIT_USAGE;
    }
    if (mkdir(cli->out, 0777) != 0 && errno != EEXIST) {
        cli_complain(cli->out, "%s", strerror(errno));
        return EXIT_FAILED;
    }
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    struct stages all = {.n = 0};
    bool good = cli_open_model(cli, &model) && cli_new_scratch(cli, model, &scratch) &&
                compute(cli, model, scratch, &all);
    for (size_t i = 0; i < all.n; i++) {
        good = good && write_stage(cli->out, &all.stages[i]);
        free(all.stages[i].frames);
    }
    vp_scratch_free(scratch);
    vp_model_free(model);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

const struct command command_stages = {
    .name = "stages",
    .arguments = "[OPTION...] FILE --out FOLDER",
    .summary = "write the output of each stage of the network as NumPy arrays",
    .help = "fbank.npy [T, 80]; conv1.npy and layer1.npy to layer4.npy [C, F, T]; pooled.npy\n"
            "[2 C F]; embedding.npy [dim], not normalised.\n"
            "\n"
            "  --out FOLDER       where to; made when it is not there\n"
            "  --model FILE       .onnx or .safetensors\n"
            "  --kernel NAME      auto, blas, avx2, avx512 or neon (default auto)\n"
            "  --min-duration S   refuse shorter ones (default 0.5, at least 0.105)\n"
            "  --max-duration S   refuse longer ones (default 60)\n"
            "  --truncate         take the first max-duration seconds of longer ones instead\n"
            "  --on-damage WORD   accept: answer however much of a recording is missing (refuse)\n",
    .options = " model kernel out min-duration max-duration truncate on-damage ",
    .run = run,
};
