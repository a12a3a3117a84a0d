/* voiceprint fbank: the features of a recording as a NumPy array. */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "npy_write.h"

static int run(const struct cli *cli)
{
    if (cli->n_files != 1 || cli->out == NULL) {
        cli_complain("fbank", "one recording and --out are needed; see voiceprint fbank --help");
        return EXIT_USAGE;
    }
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    int status = EXIT_FAILED;
    if (!cli_open_model(cli, &model) || !cli_new_scratch(cli, model, &scratch))
        goto out;
    struct vp_clip_info info;
    struct vp_err err;
    const float *features;
    size_t n_frames;
    if (!cli_load_clip(cli, scratch, cli->files[0], &info, &err) ||
        vp_clip_fbank(scratch, &features, &n_frames, &err) != VP_OK) {
        cli_complain(cli->files[0], "%s", err.message);
        goto out;
    }
    const size_t shape[2] = {n_frames, vp_model_info(model)->n_mels};
    if (npy_write(cli->out, features, shape, 2))
        status = EXIT_GOOD;
    else
        cli_complain(cli->out, "%s", strerror(errno));
out:
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

const struct command command_fbank = {
    .name = "fbank",
    .arguments = "[OPTION...] FILE --out FILE.npy",
    .summary = "write the log-mel features of a recording, mean removed, as a NumPy array",
    .help = "float32 [frames, 80]: what the network is given.\n"
            "\n"
            "  --out FILE.npy     where to\n"
            "  --model FILE       tells the number of mel bins\n"
            "  --min-duration S   refuse shorter ones (default 0.5, at least 0.105)\n"
            "  --max-duration S   refuse longer ones (default 60)\n"
            "  --truncate         take the first max-duration seconds of longer ones instead\n"
            "  --on-damage WORD   accept: answer however much of a recording is missing (refuse)\n",
    .options = " model out min-duration max-duration truncate on-damage ",
    .run = run,
};
