/* Options, model, complaints. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_bytes.h"

const char cli_model_help[] =
    "The model: --model, else $VOICEPRINT_MODEL, else the first that exists of\n"
    "  models/voiceprint.safetensors beside the build folder of this program,\n"
    "  models/voiceprint.safetensors here,\n"
    "  share/voiceprintd/voiceprint.safetensors beside the bin folder of this program,\n"
    "  build/models/untrained.safetensors of this program (random weights, and it says so).\n";

enum option_id {
    OPTION_HELP = 1,
    OPTION_MODEL,
    OPTION_KERNEL,
    OPTION_NO_NORMALIZE,
    OPTION_JOBS,
    OPTION_LIST,
    OPTION_OUT,
    OPTION_FRAMES,
    OPTION_REPEAT,
    OPTION_MIN_DURATION,
    OPTION_MAX_DURATION,
    OPTION_TRUNCATE,
    OPTION_ON_DAMAGE,
    OPTION_SPEECH_ONLY,
    OPTION_CHANNEL,
    OPTION_UEM,
    OPTION_COLLAR,
    OPTION_SKIP_OVERLAP,
    OPTION_JSON,
    OPTION_RTTM,
    OPTION_TABLE,
    OPTION_EMBEDDINGS,
    OPTION_NUM_SPEAKERS,
    OPTION_MIN_SPEAKERS,
    OPTION_MAX_SPEAKERS,
    OPTION_THRESHOLD,
    OPTION_ENGINE,
    OPTION_MIN_ON,
    OPTION_MIN_OFF,
    OPTION_SPEECH,
    OPTION_SEGMENTATION,
    OPTION_PNG,
    OPTION_TRANSCRIPT,
    OPTION_TEXT
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"model", required_argument, NULL, OPTION_MODEL},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"no-normalize", no_argument, NULL, OPTION_NO_NORMALIZE},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"list", required_argument, NULL, OPTION_LIST},
    {"out", required_argument, NULL, OPTION_OUT},
    {"frames", required_argument, NULL, OPTION_FRAMES},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"min-duration", required_argument, NULL, OPTION_MIN_DURATION},
    {"max-duration", required_argument, NULL, OPTION_MAX_DURATION},
    {"truncate", no_argument, NULL, OPTION_TRUNCATE},
    {"on-damage", required_argument, NULL, OPTION_ON_DAMAGE},
    {"speech-only", required_argument, NULL, OPTION_SPEECH_ONLY},
    {"channel", required_argument, NULL, OPTION_CHANNEL},
    {"uem", required_argument, NULL, OPTION_UEM},
    {"collar", required_argument, NULL, OPTION_COLLAR},
    {"skip-overlap", no_argument, NULL, OPTION_SKIP_OVERLAP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"rttm", no_argument, NULL, OPTION_RTTM},
    {"table", no_argument, NULL, OPTION_TABLE},
    {"embeddings", no_argument, NULL, OPTION_EMBEDDINGS},
    {"num-speakers", required_argument, NULL, OPTION_NUM_SPEAKERS},
    {"min-speakers", required_argument, NULL, OPTION_MIN_SPEAKERS},
    {"max-speakers", required_argument, NULL, OPTION_MAX_SPEAKERS},
    {"threshold", required_argument, NULL, OPTION_THRESHOLD},
    {"engine", required_argument, NULL, OPTION_ENGINE},
    {"min-on", required_argument, NULL, OPTION_MIN_ON},
    {"min-off", required_argument, NULL, OPTION_MIN_OFF},
    {"speech", required_argument, NULL, OPTION_SPEECH},
    {"segmentation", required_argument, NULL, OPTION_SEGMENTATION},
    {"png", required_argument, NULL, OPTION_PNG},
    {"transcript", required_argument, NULL, OPTION_TRANSCRIPT},
    {"text", no_argument, NULL, OPTION_TEXT},
    {NULL, 0, NULL, 0},
};

void cli_complain(const char *what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flockfile(stderr);
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr); /* over the progress bar */
    fprintf(stderr, "voiceprint: %s: ", what);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}

/* ---- options -------------------------------------------------------------------------------- */

static bool parse_count(const char *text, unsigned most, unsigned *out)
{
    char *end;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < 1 || value > most)
        return false;
    *out = (unsigned)value;
    return true;
}

static bool parse_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static bool parse_not_negative(const char *text, double *out)
{
    return parse_number(text, out) && *out >= 0.0;
}

static bool parse_seconds(const char *text, double *out)
{
    return parse_not_negative(text, out) && *out > 0.0;
}

