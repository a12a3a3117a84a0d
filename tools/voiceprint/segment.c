/* voiceprint segment: what a segmentation network says of a recording, as a NumPy array. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "diarization.h"
#include "npy_write.h"

#define HOP 16000u /* samples from window to window, as diarize has them */

/* Windows of samples [n], the last one padded, to log_probs, which is owned by the caller. */
static enum vp_status run_windows(const vp_segmentation *segmentation, const float *samples,
                                  size_t n, float **log_probs, size_t *n_windows,
                                  struct vp_err *err)
{
    const size_t beyond = n > VP_SEGMENTATION_SAMPLES ? n - VP_SEGMENTATION_SAMPLES : 0;
    const size_t n_values = VP_SEGMENTATION_FRAMES * VP_SEGMENTATION_CLASSES;
    *n_windows = 1 + (beyond + HOP - 1) / HOP;
    *log_probs = calloc(*n_windows, n_values * sizeof **log_probs);
    float *window = calloc(VP_SEGMENTATION_SAMPLES, sizeof *window);
    if (*log_probs == NULL || window == NULL)
        abort(); /* some megabytes */
    enum vp_status status = VP_OK;
    for (size_t w = 0; w < *n_windows && status == VP_OK; w++) {
        const size_t left = n - w * HOP;
        const size_t held = left < VP_SEGMENTATION_SAMPLES ? left : VP_SEGMENTATION_SAMPLES;
        memset(window, 0, VP_SEGMENTATION_SAMPLES * sizeof *window);
        memcpy(window, samples + w * HOP, held * sizeof *window);
        status = vp_segmentation_run(segmentation, window, *log_probs + w * n_values, err);
    }
    free(window);
    return status;
}

static int run(const struct cli *cli)
{
    if (cli->n_files != 1 || cli->out == NULL || cli->segmentation == NULL) {
        cli_complain("segment",
                     "one recording, --segmentation and --out are needed; see voiceprint "
                     "segment --help");
        return EXIT_USAGE;
    }
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    vp_segmentation *segmentation = NULL;
    float *log_probs = NULL;
    struct vp_clip_info info;
    struct vp_err err;
    size_t n, n_windows;
    int status = EXIT_FAILED;
    if (vp_segmentation_open(cli->segmentation, cli->kernel, &segmentation, &err) != VP_OK) {
        cli_complain(cli->segmentation, "%s", err.message);
        goto out;
    }
    if (!cli_open_model(cli, &model) || !cli_new_scratch(cli, model, &scratch))
        goto out;
    if (!cli_load_clip(cli, scratch, cli->files[0], &info, &err)) {
        cli_complain(cli->files[0], "%s", err.message);
        goto out;
    }
    const float *samples = vp_clip_samples(scratch, &n);
    if (run_windows(segmentation, samples, n, &log_probs, &n_windows, &err) != VP_OK) {
        cli_complain(cli->files[0], "%s", err.message);
        goto out;
    }
    const size_t shape[3] = {n_windows, VP_SEGMENTATION_FRAMES, VP_SEGMENTATION_CLASSES};
    if (npy_write(cli->out, log_probs, shape, 3))
        status = EXIT_GOOD;
    else
        cli_complain(cli->out, "%s", strerror(errno));
out:
    free(log_probs);
    vp_scratch_free(scratch);
    vp_model_free(model);
    vp_segmentation_free(segmentation);
    return status;
}

const struct command command_segment = {
    .name = "segment",
    .arguments = "[OPTION...] FILE --segmentation FILE --out FILE.npy",
    .summary = "write what a segmentation network says of a recording as a NumPy array",
    .help = "float32 [windows, 589, 7]: log-probabilities of {}, {0}, {1}, {2}, {0,1}, {0,2},\n"
            "{1,2} for each frame of windows of 10 s, 1 s apart, the last one padded.\n"
            "\n"
            "  --segmentation FILE\n"
            "                     the network, .onnx or .safetensors\n"
            "  --out FILE.npy     where to\n"
            "  --model FILE       an embedding model; it computes nothing here\n"
            "  --max-duration S   refuse longer ones (default 60)\n",
    .options = " segmentation out model max-duration ",
    .run = run,
};
