/* Query options: percent-decoded, known, at most once each. */
#include "http/query.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes [text, end) into out. False: a broken escape, a control byte, or no room. */
static bool decode(const char *text, const char *end, char *out, size_t room)
{
    size_t n = 0;
    for (; text < end; text++) {
        int c = (unsigned char)*text;
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = end - text > 2 ? hex_digit(text[1]) : -1;
            int low = end - text > 2 ? hex_digit(text[2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            text += 2;
        }
        if (c < 0x20 || c == 0x7f || n + 1 >= room)
            return false;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return true;
}

/* One of two words. */
static bool set_either(const char *value, const char *yes, const char *no, bool *out)
{
    *out = strcmp(value, yes) == 0;
    return *out || strcmp(value, no) == 0;
}

/* As programming languages print it: true, True or 1. */
static bool set_boolean(const char *value, bool *out)
{
    *out = strcmp(value, "true") == 0 || strcmp(value, "True") == 0 || strcmp(value, "1") == 0;
    return *out || strcmp(value, "false") == 0 || strcmp(value, "False") == 0 ||
           strcmp(value, "0") == 0;
}

/* strtod also takes hex and "inf", which are not numbers here. */
static bool set_number(const char *value, double min, double max, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod(value, &end);
    return errno == 0 && end != value && *end == 0 &&
           strspn(value, "+-.0123456789eE") == strlen(value) && *out >= min && *out <= max;
}

static bool set_whole(const char *value, unsigned max, unsigned *out)
{
    const size_t n = strlen(value);
    *out = n <= 4 && strspn(value, "0123456789") == n ? (unsigned)strtoul(value, NULL, 10) : 0;
    return *out >= 1 && *out <= max;
}

static bool set_speakers(const char *value, unsigned *out)
{
    return strlen(value) <= 2 && set_whole(value, VP_DIARIZE_MAX_SPEAKERS, out);
}

/* One that becomes a field of RTTM, where blanks separate the fields, or names a known voice. */
static bool set_name(const char *value, char *name, size_t room)
{
    const bool is_good = name_is_plain(value, room);
    if (is_good)
        strcpy(name, value);
    return is_good;
}

static bool set_format(const char *value, enum query_format *out)
{
    static const char *const names[] = {[FORMAT_JSON] = "json",
                                        [FORMAT_RTTM] = "rttm",
                                        [FORMAT_TRANSCRIPT] = "transcript",
                                        [FORMAT_TEXT] = "text"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        *out = (enum query_format)i;
        if (strcmp(value, names[i]) == 0)
            return true;
    }
    return false;
}

static bool set_channel(const char *value, bool may_split, unsigned *out)
{
    return vp_channel_parse(value, out) && (*out != VP_CHANNEL_SPLIT || may_split);
}

static bool set_option(unsigned option, const char *value, struct query *query)
{
    switch (option) {
    case QUERY_NORMALIZE:
        return set_boolean(value, &query->normalize);
    case QUERY_ENCODING:
        return set_either(value, "base64", "float", &query->base64);
    case QUERY_THRESHOLD:
        query->has_threshold = true;
        return set_number(value, -1, 1, &query->threshold);
    case QUERY_NUM_SPEAKERS:
        return set_speakers(value, &query->num_speakers);
    case QUERY_MIN_SPEAKERS:
        return set_speakers(value, &query->min_speakers);
    case QUERY_MAX_SPEAKERS:
        return set_speakers(value, &query->max_speakers);
    case QUERY_ENGINE:
        return vp_diarize_engine_parse(value, &query->engine);
    case QUERY_MIN_ON:
        query->has_min_on = true;
        return set_number(value, 0, 5, &query->min_on_s);
    case QUERY_MIN_OFF:
        query->has_min_off = true;
        return set_number(value, 0, 5, &query->min_off_s);
    case QUERY_EMBEDDINGS:
        return set_boolean(value, &query->embeddings);
    case QUERY_FORMAT:
        return set_format(value, &query->format);
    case QUERY_URI:
        return set_name(value, query->uri, sizeof query->uri);
    case QUERY_ON_DAMAGE:
        return set_either(value, "accept", "refuse", &query->clip.accept_damage);
    case QUERY_SPEECH_ONLY:
        query->has_speech_only = true;
        return set_boolean(value, &query->speech_only);
    case QUERY_CHANNEL:
        return set_channel(value, (query->allowed & QUERY_SPLIT) != 0, &query->clip.channel);
    case QUERY_COLLECTION:
        return *value != '.' && set_name(value, query->collection, sizeof query->collection);
    case QUERY_LIMIT:
        return set_whole(value, 1000, &query->limit);
    case QUERY_AFTER:
        return set_name(value, query->after, sizeof query->after);
    case QUERY_CONFIRM:
        return set_name(value, query->confirm, sizeof query->confirm);
    case QUERY_TOP:
        return set_whole(value, 100, &query->top);
    case QUERY_IDENTIFY:
        return set_boolean(value, &query->identify);
    default:
        return false;
    }
}

bool query_judge(const struct query *query, struct problem *problem)
{
    if (query->num_speakers != 0 && (query->min_speakers != 0 || query->max_speakers != 0)) {
        problem_set_field(problem, "num_speakers",
                          "num_speakers says it all: leave out min_speakers and max_speakers");
        return false;
    }
    if (query->max_speakers != 0 && query->min_speakers > query->max_speakers) {
        problem_set_field(problem, "min_speakers", "min_speakers is above max_speakers");
        return false;
    }
    return true;
}

/* In the order of their bits. */
static const struct {
    const char *name, *expected;
} options[] = {
    {"normalize", "true or false"},
    {"encoding", "float or base64"},
    {"threshold", "a number from -1 to 1"},
    {"num_speakers", "a whole number from 1 to 20"},
    {"min_speakers", "a whole number from 1 to 20"},
    {"max_speakers", "a whole number from 1 to 20"},
    {"engine", "auto, vad or segmentation"},
    {"min_on", "a number of seconds from 0 to 5"},
    {"min_off", "a number of seconds from 0 to 5"},
    {"embeddings", "true or false"},
    {"format", "json, rttm, transcript or text"},
    {"uri", "1 to 64 of the characters A-Z a-z 0-9 . _ -"},
    {"on_damage", "refuse or accept"},
    {"speech_only", "true or false"},
    {"channel", "mix, left, right or a number from 1 to 8; of /diarize also split"},
    {"collection", "1 to 64 of the characters A-Z a-z 0-9 . _ -, the first no dot"},
    {"limit", "a whole number from 1 to 1000"},
    {"after", "the id of a voice"},
    {"confirm", "the name of the collection to be emptied"},
    {"top", "a whole number from 1 to 100"},
    {"identify", "true or false"},
};
enum { N_OPTIONS = sizeof options / sizeof options[0] };
_Static_assert((int)N_OPTIONS <= (int)QUERY_MAX_OPTIONS, "room for each in a form");
_Static_assert(1 << (N_OPTIONS - 1) == QUERY_IDENTIFY, "an option for each bit");

/* The option's bit; 0: there is none of that name. */
static unsigned bit_of(const char *name, const char **expected)
{
    for (unsigned i = 0; i < N_OPTIONS; i++) {
        *expected = options[i].expected;
        if (strcmp(name, options[i].name) == 0)
            return 1U << i;
    }
    return 0;
}

bool query_takes(const struct query *query, const char *name)
{
    const char *expected;
    return (bit_of(name, &expected) & query->allowed) != 0;
}

bool query_set(struct query *query, const char *name, const char *value, struct problem *problem)
{
    const char *expected;
    const unsigned bit = bit_of(name, &expected);
    if ((bit & query->allowed) == 0 || (bit & query->seen) != 0) {
        problem_set_field(
            problem, name,
            bit & query->seen ? "option \"%s\" is given twice" : "unknown option \"%s\"", name);
        return false;
    }
    query->seen |= bit;
    if (set_option(bit, value, query))
        return true;
    problem_set_field(problem, name, "%s must be %s", name, expected);
    return false;
}

bool query_parse(const char *text, unsigned allowed, struct query *query, struct problem *problem)
{
    *query = (struct query){.allowed = allowed,
                            .normalize = true,
                            .uri = "audio",
                            .collection = "default",
                            .limit = 100,
                            .top = 5};
    if (text != NULL && strlen(text) > QUERY_MAX_BYTES) {
        problem_set_field(problem, "query", "the query is longer than %d bytes", QUERY_MAX_BYTES);
        return false;
    }
    while (text != NULL && *text != 0) {
        const char *end = strchrnul(text, '&');
        const char *equals = memchr(text, '=', (size_t)(end - text));
        char name[64], value[NAME_ROOM];
        if (!decode(text, equals != NULL ? equals : end, name, sizeof name) ||
            !decode(equals != NULL ? equals + 1 : end, end, value, sizeof value)) {
            problem_set_field(problem, "query", "the query cannot be decoded");
            return false;
        }
        if (!query_set(query, name, value, problem))
            return false;
        text = *end == '&' ? end + 1 : NULL;
    }
    return query_judge(query, problem);
}
