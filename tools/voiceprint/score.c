/* voiceprint score: the diarization error rate of RTTM against RTTM. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "der.h"
#include "file_bytes.h"
#include "names.h"

struct score {
    const struct cli *cli;
    struct vp_rttm reference, hypothesis, uem;
    struct vp_der sum;
    size_t n_scored;
    int name_width;
};

typedef enum vp_status (*read_lines)(const void *, size_t, struct vp_rttm *, struct vp_err *);

static bool read_file(const char *path, read_lines read, struct vp_rttm *out)
{
    struct file_bytes file;
    struct vp_err err;
    const bool good =
        file_bytes_read(path, &file, &err) && read(file.bytes, file.n, out, &err) == VP_OK;
    if (!good)
        cli_complain(path, "%s", err.message);
    file_bytes_free(&file);
    return good;
}

static void print_heading(const struct score *score)
{
    printf("%-*s  %8s %8s %8s %8s %10s  %s\n", score->name_width, "recording", "DER %", "miss %",
           "false %", "conf. %", "speech s", "speakers");
}

static void print_row(const struct score *score, const char *name, const struct vp_der *der,
                      bool with_speakers)
{
    const double percent = der->total_s > 0 ? 100 / der->total_s : 0;
    printf("%-*s  %8.2f %8.2f %8.2f %8.2f %10.3f", score->name_width, name, 100 * vp_der_rate(der),
           percent * der->miss_s, percent * der->false_alarm_s, percent * der->confusion_s,
           der->total_s);
    if (with_speakers)
        printf("  %zu of %zu", der->n_speakers_hypothesis, der->n_speakers_reference);
    putchar('\n');
}

static json_t *facts(const struct vp_der *der)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "der", vp_der_rate(der), "miss_s", der->miss_s,
                     "false_alarm_s", der->false_alarm_s, "confusion_s", der->confusion_s,
                     "speech_s", der->total_s);
}

static bool print_json(const char *name, const struct vp_der *der)
{
    json_t *text = json_string(name); /* as it stands in the file, if JSON can hold it */
    json_t *line = facts(der);
    if (line != NULL) {
        json_object_set_new(line, "recording", text != NULL ? text : name_json(name));
        json_object_set_new(line, "speakers", json_integer((json_int_t)der->n_speakers_hypothesis));
        json_object_set_new(line, "speakers_reference",
                            json_integer((json_int_t)der->n_speakers_reference));
    }
    return cli_print_json(line);
}

/* Seconds in which a speaker overlaps himself: turns are sorted by speaker, then by start. */
static double own_overlap_s(const struct vp_rttm_recording *recording)
{
    double sum_s = 0.0, reached_s = 0.0;
    for (size_t i = 0; i < recording->n_turns; i++) {
        const struct vp_rttm_turn *turn = &recording->turns[i];
        const bool same = i > 0 && turn->speaker == recording->turns[i - 1].speaker;
        if (same && turn->start_s < reached_s)
            sum_s += fmin(turn->end_s, reached_s) - turn->start_s;
        reached_s = same ? fmax(reached_s, turn->end_s) : turn->end_s;
    }
    return sum_s;
}

/* Tools differ here, so it is said by whose rule this one counts. */
static void warn_of_own_overlap(const char *name, const struct vp_rttm_recording *recording,
                                const char *file)
{
    const double s = recording != NULL ? own_overlap_s(recording) : 0.0;
    if (s > 0.0)
        cli_complain(name,
                     "in %s a speaker's own turns overlap, %.2f s in all: counted once for each "
                     "turn, as pyannote.metrics does; md-eval merges them",
                     file, s);
}

static bool score_one(struct score *score, const char *name,
                      const struct vp_rttm_recording *reference,
                      const struct vp_rttm_recording *hypothesis)
{
    const struct cli *cli = score->cli;
    const struct vp_rttm_recording *uem = NULL;
    struct vp_der der;
    struct vp_err err;
    if (cli->uem != NULL && (uem = vp_rttm_find(&score->uem, name)) == NULL) {
        cli_complain(name, "not scored: %s does not name it", cli->uem);
        return true;
    }
    if (reference == NULL)
        cli_complain(name, "not in %s: all its speech is false alarm", cli->files[0]);
    if (hypothesis == NULL)
        cli_complain(name, "not in %s: all its speech is missed", cli->files[1]);
    warn_of_own_overlap(name, reference, cli->files[0]);
    warn_of_own_overlap(name, hypothesis, cli->files[1]);
    const struct vp_der_options options = {cli->collar_s, cli->skip_overlap};
    if (vp_der_score(reference, hypothesis, uem, &options, &der, &err) != VP_OK) {
        cli_complain(name, "%s", err.message);
        return false;
    }
    score->n_scored++;
    score->sum.total_s += der.total_s;
    score->sum.miss_s += der.miss_s;
    score->sum.false_alarm_s += der.false_alarm_s;
    score->sum.confusion_s += der.confusion_s;
    if (cli->json)
        return print_json(name, &der);
    print_row(score, name, &der, true);
    return true;
}

