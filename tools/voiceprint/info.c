/* voiceprint info: what the model is, and whether it answers as it must. */
#include <stdio.h>

#include "cli.h"

static json_t *sizes(const size_t *values, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)values[i]));
    return list;
}

static json_t *describe(const struct vp_model_info *info)
{
    json_t *threshold = info->has_threshold ? json_real(info->threshold) : json_null();
    json_t *calibration = info->has_calibration ? json_pack("{s:f, s:f}", "slope", info->slope,
                                                            "offset", info->offset)
                                                : json_null();
    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s, s:b, s:I, s:I, s:i, s:o, s:o, s:I, s:I, s:o, "
        "s:o, s:s, s:s, s:s}",
        "model", info->name, "model_digest", info->digest, "license", info->license, "origin",
        info->origin, "format", info->format, "network", info->network, "front_end",
        info->front_end, "untrained", info->untrained, "dim", (json_int_t)info->dim, "n_mels",
        (json_int_t)info->n_mels, "sample_rate", (int)info->sample_rate_hz, "blocks",
        sizes(info->blocks, info->n_stages), "channels", sizes(info->channels, info->n_stages),
        "parameters", (json_int_t)info->n_parameters, "weights_bytes",
        (json_int_t)info->weights_bytes, "threshold", threshold, "calibration", calibration,
        "kernel", vp_kernel_name(info->kernel), "blas", info->blas, "blas_core", info->blas_core);
}

static int run(const struct cli *cli)
{
    if (cli->n_files != 0) {
        cli_complain("info", "takes no recordings; see voiceprint info --help");
        return EXIT_USAGE;
    }
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    int status = EXIT_FAILED;
    if (!cli_open_model(cli, &model) || !cli_new_scratch(cli, model, &scratch))
        goto out;
    struct vp_self_test test = {0};
    struct vp_err err;
    const bool passed = vp_model_self_test(scratch, &test, &err) == VP_OK;
    if (!passed)
        cli_complain("self-test", "%s", err.message);
    json_t *answer = describe(vp_model_info(model));
    if (answer != NULL) {
        json_object_set_new(answer, "self_test",
                            json_pack("{s:b, s:o, s:f}", "passed", passed, "cosine",
                                      test.has_reference ? json_real(test.cosine) : json_null(),
                                      "norm", test.norm));
        json_object_set_new(answer, "scratch_bytes",
                            json_integer((json_int_t)vp_scratch_bytes(scratch)));
    }
    if (cli_print_json(answer) && passed)
        status = EXIT_GOOD;
out:
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[OPTION...]",
    .summary = "print what the model is, the kernel in use, and the self-test's result",
    .help = "One line of JSON. Exit status 1 when the self-test fails.\n"
            "\n"
            "  --model FILE       .onnx or .safetensors\n"
            "  --kernel NAME      auto, blas, avx2, avx512 or neon (default auto)\n"
            "  --max-duration S   longest recording, which sizes a worker (default 60)\n",
    .options = " model kernel max-duration ",
    .run = run,
};