static bool parse_diarize_option(int id, const char *value, struct cli *out)
{
    struct vp_diarize_options *diarize = &out->diarize;
    switch (id) {
    case OPTION_RTTM:
        out->rttm = true;
        return true;
    case OPTION_TABLE:
        out->json = out->rttm = false;
        return true;
    case OPTION_EMBEDDINGS:
        out->embeddings = true;
        return true;
    case OPTION_NUM_SPEAKERS:
        return parse_count(value, VP_DIARIZE_MAX_SPEAKERS, &diarize->num_speakers);
    case OPTION_MIN_SPEAKERS:
        return parse_count(value, VP_DIARIZE_MAX_SPEAKERS, &diarize->min_speakers);
    case OPTION_MAX_SPEAKERS:
        return parse_count(value, VP_DIARIZE_MAX_SPEAKERS, &diarize->max_speakers);
    case OPTION_THRESHOLD:
        return parse_number(value, &diarize->threshold);
    case OPTION_ENGINE:
        return vp_diarize_engine_parse(value, &diarize->engine);
    case OPTION_MIN_ON:
        return parse_not_negative(value, &diarize->min_on_s);
    case OPTION_MIN_OFF:
        return parse_not_negative(value, &diarize->min_off_s);
    case OPTION_SEGMENTATION:
        out->segmentation = value;
        return true;
    case OPTION_SPEECH:
        out->speech = value;
        return true;
    case OPTION_PNG:
        out->png = value;
        return true;
    case OPTION_TRANSCRIPT:
        out->transcript = value;
        return true;
    case OPTION_TEXT:
        out->text = true;
        return true;
    default:
        return false;
    }
}

static bool parse_option(int id, const char *value, struct cli *out)
{
    switch (id) {
    case OPTION_MODEL:
        out->model = value;
        return true;
    case OPTION_KERNEL:
        return vp_kernel_parse(value, &out->kernel);
    case OPTION_NO_NORMALIZE:
        out->no_normalize = true;
        return true;
    case OPTION_JOBS:
        return parse_count(value, 256, &out->jobs);
    case OPTION_LIST:
        out->list = value;
        return true;
    case OPTION_OUT:
        out->out = value;
        return true;
    case OPTION_FRAMES:
        out->frames = value;
        return true;
    case OPTION_REPEAT:
        return parse_count(value, 1000000, &out->repeat);
    case OPTION_MIN_DURATION:
        return parse_seconds(value, &out->limits.min_duration_s);
    case OPTION_MAX_DURATION:
        if (!parse_seconds(value, &out->limits.max_duration_s))
            return false;
        out->diarize.max_duration_s = out->limits.max_duration_s;
        return true;
    case OPTION_TRUNCATE:
        out->limits.truncate = true;
        return true;
    case OPTION_ON_DAMAGE:
        out->clip.accept_damage = out->diarize.accept_damage = strcmp(value, "accept") == 0;
        return out->clip.accept_damage || strcmp(value, "refuse") == 0;
    case OPTION_SPEECH_ONLY:
        out->speech_only = strcmp(value, "true") == 0;
        return out->speech_only || strcmp(value, "false") == 0;
    case OPTION_CHANNEL: /* to take split is for diarize alone */
        if (!vp_channel_parse(value, &out->clip.channel))
            return false;
        out->diarize.channel = out->clip.channel;
        return out->clip.channel != VP_CHANNEL_SPLIT || strcmp(out->command, "diarize") == 0;
    case OPTION_UEM:
        out->uem = value;
        return true;
    case OPTION_COLLAR:
        return parse_not_negative(value, &out->collar_s) && out->collar_s <= 1000;
    case OPTION_SKIP_OVERLAP:
        out->skip_overlap = true;
        return true;
    case OPTION_JSON:
        out->json = true;
        return true;
    default:
        return parse_diarize_option(id, value, out);
    }
}

static void print_help(const struct command *command)
{
    printf("usage: voiceprint %s %s\n\n%s.\n\n%s", command->name, command->arguments,
           command->summary, command->help);
    if (strstr(command->options, " model ") != NULL)
        printf("\n%s", cli_model_help);
}

int cli_parse(const struct command *command, int argc, char **argv, struct cli *out)
{
    *out = (struct cli){.command = command->name, .jobs = 1, .repeat = 20, .speech_only = true};
    vp_limits_default(&out->limits);
    vp_diarize_options_default(&out->diarize);
    out->diarize.max_duration_s = INFINITY;
    optind = 0; /* glibc: start over */
    opterr = 0; /* our own complaint is clearer */
    int id, which = 0;
    while ((id = getopt_long(argc, argv, "ho:", long_options, &which)) != -1) {
        if (id == 'h' || id == OPTION_HELP) {
            print_help(command);
            return EXIT_GOOD;
        }
        if (id == '?') {
            cli_complain(command->name,
                         "%s: no such option, or its value is missing; see "
                         "voiceprint %s --help",
                         argv[optind - 1], command->name);
            return EXIT_USAGE;
        }
        if (id == 'o') { /* short for --out */
            id = OPTION_OUT;
            for (which = 0; long_options[which].val != id;)
                which++;
        }
        char name[32];
        snprintf(name, sizeof name, " %s ", long_options[which].name);
        if (strstr(command->options, name) == NULL) {
            cli_complain(command->name, "--%s is not for this command; see voiceprint %s --help",
                         long_options[which].name, command->name);
            return EXIT_USAGE;
        }
        if (!parse_option(id, optarg, out)) {
            cli_complain(command->name, "--%s cannot be '%s'; see voiceprint %s --help",
                         long_options[which].name, optarg, command->name);
            return EXIT_USAGE;
        }
    }
    out->files = argv + optind;
    out->n_files = (size_t)(argc - optind);
    return -1;
}

