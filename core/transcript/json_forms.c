/*
 * Transcripts in JSON. Whisper, and OpenAI's verbose_json:
 *     {"segments": [{"start": s, "end": s, "text": "...", "words": [{"word": "...", "start",
 * "end"}]}], "words": [{"word": "...", "start": s, "end": s}]} whisper.cpp:
 *     {"transcription": [{"offsets": {"from": ms, "to": ms}, "text": "...",
 *                         "tokens": [{"text": "...", "offsets": {...}}]}]}
 * Either of segments and words may be missing; other members stay as they are.
 */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "json_read.h"
#include "transcript/items.h"

#define WHERE_CHARS 96
#define MOST_VALUES 500000u /* 10 hours of words; of hostile JSON up to 60 MB of memory */

/* One of the objects that get a speaker: where it stands, for errors, and how its members are
 * named. */
struct place {
    char where[WHERE_CHARS]; /* "segments[3].words[2]" */
    size_t segment;          /* item of the segment around it, or NO_PARENT */
    const char *said;        /* its member with what is said */
    bool is_said;            /* it is part of the text */
};

static enum vp_status fail_type(const char *where, const char *member, const char *expected,
                                struct vp_err *err)
{
    return status_fail(err, VP_ERR_ARGUMENT, "%s%s%s is not %s", where, *member != 0 ? "." : "",
                       member, expected);
}

/* ---- times ------------------------------------------------------------------------------------
 */

static enum vp_status judge_times(struct item *item, const char *where, struct vp_err *err)
{
    if (items_are_times(item->start_s, item->end_s))
        return VP_OK;
    return status_fail(
        err, VP_ERR_ARGUMENT,
        "%s lasts from %g to %g s: a time is 0 to %.0e s, and no end before its start", where,
        item->start_s, item->end_s, LONGEST_S);
}

/* "start" and "end" in seconds. A word within a segment may go without either. */
static enum vp_status whisper_times(const json_t *object, const struct place *place,
                                    struct item *item, struct vp_err *err)
{
    const json_t *start = json_object_get(object, "start"), *end = json_object_get(object, "end");
    if (place->segment != NO_PARENT && start == NULL && end == NULL) {
        item->has_times = false;
        item->parent = place->segment;
        return VP_OK;
    }
    if (!json_is_number(start))
        return fail_type(place->where, "start", "a number of seconds", err);
    if (!json_is_number(end))
        return fail_type(place->where, "end", "a number of seconds", err);
    item->start_s = json_number_value(start);
    item->end_s = json_number_value(end);
    return judge_times(item, place->where, err);
}

/* "offsets" in milliseconds. */
static enum vp_status whisper_cpp_times(const json_t *object, const struct place *place,
                                        struct item *item, struct vp_err *err)
{
    const json_t *offsets = json_object_get(object, "offsets");
    const json_t *from = json_object_get(offsets, "from"), *to = json_object_get(offsets, "to");
    if (!json_is_number(from))
        return fail_type(place->where, "offsets.from", "a number of milliseconds", err);
    if (!json_is_number(to))
        return fail_type(place->where, "offsets.to", "a number of milliseconds", err);
    item->start_s = json_number_value(from) / 1000.0;
    item->end_s = json_number_value(to) / 1000.0;
    return judge_times(item, place->where, err);
}

/* ---- objects ----------------------------------------------------------------------------------
 */

static enum vp_status add_object(struct vp_transcript *transcript, json_t *object,
                                 const struct place *place, struct vp_err *err)
{
    const json_t *said = json_object_get(object, place->said);
    if (!json_is_object(object))
        return fail_type(place->where, "", "an object", err);
    if (!json_is_string(said))
        return fail_type(place->where, place->said, "a string", err);
    struct item *item = items_add(transcript);
    if (item == NULL)
        return status_no_memory(err, "the transcript", sizeof *item);
    item->object = object;
    if (place->is_said) {
        item->said = json_string_value(said);
        item->n_said = json_string_length(said);
        transcript->is_spaced = transcript->is_spaced || item->said[0] == ' ';
    }
    return transcript->form == VP_TRANSCRIPT_WHISPER ? whisper_times(object, place, item, err)
                                                     : whisper_cpp_times(object, place, item, err);
}

