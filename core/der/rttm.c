/*
 * RTTM and UEM: lines of fields -> turns by recording and speaker.
 *
 * The text is copied once and cut in place; names point into the copy. Lines are sorted, so that
 * recordings and speakers become ranges: no table, and no quadratic time on hostile files.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/status.h"
#include "der.h"

#define MOST_FIELDS 10u
#define LONGEST_S   1e7 /* 115 days: beyond is no recording, and doubles still hold microseconds */

struct line {
    const char *recording, *speaker;
    double start_s, end_s;
};

struct reader {
    char *at, *end; /* what is left of the copy; *end is 0 */
    size_t number;  /* of the line, from 1 */
    char *fields[MOST_FIELDS];
    size_t n_fields; /* found, may exceed MOST_FIELDS */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* Cuts the next line into fields. False at the end. */
static bool next_line(struct reader *reader)
{
    if (reader->at == reader->end)
        return false;
    reader->number++;
    reader->n_fields = 0;
    char *at = reader->at;
    while (at < reader->end && !is_line_end(*at)) {
        if (is_blank(*at)) {
            *at++ = '\0';
            continue;
        }
        if (reader->n_fields < MOST_FIELDS)
            reader->fields[reader->n_fields] = at;
        reader->n_fields++;
        while (at < reader->end && !is_blank(*at) && !is_line_end(*at))
            at++;
    }
    if (at < reader->end) {
        const bool two = at[0] == '\r' && at + 1 < reader->end && at[1] == '\n';
        *at++ = '\0';
        at += two;
    }
    reader->at = at;
    return true;
}

/* Plain decimal, no hexadecimal, no "nan": what strtod takes beyond that is a damaged file. */
static bool parse_time(const char *text, double least, double *out)
{
    char *end;
    if (text[strspn(text, "0123456789+-.eE")] != '\0')
        return false;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out) && *out >= least && *out <= LONGEST_S;
}

static enum vp_status bad_time(size_t line, const char *what, struct vp_err *err)
{
    return status_fail(err, VP_ERR_ARGUMENT, "line %zu: %s is not a number of seconds up to %.0e",
                       line, what, LONGEST_S);
}

/* *keep: the line is a turn that lasts. */
static enum vp_status parse_rttm(const struct reader *reader, struct line *out, bool *keep,
                                 struct vp_err *err)
{
    static const char *const others[] = {
        "SEGMENT",    "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX",
        "NON-SPEECH", "FILLER",  "EDIT",           "IP",     "SU",
        "CB",         "A/P",     "SPKR-INFO"};
    *keep = strcmp(reader->fields[0], "SPEAKER") == 0;
    if (!*keep) {
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            if (strcmp(reader->fields[0], others[i]) == 0)
                return VP_OK;
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: field 1 is no type of RTTM such as SPEAKER; is this an RTTM "
                           "file?",
                           reader->number);
    }
    if (reader->n_fields != 9 && reader->n_fields != 10)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: %zu fields; a SPEAKER line has 9 or 10, and names hold no "
                           "blanks",
                           reader->number, reader->n_fields);
    double duration_s;
    if (!parse_time(reader->fields[3], -LONGEST_S, &out->start_s))
        return bad_time(reader->number, "field 4, the start,", err);
    if (!parse_time(reader->fields[4], 0, &duration_s))
        return bad_time(reader->number, "field 5, the duration,", err);
    out->recording = reader->fields[1];
    out->speaker = reader->fields[7];
    out->end_s = out->start_s + duration_s;
    *keep = out->end_s > out->start_s;
    return VP_OK;
}

static enum vp_status parse_uem(const struct reader *reader, struct line *out, bool *keep,
                                struct vp_err *err)
{
    if (reader->n_fields != 4)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: %zu fields; a line of UEM has 4: recording, channel, start, "
                           "end",
                           reader->number, reader->n_fields);
    if (!parse_time(reader->fields[2], -LONGEST_S, &out->start_s))
        return bad_time(reader->number, "field 3, the start,", err);
    if (!parse_time(reader->fields[3], -LONGEST_S, &out->end_s))
        return bad_time(reader->number, "field 4, the end,", err);
    if (out->end_s < out->start_s)
        return status_fail(err, VP_ERR_ARGUMENT, "line %zu: the end lies before the start",
                           reader->number);
    out->recording = reader->fields[0];
    out->speaker = "";
    *keep = out->end_s > out->start_s;
    return VP_OK;
}

typedef enum vp_status (*parse_line)(const struct reader *, struct line *, bool *, struct vp_err *);

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->recording, y->recording);
    if (order == 0)
        order = strcmp(x->speaker, y->speaker);
    if (order == 0)
        order = (x->start_s > y->start_s) - (x->start_s < y->start_s);
    return order != 0 ? order : (x->end_s > y->end_s) - (x->end_s < y->end_s);
}

