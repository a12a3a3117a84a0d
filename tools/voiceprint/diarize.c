/* voiceprint diarize: who spoke when, as a table, as RTTM or as JSON. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "der.h"
#include "diarization.h"
#include "diarize_png.h"
#include "diarize_text.h"
#include "file_bytes.h"
#include "inputs.h"
#include "names.h"
#include "pool.h"
#include "transcript.h"

#define SCRATCH_S 10.0 /* what the segmentation engine asks for */

struct batch {
    const struct cli *cli;
    const vp_model *model;
    vp_segmentation *segmentation; /* NULL: none was named */
    const struct inputs *inputs;
    struct vp_rttm speech;     /* of --speech */
    vp_transcript *transcript; /* of --transcript, or NULL: then there is one recording */
    vp_scratch **scratches;    /* owned, one a worker */
    size_t n_failed;
    bool output_failed;
    bool shows_progress;
};

/* What became of one recording. */
struct outcome {
    char *text; /* owned; NULL when it failed */
    struct vp_err err;
};

/* The stretches in which anybody speaks; owned by the caller, NULL without memory. */
static struct vp_span *union_of(const struct vp_rttm_recording *recording, size_t *n)
{
    struct vp_span *spans = calloc(recording->n_turns + 1, sizeof *spans);
    *n = 0;
    if (spans == NULL)
        return NULL;
    double reached_s = -1.0;
    for (;;) { /* the next start that was not reached, then all that touch it */
        struct vp_span span = {.start_s = -1.0};
        for (size_t i = 0; i < recording->n_turns; i++) {
            const struct vp_rttm_turn *turn = &recording->turns[i];
            if (turn->end_s > reached_s && (span.start_s < 0.0 || turn->start_s < span.start_s))
                span = (struct vp_span){turn->start_s, turn->end_s};
        }
        if (span.start_s < 0.0)
            return spans;
        for (bool grown = true; grown;) {
            grown = false;
            for (size_t i = 0; i < recording->n_turns; i++) {
                const struct vp_rttm_turn *turn = &recording->turns[i];
                if (turn->start_s <= span.end_s && turn->end_s > span.end_s) {
                    span.end_s = turn->end_s;
                    grown = true;
                }
            }
        }
        reached_s = span.end_s;
        spans[(*n)++] = span;
    }
}

static void show_progress(const struct batch *batch, const char *path,
                          const struct vp_diarize_progress *progress)
{
    if (!batch->shows_progress)
        return;
    fprintf(stderr, "\r\033[K%3.0f %%  %s  %s", 100.0 * progress->fraction, progress->stage, path);
    fflush(stderr);
}

/* Into a file of the recording's name in --png. */
static bool draw(const struct cli *cli, const char *name, const struct file_bytes *file,
                 const struct vp_diarization_result *result, struct vp_err *err)
{
    const bool splits = cli->diarize.channel == VP_CHANNEL_SPLIT;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.png", cli->png, name);
    return diarize_png(path, file->bytes, file->n, splits ? VP_CHANNEL_MIX : cli->diarize.channel,
                       result, err);
}

/* The transcript with speakers, as it came or as text. Owned, NULL with *err filled. */
static char *label_words(vp_transcript *transcript, bool as_text,
                         const struct vp_diarization_result *result, struct vp_err *err)
{
    char *text = NULL;
    size_t n_chars;
    enum vp_status status =
        vp_transcript_assign(transcript, result->segments, result->n_segments, err);
    if (status == VP_OK)
        status = as_text ? vp_transcript_text(transcript, &text, &n_chars, err)
                         : vp_transcript_write(transcript, &text, &n_chars, err);
    return status == VP_OK ? text : NULL;
}

/* The stretches of --speech for the recording of this name. NULL with *err filled: the file does
 * not name it, and to take it for silent would be a quiet mistake. */
