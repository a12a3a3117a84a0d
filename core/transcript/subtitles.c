/*
 * WebVTT and SubRip: blocks of lines with an empty line between. A cue is, in both,
 *     [a line of its own: identifier, number]
 *     01:02:03.456 --> 01:02:04.000 [settings]
 *     one or more lines of text
 * The hours may be missing in WebVTT; SubRip has a comma for the point.
 */
#include <string.h>

#include "base/status.h"
#include "transcript/items.h"
#include "transcript/lines.h"

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, const char *any_of)
{
    if (cursor->at == cursor->end || strchr(any_of, *cursor->at) == NULL)
        return false;
    cursor->at++;
    return true;
}

/* A number of least to most digits. */
static bool take_number(struct cursor *cursor, unsigned least, unsigned most, double *out)
{
    unsigned n = 0;
    *out = 0;
    while (n < most && cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        *out = 10 * *out + (*cursor->at++ - '0');
        n++;
    }
    return n >= least;
}

/* [hours:]minutes:seconds.milliseconds */
static bool take_time(struct cursor *cursor, double *out_s)
{
    double first, second, third = -1, ms;
    if (!take_number(cursor, 1, 4, &first) || !take(cursor, ":") ||
        !take_number(cursor, 2, 2, &second))
        return false;
    if (take(cursor, ":") && !take_number(cursor, 2, 2, &third))
        return false;
    if (!take(cursor, ".,") || !take_number(cursor, 3, 3, &ms))
        return false;
    const double minutes = third < 0 ? first : 60 * first + second,
                 seconds = third < 0 ? second : third;
    *out_s = 60 * minutes + seconds + ms / 1000;
    return seconds < 60 && (third < 0 || second < 60);
}

static void skip_blanks(struct cursor *cursor)
{
    while (take(cursor, " \t"))
        ;
}

static bool is_timing(const struct lines *lines)
{
    return memmem(lines->line, lines->n, "-->", 3) != NULL;
}

/* The line of times into the item. */
static enum vp_status read_timing(const struct lines *lines, struct item *item, struct vp_err *err)
{
    struct cursor cursor = {lines->line, lines->line + lines->n};
    skip_blanks(&cursor);
    bool good = take_time(&cursor, &item->start_s);
    skip_blanks(&cursor);
    good = good && take(&cursor, "-") && take(&cursor, "-") && take(&cursor, ">");
    skip_blanks(&cursor);
    good = good && take_time(&cursor, &item->end_s) &&
           (cursor.at == cursor.end || take(&cursor, " \t"));
    if (!good)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: not two times such as 00:01:02.345 --> 00:01:03.456",
                           lines->number);
    if (!items_are_times(item->start_s, item->end_s))
        return status_fail(err, VP_ERR_ARGUMENT, "line %zu: the end lies before the start",
                           lines->number);
    return VP_OK;
}

/* ---- what stands for a speaker already ---------------------------------------------------------
 */

/* Length of a voice tag `<v Name>` at the beginning of text, 0 for none. */
static size_t voice_tag(const char *text, size_t n)
{
    const char *close = memchr(text, '>', n);
    if (n < 3 || memcmp(text, "<v", 2) != 0 || close == NULL || strchr(" \t.", text[2]) == NULL)
        return 0;
    return (size_t)(close - text) + 1;
}

/* Length of `SPEAKER_00: `, which an earlier run wrote, 0 for none. */
static size_t written_label(const char *text, size_t n)
{
    static const char label[] = "SPEAKER_";
    size_t at = sizeof label - 1;
    if (n < at || memcmp(text, label, at) != 0)
        return 0;
    while (at < n && text[at] >= '0' && text[at] <= '9')
        at++;
    return at + 1 < n && text[at] == ':' && text[at + 1] == ' ' ? at + 2 : 0;
}

/* ---- cues -------------------------------------------------------------------------------------
 */

/* The cue whose line of times is the last one read, to the empty line behind it. A cue without text
 * has nobody to name. */
static enum vp_status read_cue(struct vp_transcript *transcript, struct lines *lines,
                               struct vp_err *err)
{
    const bool is_vtt = transcript->form == VP_TRANSCRIPT_WEBVTT;
    struct item cue = {0};
    enum vp_status status = read_timing(lines, &cue, err);
    if (status != VP_OK || !lines_next(lines) || lines_is_blank(lines->line, lines->n))
        return status;
    struct item *item = items_add(transcript);
    if (item == NULL)
        return status_no_memory(err, "the transcript", sizeof *item);
    item->start_s = cue.start_s;
    item->end_s = cue.end_s;
    item->before = is_vtt ? "<v " : "";
    item->after = is_vtt ? ">" : ": ";
    item->from = (size_t)(lines->line - transcript->source);
    item->to = item->from +
               (is_vtt ? voice_tag(lines->line, lines->n) : written_label(lines->line, lines->n));
    item->said = transcript->source + item->to;
    do {
        item->n_said = (size_t)(lines->line + lines->n - item->said);
        if (is_timing(lines))
            return status_fail(err, VP_ERR_ARGUMENT,
                               "line %zu: a cue within another; an empty line is missing before it",
                               lines->number);
    } while (lines_next(lines) && !lines_is_blank(lines->line, lines->n));
    return VP_OK;
}

static bool begins_with(const struct lines *lines, const char *word)
{
    const size_t n = strlen(word);
    return lines->n >= n && memcmp(lines->line, word, n) == 0 &&
           (lines->n == n || lines->line[n] == ' ' || lines->line[n] == '\t');
}

static void skip_block(struct lines *lines)
{
    while (lines_next(lines) && !lines_is_blank(lines->line, lines->n))
        ;
}

/* The block whose first line is the last one read. */
static enum vp_status read_block(struct vp_transcript *transcript, struct lines *lines,
                                 struct vp_err *err)
{
    const bool is_vtt = transcript->form == VP_TRANSCRIPT_WEBVTT;
    const size_t first = lines->number;
    if (is_vtt && (begins_with(lines, "NOTE") || begins_with(lines, "STYLE") ||
                   begins_with(lines, "REGION"))) {
        skip_block(lines);
        return VP_OK;
    }
    if (is_timing(lines) || (lines_next(lines) && is_timing(lines)))
        return read_cue(transcript, lines, err);
    return status_fail(err, VP_ERR_ARGUMENT, "line %zu: no cue begins here: %s", first,
                       is_vtt ? "an identifier or none, then times; nor a NOTE, STYLE or REGION"
                              : "a number, then times");
}

static enum vp_status read_blocks(struct vp_transcript *transcript, struct lines *lines,
                                  struct vp_err *err)
{
    enum vp_status status = VP_OK;
    while (status == VP_OK && lines_next(lines))
        if (!lines_is_blank(lines->line, lines->n))
            status = read_block(transcript, lines, err);
    return status;
}

enum vp_status webvtt_read(struct vp_transcript *transcript, struct vp_err *err)
{
    struct lines lines = lines_of(transcript->source, transcript->n_source);
    while (lines_next(&lines) &&
           !lines_is_blank(lines.line, lines.n)) /* the word, and its remarks */
        if (is_timing(&lines))
            return status_fail(
                err, VP_ERR_ARGUMENT,
                "line %zu: an empty line is missing between WEBVTT and the first cue",
                lines.number);
    return read_blocks(transcript, &lines, err);
}

enum vp_status srt_read(struct vp_transcript *transcript, struct vp_err *err)
{
    struct lines lines = lines_of(transcript->source, transcript->n_source);
    return read_blocks(transcript, &lines, err);
}