/* Lines of text -> array, sorted. Returns owned *lines. */
static enum vp_status collect(struct reader *reader, parse_line parse, struct line **lines,
                              size_t *n, struct vp_err *err)
{
    size_t capacity = 0;
    while (next_line(reader)) {
        struct line line;
        bool keep;
        if (reader->n_fields == 0 || strncmp(reader->fields[0], ";;", 2) == 0)
            continue;
        const enum vp_status status = parse(reader, &line, &keep, err);
        if (status != VP_OK)
            return status;
        if (!keep)
            continue;
        struct line *larger = array_room(*lines, &capacity, *n + 1, sizeof *larger);
        if (larger == NULL)
            return status_no_memory(err, "the lines", (*n + 1) * sizeof *larger);
        *lines = larger;
        (*lines)[(*n)++] = line;
    }
    if (*n > 0)
        qsort(*lines, *n, sizeof **lines, compare_lines);
    return VP_OK;
}

/* Sorted lines -> ranges, all in one block. */
static enum vp_status fill(const struct line *lines, size_t n, struct vp_rttm *out,
                           struct vp_err *err)
{
    struct vp_rttm_recording *recording;
    size_t n_bytes, n_speakers = 0;
    if (!size_multiply(n + 1, sizeof *recording + sizeof(struct vp_rttm_turn) + sizeof(char *),
                       &n_bytes) ||
        (out->recordings = malloc(n_bytes)) == NULL)
        return status_no_memory(err, "the turns", n * sizeof *recording);
    struct vp_rttm_turn *turns = (struct vp_rttm_turn *)(void *)(out->recordings + n);
    const char **speakers = (const char **)(void *)(turns + n);
    recording = NULL;
    for (size_t i = 0; i < n; i++) {
        const bool other = i == 0 || strcmp(lines[i].recording, lines[i - 1].recording) != 0;
        if (other) {
            recording = &out->recordings[out->n_recordings++];
            *recording = (struct vp_rttm_recording){
                .name = lines[i].recording, .turns = turns + i, .speakers = speakers + n_speakers};
        }
        if (other || strcmp(lines[i].speaker, lines[i - 1].speaker) != 0) {
            speakers[n_speakers++] = lines[i].speaker;
            recording->n_speakers++;
        }
        recording->turns[recording->n_turns++] =
            (struct vp_rttm_turn){lines[i].start_s, lines[i].end_s, recording->n_speakers - 1};
    }
    return VP_OK;
}

static enum vp_status check_text(const char *text, size_t n, struct vp_err *err)
{
    if (n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return status_fail(err, VP_ERR_ARGUMENT, "the text is UTF-16; save it as UTF-8");
    if (n > 0 && memchr(text, 0, n) != NULL)
        return status_fail(err, VP_ERR_ARGUMENT, "there are zero bytes in it: this is no text");
    return VP_OK;
}

static enum vp_status read_lines(const void *bytes, size_t n_bytes, parse_line parse,
                                 struct vp_rttm *out, struct vp_err *err)
{
    memset(out, 0, sizeof *out);
    struct line *lines = NULL;
    size_t n = 0;
    enum vp_status status = check_text(bytes, n_bytes, err);
    if (status != VP_OK)
        return status;
    out->text = malloc(n_bytes + 1);
    if (out->text == NULL)
        return status_no_memory(err, "the text", n_bytes);
    if (n_bytes > 0)
        memcpy(out->text, bytes, n_bytes);
    out->text[n_bytes] = '\0';
    const size_t mark = n_bytes >= 3 && memcmp(out->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct reader reader = {.at = out->text + mark, .end = out->text + n_bytes};
    status = collect(&reader, parse, &lines, &n, err);
    if (status == VP_OK)
        status = fill(lines, n, out, err);
    free(lines);
    if (status != VP_OK)
        vp_rttm_free(out);
    return status;
}

enum vp_status vp_rttm_read(const void *bytes, size_t n_bytes, struct vp_rttm *out,
                            struct vp_err *err)
{
    return read_lines(bytes, n_bytes, parse_rttm, out, err);
}

enum vp_status vp_uem_read(const void *bytes, size_t n_bytes, struct vp_rttm *out,
                           struct vp_err *err)
{
    return read_lines(bytes, n_bytes, parse_uem, out, err);
}

void vp_rttm_free(struct vp_rttm *rttm)
{
    if (rttm == NULL)
        return;
    free(rttm->recordings);
    free(rttm->text);
    memset(rttm, 0, sizeof *rttm);
}

const struct vp_rttm_recording *vp_rttm_find(const struct vp_rttm *rttm, const char *name)
{
    size_t first = 0, end = rttm->n_recordings;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        const int order = strcmp(rttm->recordings[middle].name, name);
        if (order == 0)
            return &rttm->recordings[middle];
        if (order < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return NULL;
}