static struct vp_span *find_speech(const struct batch *batch, const char *name, size_t *n,
                                   struct vp_err *err)
{
    const struct vp_rttm_recording *known = vp_rttm_find(&batch->speech, name);
    *err = (struct vp_err){.status = VP_ERR_ARGUMENT};
    if (known == NULL) {
        snprintf(err->message, sizeof err->message,
                 "%.80s has no turns of '%.60s'%s%.60s%s; name the recording in it as its file is "
                 "called, without the ending",
                 batch->cli->speech, name, batch->speech.n_recordings > 0 ? ", but of '" : "",
                 batch->speech.n_recordings > 0 ? batch->speech.recordings[0].name : "",
                 batch->speech.n_recordings > 0 ? "'" : "");
        return NULL;
    }
    struct vp_span *spans = union_of(known, n);
    if (spans == NULL)
        snprintf(err->message, sizeof err->message, "no memory for its stretches of speech");
    return spans;
}

static char *diarize_bytes(struct batch *batch, vp_scratch *scratch, const char *path,
                           const struct file_bytes *file, struct vp_err *err)
{
    struct vp_diarize_options options = batch->cli->diarize;
    char *text = NULL, name[NAME_CHARS];
    struct vp_span *spans = NULL;
    vp_diarization *diarization = NULL;
    name_of(path, name);
    if (batch->cli->speech != NULL) {
        options.speech = spans = find_speech(batch, name, &options.n_speech, err);
        if (spans == NULL)
            return NULL;
    }
    enum vp_status status = vp_diarization_new(batch->model, batch->segmentation, &options,
                                               file->bytes, file->n, &diarization, err);
    struct vp_diarize_progress progress = {0};
    while (status == VP_OK && !progress.done) {
        status = vp_diarization_step(diarization, scratch, &progress, err);
        show_progress(batch, path, &progress);
    }
    if (status == VP_OK && batch->transcript != NULL)
        text = label_words(batch->transcript, batch->cli->text, vp_diarization_result(diarization),
                           err);
    else if (status == VP_OK)
        text = diarize_text(batch->cli, batch->model, batch->segmentation, path, name,
                            vp_diarization_result(diarization), err);
    if (text != NULL && batch->cli->png != NULL &&
        !draw(batch->cli, name, file, vp_diarization_result(diarization), err)) {
        free(text);
        text = NULL;
    }
    vp_diarization_free(diarization);
    free(spans);
    return text;
}

static void *diarize_one(void *ctx, unsigned worker, size_t i)
{
    struct batch *batch = ctx;
    const char *path = batch->inputs->paths[i];
    struct outcome *outcome = calloc(1, sizeof *outcome);
    if (outcome == NULL)
        abort(); /* not even a few bytes: nothing can be reported either */
    struct file_bytes file;
    if (file_bytes_read(path, &file, &outcome->err)) {
        outcome->text = diarize_bytes(batch, batch->scratches[worker], path, &file, &outcome->err);
        file_bytes_free(&file);
    }
    return outcome;
}

/* The text to stdout, or to a file of the recording's name in --out. */
static bool write_text(const struct batch *batch, const char *recording, const char *text)
{
    const struct cli *cli = batch->cli;
    char path[PATH_MAX], name[NAME_CHARS];
    if (cli->out == NULL) {
        if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
            return true;
        cli_complain("stdout", "cannot be written to");
        return false;
    }
    name_of(recording, name);
    const char *extension = batch->transcript == NULL || cli->text
                                ? diarize_extension(cli)
                                : vp_transcript_extension(vp_transcript_form_of(batch->transcript));
    snprintf(path, sizeof path, "%s/%s.%s", cli->out, name, extension);
    FILE *file = fopen(path, "w");
    const bool good = file != NULL && fputs(text, file) != EOF;
    if ((file != NULL && fclose(file) != 0) || !good) {
        cli_complain(path, "cannot be written: %s", strerror(errno));
        return false;
    }
    return true;
}

static bool take_one(void *ctx, size_t i, void *result)
{
    struct batch *batch = ctx;
    struct outcome *outcome = result;
    const char *path = batch->inputs->paths[i];
    if (batch->shows_progress)
        fputs("\r\033[K", stderr);
    if (outcome->text == NULL) {
        cli_complain(path, "%s", outcome->err.message);
        batch->n_failed++;
    } else {
        batch->output_failed = !write_text(batch, path, outcome->text);
    }
    free(outcome->text);
    free(outcome);
    return !batch->output_failed;
}