/* Recordings of either side, sorted by name. Two files of one recording each are about the same
 * one, whatever they call it. */
static bool score_all(struct score *score)
{
    const struct vp_rttm *a = &score->reference, *b = &score->hypothesis;
    if (a->n_recordings == 1 && b->n_recordings == 1) {
        const struct vp_rttm_recording *x = &a->recordings[0], *y = &b->recordings[0];
        if (strcmp(x->name, y->name) != 0)
            cli_complain(x->name, "scored against '%s', the only recording of %s", y->name,
                         score->cli->files[1]);
        return score_one(score, x->name, x, y);
    }
    bool good = true;
    for (size_t i = 0, j = 0; i < a->n_recordings || j < b->n_recordings;) {
        const struct vp_rttm_recording *x = i < a->n_recordings ? &a->recordings[i] : NULL;
        const struct vp_rttm_recording *y = j < b->n_recordings ? &b->recordings[j] : NULL;
        const int order = x == NULL ? 1 : y == NULL ? -1 : strcmp(x->name, y->name);
        if (order < 0)
            y = NULL;
        if (order > 0)
            x = NULL;
        i += x != NULL;
        j += y != NULL;
        good = score_one(score, x != NULL ? x->name : y->name, x, y) && good;
    }
    return good;
}

static void widen(struct score *score, const struct vp_rttm *rttm)
{
    for (size_t i = 0; i < rttm->n_recordings; i++) {
        const size_t n = strlen(rttm->recordings[i].name);
        if (n > (size_t)score->name_width)
            score->name_width = n < 60 ? (int)n : 60;
    }
}

static bool print_sum(const struct score *score)
{
    const struct cli *cli = score->cli;
    if (!cli->json) {
        print_row(score, "TOTAL", &score->sum, false);
        printf("collar %g s on each side, overlap %s\n", cli->collar_s,
               cli->skip_overlap ? "left out" : "scored");
        if (fflush(stdout) == 0)
            return true;
        cli_complain("stdout", "cannot be written to");
        return false;
    }
    json_t *sum = facts(&score->sum);
    if (sum != NULL) {
        json_object_set_new(sum, "recordings", json_integer((json_int_t)score->n_scored));
        json_object_set_new(sum, "collar_s", json_real(cli->collar_s));
        json_object_set_new(sum, "overlap_scored", json_boolean(!cli->skip_overlap));
    }
    return cli_print_json(json_pack("{s:o}", "total", sum));
}

static int run(const struct cli *cli)
{
    if (cli->n_files != 2) {
        cli_complain("score", "two RTTM files are needed, reference and hypothesis; see voiceprint "
                              "score --help");
        return EXIT_USAGE;
    }
    struct score score = {.cli = cli, .name_width = 9};
    /* all are tried, so that every complaint is seen */
    bool good = read_file(cli->files[0], vp_rttm_read, &score.reference);
    good = read_file(cli->files[1], vp_rttm_read, &score.hypothesis) && good;
    good = (cli->uem == NULL || read_file(cli->uem, vp_uem_read, &score.uem)) && good;
    if (good) {
        widen(&score, &score.reference);
        widen(&score, &score.hypothesis);
        if (!cli->json)
            print_heading(&score);
        good = score_all(&score);
        good = print_sum(&score) && good;
        if (score.n_scored == 0) {
            cli_complain("score", "there is no recording to score");
            good = false;
        }
    }
    vp_rttm_free(&score.reference);
    vp_rttm_free(&score.hypothesis);
    vp_rttm_free(&score.uem);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

const struct command command_score = {
    .name = "score",
    .arguments = "[OPTION...] REFERENCE.rttm HYPOTHESIS.rttm",
    .summary = "print the diarization error rate of one RTTM file against another",
    .help =
        "A line for each recording: the rate (DER), its three parts - speech that was missed, "
        "false\n"
        "alarm, and confusion of speakers, after the best one-to-one mapping - and how many\n"
        "speakers were found. The last line is the total: wrong seconds over seconds of speech,\n"
        "never a mean of rates. The numbers are those of md-eval and pyannote.metrics.\n"
        "\n"
        "  --uem FILE         score only what this UEM file lists (default: everything)\n"
        "  --collar S         leave out S seconds on each side of every boundary of the "
        "reference,\n"
        "                     as md-eval counts; pyannote.metrics calls 0.25 here 0.5 (default 0)\n"
        "  --skip-overlap     leave out where the reference has several voices at once; this\n"
        "                     flatters (default: overlap is scored)\n"
        "  --json             JSON lines, seconds and rates\n",
    .options = " uem collar skip-overlap json ",
    .run = run,
};