/* The objects of a list within a segment, or of one that stands for itself: words, tokens. */
static enum vp_status add_words(struct vp_transcript *transcript, const json_t *list,
                                const char *where, const struct place *like, struct vp_err *err)
{
    if (!json_is_array(list))
        return fail_type(where, "", "a list", err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct place place = *like;
        snprintf(place.where, sizeof place.where, "%.60s[%zu]", where, i);
        enum vp_status status = add_object(transcript, json_array_get(list, i), &place, err);
        if (status != VP_OK)
            return status;
    }
    return VP_OK;
}

/* A segment, then its words ("words" of Whisper, "tokens" of whisper.cpp), where it has any. */
static enum vp_status add_segment(struct vp_transcript *transcript, json_t *segment,
                                  const char *where, struct vp_err *err)
{
    const bool is_cpp = transcript->form == VP_TRANSCRIPT_WHISPER_CPP;
    const char *name = is_cpp ? "tokens" : "words";
    const json_t *words = json_object_get(segment, name);
    /* Tokens are pieces of words, and marks among them: the text is made of segments. */
    const bool by_words = !is_cpp && json_array_size(words) > 0;
    struct place place = {.segment = NO_PARENT, .said = "text", .is_said = !by_words};
    char where_words[WHERE_CHARS];
    snprintf(place.where, sizeof place.where, "%s", where);
    snprintf(where_words, sizeof where_words, "%.60s.%s", where, name);
    enum vp_status status = add_object(transcript, segment, &place, err);
    if (status != VP_OK || words == NULL || json_is_null(words))
        return status;
    const struct place word = {
        .segment = transcript->n_items - 1, .said = is_cpp ? "text" : "word", .is_said = by_words};
    return add_words(transcript, words, where_words, &word, err);
}

static enum vp_status add_segments(struct vp_transcript *transcript, const json_t *list,
                                   const char *name, struct vp_err *err)
{
    enum vp_status status = VP_OK;
    if (!json_is_array(list))
        return fail_type(name, "", "a list", err);
    for (size_t i = 0; i < json_array_size(list) && status == VP_OK; i++) {
        char where[WHERE_CHARS];
        snprintf(where, sizeof where, "%s[%zu]", name, i);
        status = add_segment(transcript, json_array_get(list, i), where, err);
    }
    return status;
}

static enum vp_status read_whisper(struct vp_transcript *transcript, struct vp_err *err)
{
    const json_t *segments = json_object_get(transcript->root, "segments");
    const json_t *words = json_object_get(transcript->root, "words");
    enum vp_status status = VP_OK;
    if (segments != NULL && !json_is_null(segments))
        status = add_segments(transcript, segments, "segments", err);
    if (status != VP_OK || words == NULL || json_is_null(words))
        return status;
    /* OpenAI's words have lost their punctuation: with segments beside them those are the text. */
    const struct place word = {
        .segment = NO_PARENT, .said = "word", .is_said = transcript->n_items == 0};
    return add_words(transcript, words, "words", &word, err);
}

/* How many values the JSON has at most: each begins a list or an object, or follows a comma. */
static size_t most_values(const char *text, size_t n)
{
    size_t n_values = 1;
    for (size_t i = 0; i < n; i++)
        n_values += text[i] == '[' || text[i] == '{' || text[i] == ',';
    return n_values;
}

enum vp_status json_forms_read(struct vp_transcript *transcript, struct vp_err *err)
{
    json_error_t error;
    if (most_values(transcript->source, transcript->n_source) > MOST_VALUES)
        return status_fail(err, VP_ERR_ARGUMENT, "the JSON has more than %u values", MOST_VALUES);
    const enum vp_status status =
        vp_json_read(transcript->source, transcript->n_source, &transcript->root, &error);
    if (status == VP_ERR_NO_MEMORY)
        return status_no_memory(err, "the transcript's JSON", transcript->n_source);
    if (status != VP_OK)
        return status_fail(err, VP_ERR_ARGUMENT, "line %d, column %d: not JSON: %s", error.line,
                           error.column, error.text);
    const json_t *transcription = json_object_get(transcript->root, "transcription");
    if (transcription != NULL) {
        transcript->form = VP_TRANSCRIPT_WHISPER_CPP;
        return add_segments(transcript, transcription, "transcription", err);
    }
    if (json_object_get(transcript->root, "segments") == NULL &&
        json_object_get(transcript->root, "words") == NULL)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "the JSON has neither segments nor words (Whisper, verbose_json) nor "
                           "transcription (whisper.cpp)");
    return read_whisper(transcript, err);
}
