/*
 * CTM, words by time, as NIST's evaluations have it: a line a word,
 *     recording channel start duration word [confidence [type [speaker]]]
 * with comments behind ;;. One recording a file, here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "transcript/items.h"
#include "transcript/lines.h"

enum { LEAST_FIELDS = 5, MOST_FIELDS = 8 };

struct fields {
    const char *at[MOST_FIELDS];
    size_t chars[MOST_FIELDS];
    size_t n; /* found, may exceed MOST_FIELDS */
};

static struct fields split(const char *line, size_t n)
{
    struct fields fields = {.n = 0};
    for (size_t i = 0; i < n;) {
        if (lines_is_blank(line + i, 1)) {
            i++;
            continue;
        }
        const size_t first = i;
        while (i < n && !lines_is_blank(line + i, 1))
            i++;
        if (fields.n < MOST_FIELDS) {
            fields.at[fields.n] = line + first;
            fields.chars[fields.n] = i - first;
        }
        fields.n++;
    }
    return fields;
}

/* Plain decimal seconds: no sign, no hexadecimal, no "nan". */
static bool parse_seconds(const char *text, size_t n, double *out)
{
    char copy[32], *end;
    if (n == 0 || n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    if (copy[strspn(copy, "0123456789.")] != 0)
        return false;
    *out = strtod(copy, &end);
    return *end == 0 && *out <= LONGEST_S;
}

static enum vp_status read_word(struct vp_transcript *transcript, const struct lines *lines,
                                const struct fields *fields, struct vp_err *err)
{
    double duration_s;
    struct item *item = items_add(transcript);
    if (item == NULL)
        return status_no_memory(err, "the transcript", sizeof *item);
    if (!parse_seconds(fields->at[2], fields->chars[2], &item->start_s))
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: field 3, the start, is no number of seconds", lines->number);
    if (!parse_seconds(fields->at[3], fields->chars[3], &duration_s))
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: field 4, the duration, is no number of seconds",
                           lines->number);
    item->end_s = item->start_s + duration_s;
    item->said = fields->at[4];
    item->n_said = fields->chars[4];
    /* The speaker is field 8; what is missing before it is written too. */
    static const char *const before[] = {" NA lex ", " lex ", " ", ""};
    const size_t last = fields->n - 1;
    const char *end_of_last = fields->at[last] + fields->chars[last];
    const bool has_speaker = fields->n == MOST_FIELDS;
    item->before = before[fields->n - LEAST_FIELDS];
    item->after = "";
    item->to = (size_t)(end_of_last - transcript->source);
    item->from = has_speaker ? (size_t)(fields->at[last] - transcript->source) : item->to;
    return VP_OK;
}

static bool is_same(const struct fields *a, const struct fields *b, size_t i)
{
    return a->chars[i] == b->chars[i] && memcmp(a->at[i], b->at[i], a->chars[i]) == 0;
}

enum vp_status ctm_read(struct vp_transcript *transcript, struct vp_err *err)
{
    struct lines lines = lines_of(transcript->source, transcript->n_source);
    struct fields first = {.n = 0};
    enum vp_status status = VP_OK;
    while (status == VP_OK && lines_next(&lines)) {
        const struct fields fields = split(lines.line, lines.n);
        if (fields.n == 0 || (fields.chars[0] >= 2 && memcmp(fields.at[0], ";;", 2) == 0))
            continue;
        if (fields.n < LEAST_FIELDS || fields.n > MOST_FIELDS)
            return status_fail(err, VP_ERR_ARGUMENT,
                               "line %zu: %zu fields, where CTM has 5 to 8; is this a transcript? "
                               "Known are JSON of Whisper and whisper.cpp, WebVTT, SRT and CTM",
                               lines.number, fields.n);
        if (first.n == 0)
            first = fields;
        if (!is_same(&fields, &first, 0))
            return status_fail(err, VP_ERR_ARGUMENT,
                               "line %zu: a second recording; give the words of one", lines.number);
        status = read_word(transcript, &lines, &fields, err);
    }
    return status;
}
