/* A transcript: its form is told, it is read, written again with speakers. */
#include "transcript.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/status.h"
#include "transcript/items.h"
#include "transcript/lines.h"
#include "transcript/timeline.h"

static const struct {
    const char *name, *media_type, *extension;
} forms[VP_N_TRANSCRIPT_FORMS] = {
    {"whisper", "application/json", "json"},
    {"whisper.cpp", "application/json", "json"},
    {"webvtt", "text/vtt; charset=utf-8", "vtt"},
    {"srt", "application/x-subrip; charset=utf-8", "srt"},
    {"ctm", "text/plain; charset=utf-8", "ctm"},
};

const char *vp_transcript_form_name(enum vp_transcript_form form)
{
    return forms[form].name;
}

const char *vp_transcript_media_type(enum vp_transcript_form form)
{
    return forms[form].media_type;
}

const char *vp_transcript_extension(enum vp_transcript_form form)
{
    return forms[form].extension;
}

enum vp_transcript_form vp_transcript_form_of(const vp_transcript *transcript)
{
    return transcript->form;
}

/* ---- items ------------------------------------------------------------------------------------
 */

struct item *items_add(struct vp_transcript *transcript)
{
    struct item *items =
        array_room(transcript->items, &transcript->room, transcript->n_items + 1, sizeof *items);
    if (items == NULL)
        return NULL;
    transcript->items = items;
    struct item *item = &transcript->items[transcript->n_items++];
    *item = (struct item){.has_times = true, .parent = NO_PARENT, .speaker = NO_SPEAKER};
    return item;
}

bool items_are_times(double start_s, double end_s)
{
    return start_s >= 0 && end_s >= start_s && end_s <= LONGEST_S;
}

