/* voiceprint compare: the score of two recordings. */
#include <stdlib.h>

#include "cli.h"
#include "names.h"

/* Embedding of unit length and what was found in the recording. */
static bool embed(const struct cli *cli, vp_scratch *scratch, const char *path, size_t dim,
                  float *embedding, json_t **facts)
{
    struct vp_clip_info info;
    struct vp_err err;
    double norm, unit;
    if (!cli_load_voice(cli, scratch, path, &info, &err) ||
        vp_clip_embed(scratch, embedding, &norm, &err) != VP_OK ||
        vp_embedding_normalize(embedding, dim, &unit, &err) != VP_OK) {
        cli_complain(path, "%s", err.message);
        return false;
    }
    *facts = json_pack("{s:o, s:f, s:I, s:f, s:f, s:f, s:o}", "file", name_json(path), "norm", norm,
                       "frames", (json_int_t)info.n_frames, "duration_s", info.duration_s,
                       "speech_s", info.speech_s, "embedded_s", info.embedded_s, "warnings",
                       cli_warnings(info.warnings));
    return true;
}

static bool print_score(const struct vp_model_info *model, double cosine, json_t *a, json_t *b)
{
    json_t *threshold = json_null(), *same = json_null(), *calibrated = json_null();
    if (model->has_threshold) {
        threshold = json_real(model->threshold);
        same = json_boolean(cosine >= model->threshold);
    }
    if (model->has_calibration) {
        double llr, p;
        vp_calibrate(model->slope, model->offset, cosine, &llr, &p);
        calibrated = json_pack("{s:f, s:f}", "llr", llr, "p", p);
    }
    json_t *answer = json_pack("{s:f, s:s, s:o, s:o, s:o, s:o, s:o}", "score", cosine, "metric",
                               "cosine", "threshold", threshold, "same_speaker", same, "calibrated",
                               calibrated, "a", a, "b", b);
    if (answer != NULL && model->untrained)
        json_object_set_new(answer, "untrained", json_true());
    return cli_print_json(answer);
}

static int run(const struct cli *cli)
{
    if (cli->n_files != 2) {
        cli_complain("compare", "two recordings are needed; see voiceprint compare --help");
        return EXIT_USAGE;
    }
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    float *embeddings = NULL;
    json_t *facts[2] = {NULL, NULL};
    int status = EXIT_FAILED;
    if (!cli_open_model(cli, &model) || !cli_new_scratch(cli, model, &scratch))
        goto out;
    const struct vp_model_info *info = vp_model_info(model);
    embeddings = calloc(2 * info->dim, sizeof *embeddings);
    if (embeddings == NULL) {
        cli_complain("compare", "no memory");
        goto out;
    }
    /* both are tried, so that both complaints are seen */
    const bool first = embed(cli, scratch, cli->files[0], info->dim, embeddings, &facts[0]);
    const bool second =
        embed(cli, scratch, cli->files[1], info->dim, embeddings + info->dim, &facts[1]);
    if (!first || !second)
        goto out;
    if (print_score(info, vp_cosine(embeddings, embeddings + info->dim, info->dim), facts[0],
                    facts[1]))
        status = EXIT_GOOD;
    facts[0] = facts[1] = NULL; /* taken */
out:
    json_decref(facts[0]);
    json_decref(facts[1]);
    free(embeddings);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

const struct command command_compare = {
    .name = "compare",
    .arguments = "[OPTION...] FILE FILE",
    .summary = "print how alike the voices of two recordings are",
    .help = "One line of JSON: score (cosine, -1 to 1), threshold and same_speaker, calibrated\n"
            "(llr, and p at even prior odds), the last three null unless the model brings them;\n"
            "and norm, frames, duration_s, speech_s, embedded_s and warnings of each recording.\n"
            "\n"
            "  --model FILE       .onnx or .safetensors\n"
            "  --kernel NAME      auto, blas, avx2, avx512 or neon (default auto)\n"
            "  --min-duration S   refuse shorter ones (default 0.5, at least 0.105)\n"
            "  --max-duration S   refuse longer ones (default 60)\n"
            "  --truncate         take the first max-duration seconds of longer ones instead\n"
            "  --on-damage WORD   accept: answer however much of a recording is missing (refuse)\n"
            "  --channel WORD     left, right or a number: take this channel of recordings that\n"
            "                     have several, not the mean of all (mix)\n"
            "  --speech-only WORD false: pauses count too (true: leave long ones out where\n"
            "                     less than 80 % of a recording is speech)\n",
    .options = " model kernel min-duration max-duration truncate on-damage channel "
               "speech-only ",
    .run = run,
};
