/*
 * What the commands of `voiceprint` share: options, the model and its default place, complaints.
 *
 * Results go to stdout, complaints and progress to stderr. Exit status: 0 all went well, 1 a file
 * or the model failed, 2 the command line is wrong.
 */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>

#include "diarization.h"
#include "voiceprint.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli {
    const char *command;
    const char *model; /* path as given; NULL: cli_open_model searches */
    enum vp_kernel kernel;
    bool no_normalize;
    unsigned jobs; /* threads */
    const char *list, *out, *frames;
    unsigned repeat;
    struct vp_limits limits;
    struct vp_clip_options clip; /* diarize.accept_damage and .channel say the same */
    bool speech_only;
    const char *uem; /* score */
    double collar_s;
    bool skip_overlap, json;
    struct vp_diarize_options diarize; /* max_duration_s: as --max-duration says, else INFINITY */
    const char *speech, *png;          /* RTTM file; folder for pictures */
    const char *segmentation;          /* model file, "none", or NULL: beside the model */
    const char *transcript;            /* file to be given back with speakers, or NULL */
    bool text;                         /* it, as text */
    bool rttm, embeddings;
    char **files; /* [n_files], the words that are no options */
    size_t n_files;
};

/* A subcommand. `options` names the long options it knows, between spaces. */
struct command {
    const char *name, *arguments, *summary, *help, *options;
    int (*run)(const struct cli *cli); /* returns the exit status */
};
extern const struct command command_embed, command_compare, command_info, command_fbank,
    command_stages, command_bench, command_score, command_segment, command_diarize;

/* Parses argv (argv[0] is the command's name). Returns -1 to go on, else the exit status: after
 * --help, or a complaint. */
int cli_parse(const struct command *command, int argc, char **argv, struct cli *out);

/* Opens --model or the default one. False after a complaint. Returns owned *out. */
bool cli_open_model(const struct cli *cli, vp_model **out);
/* --segmentation, else the network beside the model, to path [n_path]. False: there is none. */
bool cli_find_segmentation(const struct cli *cli, char *path, size_t n_path);
bool cli_new_scratch(const struct cli *cli, const vp_model *model, vp_scratch **out);

/* Reads a file, decodes it into scratch and computes its features: of every frame, or as
 * --speech-only says. False with *err filled. */
bool cli_load_clip(const struct cli *cli, vp_scratch *scratch, const char *path,
                   struct vp_clip_info *info, struct vp_err *err);
bool cli_load_voice(const struct cli *cli, vp_scratch *scratch, const char *path,
                    struct vp_clip_info *info, struct vp_err *err);

/* "voiceprint: WHAT: why" on stderr, on a line of its own even beside a progress bar. */
void cli_complain(const char *what, const char *format, ...) VP_PRINTF(2, 3);

/* One line of JSON on stdout, floats with the nine digits that round-trip float32. Takes json.
 * False when stdout is closed. */
bool cli_print_json(json_t *json);

/* Names of the warning bits, as a JSON list. */
json_t *cli_warnings(unsigned warnings);

/* The places where cli_open_model looks, for --help. */
extern const char cli_model_help[];

#endif