static int diarize_all(struct batch *batch, unsigned n_workers)
{
    static const struct pool_calls calls = {diarize_one, take_one};
    int status = EXIT_FAILED;
    batch->scratches = calloc(n_workers, sizeof(vp_scratch *));
    if (batch->scratches == NULL) {
        cli_complain("diarize", "no memory for %u workers", n_workers);
        return EXIT_FAILED;
    }
    struct cli sized = *batch->cli; /* a scratch for windows, however long the recordings are */
    vp_limits_default(&sized.limits);
    sized.limits.max_duration_s = SCRATCH_S;
    for (unsigned w = 0; w < n_workers; w++)
        if (!cli_new_scratch(&sized, batch->model, &batch->scratches[w]))
            goto out;
    const bool done = pool_run(&calls, batch, batch->inputs->n, n_workers);
    if (!done && !batch->output_failed)
        cli_complain("diarize", "cannot start %u threads", n_workers);
    if (batch->inputs->n > 1 && batch->n_failed > 0)
        cli_complain("diarize", "%zu of %zu recordings failed", batch->n_failed, batch->inputs->n);
    status = done && batch->n_failed == 0 ? EXIT_GOOD : EXIT_FAILED;
out:
    for (unsigned w = 0; w < n_workers; w++)
        vp_scratch_free(batch->scratches[w]);
    free(batch->scratches);
    return status;
}

static bool read_speech(struct batch *batch)
{
    struct file_bytes file;
    struct vp_err err;
    if (batch->cli->speech == NULL)
        return true;
    const bool good = file_bytes_read(batch->cli->speech, &file, &err) &&
                      vp_rttm_read(file.bytes, file.n, &batch->speech, &err) == VP_OK;
    if (!good)
        cli_complain(batch->cli->speech, "%s", err.message);
    file_bytes_free(&file);
    return good;
}

static bool read_transcript(struct batch *batch)
{
    struct file_bytes file;
    struct vp_err err;
    if (batch->cli->transcript == NULL)
        return true;
    const bool good = file_bytes_read(batch->cli->transcript, &file, &err) &&
                      vp_transcript_read(file.bytes, file.n, &batch->transcript, &err) == VP_OK;
    if (!good)
        cli_complain(batch->cli->transcript, "%s", err.message);
    file_bytes_free(&file);
    return good;
}

/* --transcript and --text go with one recording and with nothing else that is written instead. */
static bool judge_transcript(const struct cli *cli, const struct inputs *inputs)
{
    const char *wrong = NULL;
    if (cli->text && cli->transcript == NULL)
        wrong = "--text is the form of a transcript: name it with --transcript";
    else if (cli->transcript != NULL && (cli->rttm || cli->json))
        wrong = "--transcript gives the transcript back: leave out --rttm and --json";
    else if (cli->transcript != NULL && inputs->n > 1)
        wrong = "--transcript belongs to one recording: name one";
    if (wrong != NULL)
        cli_complain("diarize", "%s", wrong);
    return wrong == NULL;
}

/* Answers that go by the recording's name, into files or as RTTM, must not be taken for another's.
 */
static bool judge_names(const struct cli *cli, const struct inputs *inputs)
{
    const char *a, *b;
    char name[NAME_CHARS];
    if ((cli->out == NULL && cli->png == NULL && !cli->rttm) || !names_collide(inputs, &a, &b))
        return true;
    name_of(a, name);
    cli_complain(b,
                 "its answer and that of %s would both be called '%s'; rename one, or do them "
                 "one at a time",
                 a, name);
    return false;
}

static bool open_segmentation(struct batch *batch)
{
    struct vp_err err;
    char path[PATH_MAX];
    const bool is_needed =
        batch->cli->segmentation != NULL || batch->cli->diarize.engine != VP_DIARIZE_VAD;
    if (!is_needed || !cli_find_segmentation(batch->cli, path, sizeof path) ||
        vp_segmentation_open(path, batch->cli->kernel, &batch->segmentation, &err) == VP_OK)
        return true;
    cli_complain(path, "%s", err.message);
    return false;
}

static bool gather(const struct cli *cli, struct inputs *inputs)
{
    bool good = cli->list == NULL || inputs_add_list(inputs, cli->list);
    for (size_t i = 0; i < cli->n_files; i++)
        good = inputs_add(inputs, cli->files[i]) && good;
    return good;
}

