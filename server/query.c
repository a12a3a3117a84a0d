/* Query options: percent-decoded, known, at most once each. */
#include "query.h"

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

static bool set_option(const char *name, const char *value, struct query *query,
                       struct problem *problem)
{
    bool yes = strcmp(value, "true") == 0;
    if (strcmp(name, "normalize") == 0) {
        query->normalize = yes;
        if (yes || strcmp(value, "false") == 0)
            return true;
        problem_set_field(problem, name, "normalize must be true or false");
        return false;
    }
    if (strcmp(name, "encoding") == 0) {
        query->base64 = strcmp(value, "base64") == 0;
        if (query->base64 || strcmp(value, "float") == 0)
            return true;
        problem_set_field(problem, name, "encoding must be float or base64");
        return false;
    }
    char *end = NULL;
    errno = 0;
    query->threshold = strtod(value, &end);
    query->has_threshold = true;
    /* strtod also takes hex and "inf": only what looks like a plain number is let through. */
    if (errno == 0 && end != value && *end == 0 &&
        strspn(value, "+-.0123456789eE") == strlen(value) && query->threshold >= -1 &&
        query->threshold <= 1)
        return true;
    problem_set_field(problem, name, "threshold must be a number from -1 to 1");
    return false;
}

bool query_parse(const char *text, unsigned allowed, struct query *query, struct problem *problem)
{
    static const char *const names[] = {"normalize", "encoding", "threshold"};
    unsigned seen = 0;
    *query = (struct query){.normalize = true};
    if (text != NULL && strlen(text) > QUERY_MAX_BYTES) {
        problem_set_field(problem, "query", "the query is longer than %d bytes", QUERY_MAX_BYTES);
        return false;
    }
    while (text != NULL && *text != 0) {
        const char *end = strchrnul(text, '&');
        const char *equals = memchr(text, '=', (size_t)(end - text));
        char name[64], value[64];
        if (!decode(text, equals != NULL ? equals : end, name, sizeof name) ||
            !decode(equals != NULL ? equals + 1 : end, end, value, sizeof value)) {
            problem_set_field(problem, "query", "the query cannot be decoded");
            return false;
        }
        unsigned bit = 0;
        for (unsigned i = 0; i < 3; i++)
            if (strcmp(name, names[i]) == 0)
                bit = 1U << i;
        if ((bit & allowed) == 0 || (bit & seen) != 0) {
            problem_set_field(problem, name,
                              bit & seen ? "option \"%s\" is given twice" : "unknown option \"%s\"",
                              name);
            return false;
        }
        if (!set_option(name, value, query, problem))
            return false;
        seen |= bit;
        text = *end == '&' ? end + 1 : NULL;
    }
    return true;
}