void items_label(int speaker, char label[LABEL_CHARS])
{
    snprintf(label, LABEL_CHARS, "SPEAKER_%02d", speaker);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Jansson judges UTF-8 when it makes a string. False and errno ENOMEM: it could not. */
static bool is_utf8(const char *text, size_t n)
{
    json_t *string = json_stringn(text, n);
    json_decref(string);
    return string != NULL;
}

/* Form of the source by its beginning: '{', the word WEBVTT, a line with an arrow among the first
 * two, else words by time. */
static enum vp_transcript_form tell_form(const struct vp_transcript *transcript)
{
    struct lines lines = lines_of(transcript->source, transcript->n_source);
    const char *text = transcript->source + strspn(transcript->source, " \t\r\n");
    if (*text == '{' || *text == '[')
        return VP_TRANSCRIPT_WHISPER; /* or whisper.cpp: its members say */
    if (strncmp(transcript->source, "WEBVTT", 6) == 0 &&
        strchr(" \t\r\n", transcript->source[6]) != NULL)
        return VP_TRANSCRIPT_WEBVTT;
    for (unsigned n_seen = 0; n_seen < 2 && lines_next(&lines);) {
        if (memmem(lines.line, lines.n, "-->", 3) != NULL)
            return VP_TRANSCRIPT_SRT;
        n_seen += !lines_is_blank(lines.line, lines.n);
    }
    return VP_TRANSCRIPT_CTM;
}

static enum vp_status judge_source(const struct vp_transcript *transcript, struct vp_err *err)
{
    const char *text = transcript->source;
    const size_t n = transcript->n_source;
    if (n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return status_fail(err, VP_ERR_ARGUMENT, "the transcript is UTF-16: save it as UTF-8");
    if (strspn(text, " \t\r\n") == n)
        return status_fail(err, VP_ERR_ARGUMENT, "the transcript is empty");
    struct lines lines = lines_of(text, n);
    while (lines_next(&lines)) {
        errno = 0;
        if (memchr(lines.line, 0, lines.n) == NULL && is_utf8(lines.line, lines.n))
            continue;
        if (errno == ENOMEM)
            return status_no_memory(err, "a line of the transcript", lines.n);
        return status_fail(err, VP_ERR_ARGUMENT,
                           "line %zu: not UTF-8; is this a transcript, saved as UTF-8?",
                           lines.number);
    }
    return VP_OK;
}

static enum vp_status read_form(struct vp_transcript *transcript, struct vp_err *err)
{
    transcript->form = tell_form(transcript);
    switch (transcript->form) {
    case VP_TRANSCRIPT_WEBVTT:
        return webvtt_read(transcript, err);
    case VP_TRANSCRIPT_SRT:
        return srt_read(transcript, err);
    case VP_TRANSCRIPT_CTM:
        return ctm_read(transcript, err);
    default:
        return json_forms_read(transcript, err);
    }
}

enum vp_status vp_transcript_read(const void *bytes, size_t n_bytes, vp_transcript **out,
                                  struct vp_err *err)
{
    *out = NULL;
    if (n_bytes > VP_TRANSCRIPT_MAX_BYTES)
        return status_fail(err, VP_ERR_ARGUMENT, "the transcript is larger than %u bytes",
                           VP_TRANSCRIPT_MAX_BYTES);
    const char *text = bytes;
    if (n_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        n_bytes -= 3;
    }
    vp_transcript *transcript = calloc(1, sizeof *transcript);
    char *source = malloc(n_bytes + 1);
    if (transcript == NULL || source == NULL) {
        free(transcript);
        free(source);
        return status_no_memory(err, "the transcript", n_bytes);
    }
    if (n_bytes > 0)
        memcpy(source, text, n_bytes);
    source[n_bytes] = 0;
    transcript->source = source;
    transcript->n_source = n_bytes;
    enum vp_status status = judge_source(transcript, err);
    if (status == VP_OK)
        status = read_form(transcript, err);
    if (status != VP_OK)
        vp_transcript_free(transcript);
    else
        *out = transcript;
    return status;
}

void vp_transcript_free(vp_transcript *transcript)
{
    if (transcript == NULL)
        return;
    json_decref(transcript->root);
    free(transcript->items);
    free(transcript->source);
    free(transcript);
}

/* ---- speakers ---------------------------------------------------------------------------------
 */

enum vp_status vp_transcript_assign(vp_transcript *transcript, const struct vp_turn *turns,
                                    size_t n_turns, struct vp_err *err)
{
    struct timeline *timeline;
    enum vp_status status = timeline_new(turns, n_turns, &timeline, err);
    if (status != VP_OK)
        return status;
    for (size_t i = 0; i < transcript->n_items; i++) {
        struct item *item = &transcript->items[i];
        if (item->has_times)
            item->speaker =
                timeline_speaker(timeline, item->start_s, item->end_s, VP_TRANSCRIPT_REACH_S);
        else /* its segment comes before it */
            item->speaker = transcript->items[item->parent].speaker;
    }
    timeline_free(timeline);
    return VP_OK;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static bool label_objects(const vp_transcript *transcript)
{
    for (size_t i = 0; i < transcript->n_items; i++) {
        const struct item *item = &transcript->items[i];
        char label[LABEL_CHARS];
        items_label(item->speaker, label);
        if (json_object_set_new(item->object, "speaker",
                                item->speaker == NO_SPEAKER ? json_null() : json_string(label)) !=
            0)
            return false;
    }
    return true;
}

static char *write_json(const vp_transcript *transcript, size_t *n_chars)
{
    if (!label_objects(transcript))
        return NULL;
    char *text = json_dumps(transcript->root, JSON_COMPACT | JSON_REAL_PRECISION(15));
    *n_chars = text != NULL ? strlen(text) : 0;
    return text;
}

/* CTM has a word for nobody; where the others have none the bytes stay as they were. */
static void write_item(FILE *to, const vp_transcript *transcript, const struct item *item)
{
    char label[LABEL_CHARS] = "null";
    if (item->speaker == NO_SPEAKER && transcript->form != VP_TRANSCRIPT_CTM) {
        fwrite(transcript->source + item->from, 1, item->to - item->from, to);
        return;
    }
    if (item->speaker != NO_SPEAKER)
        items_label(item->speaker, label);
    fputs(item->before, to);
    fputs(label, to);
    fputs(item->after, to);
}

static char *write_lines(const vp_transcript *transcript, size_t *n_chars)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, n_chars);
    if (to == NULL)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < transcript->n_items; i++) { /* in the order of the source */
        const struct item *item = &transcript->items[i];
        fwrite(transcript->source + at, 1, item->from - at, to);
        write_item(to, transcript, item);
        at = item->to;
    }
    fwrite(transcript->source + at, 1, transcript->n_source - at, to);
    const bool good = ferror(to) == 0;
    if (fclose(to) == 0 && good)
        return text;
    free(text);
    return NULL;
}

enum vp_status vp_transcript_write(const vp_transcript *transcript, char **text, size_t *n_chars,
                                   struct vp_err *err)
{
    *text = transcript->root != NULL ? write_json(transcript, n_chars)
                                     : write_lines(transcript, n_chars);
    return *text != NULL ? VP_OK : status_no_memory(err, "the transcript", transcript->n_source);
}