static int run(const struct cli *cli)
{
    struct inputs inputs = {0};
    vp_model *model = NULL;
    struct batch batch = {.cli = cli, .inputs = &inputs};
    if (cli->n_files == 0 && cli->list == NULL) {
        cli_complain("diarize", "no recordings named; see voiceprint diarize --help");
        return EXIT_USAGE;
    }
    int status = gather(cli, &inputs) ? EXIT_GOOD : EXIT_FAILED;
    if (!judge_transcript(cli, &inputs) || !judge_names(cli, &inputs)) {
        inputs_free(&inputs);
        return EXIT_USAGE;
    }
    if (inputs.n > 0) {
        int all = EXIT_FAILED;
        if (read_speech(&batch) && read_transcript(&batch) && open_segmentation(&batch) &&
            cli_open_model(cli, &model)) {
            const unsigned n_workers = cli->jobs < inputs.n ? cli->jobs : (unsigned)inputs.n;
            batch.model = model;
            batch.shows_progress = n_workers == 1 && isatty(STDERR_FILENO);
            all = diarize_all(&batch, n_workers);
        }
        status = all > status ? all : status;
    }
    vp_rttm_free(&batch.speech);
    vp_transcript_free(batch.transcript);
    vp_segmentation_free(batch.segmentation);
    vp_model_free(model);
    inputs_free(&inputs);
    return status;
}

const struct command command_diarize = {
    .name = "diarize",
    .arguments = "[OPTION...] FILE|FOLDER...",
    .summary = "tell who spoke when in recordings of several voices",
    .help =
        "Of each recording a table of turns, in the order given; FILE - is stdin. A recording\n"
        "that fails gets a line on stderr while the others go on.\n"
        "\n"
        "  --rttm, --json     lines of RTTM, or a line of JSON a recording, instead of a table\n"
        "  -o, --out DIR      into DIR/NAME.rttm (.json, .txt) instead of stdout\n"
        "  --png DIR          draw DIR/NAME.png too: the turns over the waveform\n"
        "  --embeddings       with --json: the embedding of each speaker\n"
        "\n"
        "  --num-speakers N   there are so many, 1 to 20\n"
        "  --min-speakers N, --max-speakers N\n"
        "                     there are at least, at most so many\n"
        "  --threshold C      cosine from which two voices are one speaker: higher finds more\n"
        "                     speakers (default: the model's)\n"
        "  --segmentation FILE\n"
        "                     a segmentation network, .onnx or .safetensors, which hears up to\n"
        "                     two voices at once; none: without (default: "
        "segmentation.safetensors\n"
        "                     beside the model, where it is)\n"
        "  --engine NAME      auto, vad or segmentation (default auto: segmentation where its\n"
        "                     network is named)\n"
        "  --min-on S         drop turns below S seconds (default 0.2)\n"
        "  --min-off S        fill pauses below S seconds (default 0.3)\n"
        "  --speech FILE      where there is speech, from the turns of an RTTM file, instead of\n"
        "                     detecting it; one that does not name a recording is an error\n"
        "\n"
        "  --transcript FILE  give this transcript of the recording back instead, with a speaker\n"
        "                     for each word or segment: JSON of Whisper, whisper.cpp or OpenAI's\n"
        "                     verbose_json, WebVTT, SRT or CTM, in its own form\n"
        "  --text             the same as text, a line each time another speaker begins\n"
        "\n"
        "  --model FILE       .onnx or .safetensors\n"
        "  --kernel NAME      auto, blas, avx2, avx512 or neon (default auto)\n"
        "  --jobs N           recordings at a time (default 1); the output stays in order\n"
        "  --list FILE        also the recordings of a list, a path a line; - is stdin\n"
        "  --max-duration S   refuse longer ones (default: no limit)\n"
        "  --on-damage WORD   accept: answer however much of a recording is missing (refuse)\n"
        "  --channel WORD     left, right or a number: hear this channel alone, not all of them\n"
        "                     mixed (mix); split: each by itself, where parties have a channel "
        "each\n",
    .options =
        " rttm json table out png embeddings num-speakers min-speakers max-speakers threshold "
        "engine min-on min-off speech segmentation transcript text model kernel jobs list "
        "max-duration on-damage channel ",
    .run = run,
};
