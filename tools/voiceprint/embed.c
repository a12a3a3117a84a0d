/* voiceprint embed: one JSON line for each recording, in the order given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inputs.h"
#include "names.h"
#include "pool.h"
#include "progress.h"

struct batch {
    const struct cli *cli;
    const struct vp_model_info *model;
    const struct inputs *inputs;
    vp_scratch **scratches; /* owned, one a worker */
    float *embeddings;      /* owned, [workers, dim] */
    struct progress progress;
    size_t n_failed;
    bool stdout_closed;
};

/* What became of one recording. */
struct outcome {
    json_t *line; /* owned; NULL when it failed */
    struct vp_err err;
};

static json_t *make_line(const struct batch *batch, const char *path,
                         const struct vp_clip_info *info, const float *embedding, double norm)
{
    json_t *values = json_array();
    for (size_t i = 0; i < batch->model->dim; i++)
        json_array_append_new(values, json_real((double)embedding[i]));
    json_t *line =
        json_pack("{s:o, s:o, s:f, s:I, s:f, s:f, s:f, s:o}", "file", name_json(path), "embedding",
                  values, "norm", norm, "frames", (json_int_t)info->n_frames, "duration_s",
                  info->duration_s, "speech_s", info->speech_s, "embedded_s", info->embedded_s,
                  "warnings", cli_warnings(info->warnings));
    if (line != NULL && batch->model->untrained)
        json_object_set_new(line, "untrained", json_true());
    return line;
}

static void *embed_one(void *ctx, unsigned worker, size_t i)
{
    const struct batch *batch = ctx;
    const char *path = batch->inputs->paths[i];
    vp_scratch *scratch = batch->scratches[worker];
    float *embedding = batch->embeddings + worker * batch->model->dim;
    struct outcome *outcome = calloc(1, sizeof *outcome);
    if (outcome == NULL)
        abort(); /* not even a few bytes: nothing can be reported either */
    struct vp_clip_info info;
    double norm, unit;
    if (!cli_load_voice(batch->cli, scratch, path, &info, &outcome->err) ||
        vp_clip_embed(scratch, embedding, &norm, &outcome->err) != VP_OK)
        return outcome;
    if (!batch->cli->no_normalize &&
        vp_embedding_normalize(embedding, batch->model->dim, &unit, &outcome->err) != VP_OK)
        return outcome;
    outcome->line = make_line(batch, path, &info, embedding, norm);
    if (outcome->line == NULL)
        snprintf(outcome->err.message, sizeof outcome->err.message, "no memory for its line");
    return outcome;
}

static bool take_one(void *ctx, size_t i, void *result)
{
    struct batch *batch = ctx;
    struct outcome *outcome = result;
    if (outcome->line == NULL) {
        cli_complain(batch->inputs->paths[i], "%s", outcome->err.message);
        batch->n_failed++;
    } else {
        batch->stdout_closed = !cli_print_json(outcome->line);
    }
    free(outcome);
    progress_show(&batch->progress, i + 1, batch->n_failed);
    return !batch->stdout_closed;
}

static int embed_all(struct batch *batch, const vp_model *model, unsigned n_workers)
{
    static const struct pool_calls calls = {embed_one, take_one};
    int status = EXIT_FAILED;
    batch->scratches = calloc(n_workers, sizeof(vp_scratch *));
    batch->embeddings = calloc((size_t)n_workers * batch->model->dim, sizeof(float));
    if (batch->scratches == NULL || batch->embeddings == NULL) {
        cli_complain("embed", "no memory for %u workers", n_workers);
        goto out;
    }
    for (unsigned w = 0; w < n_workers; w++)
        if (!cli_new_scratch(batch->cli, model, &batch->scratches[w]))
            goto out;
    progress_start(&batch->progress, batch->inputs->n);
    const bool done = pool_run(&calls, batch, batch->inputs->n, n_workers);
    progress_end(&batch->progress);
    if (!done && !batch->stdout_closed)
        cli_complain("embed", "cannot start %u threads", n_workers);
    if (batch->inputs->n > 1 && batch->n_failed > 0)
        cli_complain("embed", "%zu of %zu recordings failed", batch->n_failed, batch->inputs->n);
    status = done && batch->n_failed == 0 ? EXIT_GOOD : EXIT_FAILED;
out:
    for (unsigned w = 0; batch->scratches != NULL && w < n_workers; w++)
        vp_scratch_free(batch->scratches[w]);
    free(batch->scratches);
    free(batch->embeddings);
    return status;
}

static int run(const struct cli *cli)
{
    struct inputs inputs = {0};
    vp_model *model = NULL;
    bool good = cli->list == NULL || inputs_add_list(&inputs, cli->list);
    for (size_t i = 0; i < cli->n_files; i++)
        good = inputs_add(&inputs, cli->files[i]) && good;
    int status = good ? EXIT_GOOD : EXIT_FAILED;
    if (cli->n_files == 0 && cli->list == NULL) {
        cli_complain("embed", "no recordings named; see voiceprint embed --help");
        status = EXIT_USAGE;
    } else if (inputs.n > 0) {
        if (cli_open_model(cli, &model)) {
            struct batch batch = {.cli = cli, .model = vp_model_info(model), .inputs = &inputs};
            const unsigned n_workers = cli->jobs < inputs.n ? cli->jobs : (unsigned)inputs.n;
            const int embedded = embed_all(&batch, model, n_workers);
            status = embedded > status ? embedded : status;
        } else {
            status = EXIT_FAILED;
        }
    }
    vp_model_free(model);
    inputs_free(&inputs);
    return status;
}

const struct command command_embed = {
    .name = "embed",
    .arguments = "[OPTION...] FILE|FOLDER...",
    .summary = "print the speaker embedding of each recording as a line of JSON",
    .help = "Each line: file, embedding, norm (L2, before normalisation), frames, duration_s,\n"
            "speech_s, embedded_s (how much of it the embedding is of), warnings; and untrained "
            "where the model's weights are random. A recording that\n"
            "fails gets a line on stderr while the others go on.\n"
            "\n"
            "  --model FILE       .onnx or .safetensors\n"
            "  --kernel NAME      auto, blas, avx2, avx512 or neon (default auto)\n"
            "  --no-normalize     as the network gives it, not of length 1\n"
            "  --jobs N           threads (default 1); lines stay in order\n"
            "  --list FILE        also the recordings of a list, a path a line; - is stdin\n"
            "  --min-duration S   refuse shorter ones (default 0.5, at least 0.105)\n"
            "  --max-duration S   refuse longer ones (default 60)\n"
            "  --truncate         embed the first max-duration seconds of longer ones instead\n"
            "  --on-damage WORD   accept: answer however much of a recording is missing (refuse)\n"
            "  --channel WORD     left, right or a number: take this channel of recordings that\n"
            "                     have several, not the mean of all (mix)\n"
            "  --speech-only WORD false: pauses count too (true: leave long ones out where\n"
            "                     less than 80 % of a recording is speech)\n",
    .options = " model kernel no-normalize jobs list min-duration max-duration truncate on-damage "
               "channel speech-only ",
    .run = run,
};