/* ---- model ---------------------------------------------------------------------------------- */

/* The folder `up` levels above this program's own file. */
static bool beside_program(unsigned up, const char *rest, char *path, size_t size)
{
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return false;
    program[n] = '\0';
    for (unsigned level = 0; level <= up; level++) {
        char *slash = strrchr(program, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
    const int length = snprintf(path, size, "%s/%s", program, rest);
    return length > 0 && (size_t)length < size && access(path, R_OK) == 0;
}

static bool find_model(const struct cli *cli, char *path, size_t size)
{
    static const char shipped[] = "models/voiceprint.safetensors";
    const char *named = cli->model != NULL ? cli->model : getenv("VOICEPRINT_MODEL");
    if (named != NULL && named[0] != '\0')
        return (size_t)snprintf(path, size, "%s", named) < size;
    if (beside_program(2, shipped, path, size)) /* build/release/voiceprint */
        return true;
    snprintf(path, size, "%s", shipped);
    if (access(path, R_OK) == 0)
        return true;
    /* PREFIX/bin/voiceprint, whatever PREFIX is, and build/release/voiceprint */
    return beside_program(1, "share/voiceprintd/voiceprint.safetensors", path, size) ||
           beside_program(1, "models/untrained.safetensors", path, size);
}

bool cli_open_model(const struct cli *cli, vp_model **out)
{
    char path[PATH_MAX];
    struct vp_err err;
    if (!find_model(cli, path, sizeof path)) {
        cli_complain(cli->command, "no model found; name one with --model, or run `make model` "
                                   "or `make untrained`");
        return false;
    }
    if (vp_model_open(path, cli->kernel, out, &err) != VP_OK) {
        cli_complain(path, "%s", err.message);
        return false;
    }
    return true;
}

bool cli_find_segmentation(const struct cli *cli, char *path, size_t n_path)
{
    char model[PATH_MAX];
    if (cli->segmentation != NULL)
        return strcmp(cli->segmentation, "none") != 0 &&
               (size_t)snprintf(path, n_path, "%s", cli->segmentation) < n_path;
    return find_model(cli, model, sizeof model) && vp_segmentation_beside(model, path, n_path);
}

bool cli_new_scratch(const struct cli *cli, const vp_model *model, vp_scratch **out)
{
    struct vp_err err;
    if (vp_scratch_new(model, &cli->limits, out, &err) == VP_OK)
        return true;
    cli_complain(cli->command, "%s", err.message);
    return false;
}

static bool decode_file(const struct cli *cli, vp_scratch *scratch, const char *path,
                        struct vp_clip_info *info, struct vp_err *err)
{
    struct file_bytes file;
    if (!file_bytes_read(path, &file, err))
        return false;
    enum vp_status status = vp_clip_decode(scratch, &cli->clip, file.bytes, file.n, info, err);
    file_bytes_free(&file);
    return status == VP_OK;
}

bool cli_load_clip(const struct cli *cli, vp_scratch *scratch, const char *path,
                   struct vp_clip_info *info, struct vp_err *err)
{
    return decode_file(cli, scratch, path, info, err) &&
           vp_clip_fbank(scratch, NULL, NULL, err) == VP_OK;
}

bool cli_load_voice(const struct cli *cli, vp_scratch *scratch, const char *path,
                    struct vp_clip_info *info, struct vp_err *err)
{
    return decode_file(cli, scratch, path, info, err) &&
           vp_clip_speech(scratch, cli->speech_only, info, err) == VP_OK &&
           vp_clip_fbank(scratch, NULL, NULL, err) == VP_OK;
}

/* ---- results -------------------------------------------------------------------------------- */

bool cli_print_json(json_t *json)
{
    const bool printed = json != NULL &&
                         json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
                         putchar('\n') != EOF && fflush(stdout) == 0;
    json_decref(json);
    if (!printed)
        cli_complain("stdout", "cannot be written to");
    return printed;
}

json_t *cli_warnings(unsigned warnings)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        if (warnings & 1u << i)
            json_array_append_new(list, json_string(vp_warning_name(i)));
    return list;
}
