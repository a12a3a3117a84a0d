/* multipart/form-data, split in place. */
#include "http/multipart.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_BOUNDARY = 70 /* RFC 2046 */ };

struct cursor {
    const unsigned char *at, *end;
};

bool multipart_is_type(const char *content_type)
{
    static const char type[] = "multipart/form-data";
    if (content_type == NULL || strncasecmp(content_type, type, sizeof type - 1) != 0)
        return false;
    char next = content_type[sizeof type - 1];
    return next == 0 || next == ';' || next == ' ' || next == '\t';
}

/* The value of a parameter, `; name=token` or `; name="quoted"`, in a header value that ends at
 * `end`. Returns its length; -1 when absent, malformed or longer than room allows. */
static int parameter(const char *value, const char *end, const char *name, char *out, size_t room)
{
    size_t n_name = strlen(name);
    const char *at = memchr(value, ';', (size_t)(end - value));
    while (at != NULL && at < end) {
        at++;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        bool wanted =
            (size_t)(end - at) > n_name && strncasecmp(at, name, n_name) == 0 && at[n_name] == '=';
        while (at < end && *at != '=' && *at != ';')
            at++;
        if (at >= end || *at == ';')
            continue;
        at++;
        bool quoted = at < end && *at == '"';
        at += quoted;
        size_t n = 0;
        while (at < end && (quoted ? *at != '"' : *at != ';' && *at != ' ' && *at != '\t')) {
            if (quoted && *at == '\\' && at + 1 < end)
                at++;
            if (n + 1 >= room && wanted)
                return -1;
            if (wanted)
                out[n++] = *at;
            at++;
        }
        if (quoted && at++ >= end)
            return -1;
        if (wanted) {
            out[n] = 0;
            return memchr(out, 0, n) == NULL ? (int)n : -1;
        }
        while (at < end && *at != ';')
            at++;
    }
    return -1;
}

static bool is_boundary_byte(char c)
{
    return c != 0 && (isalnum((unsigned char)c) || strchr("'()+_,-./:=? ", c) != NULL);
}

static bool find_boundary(const char *content_type, char delimiter[MAX_BOUNDARY + 5], size_t *n)
{
    char boundary[MAX_BOUNDARY + 1];
    int length = parameter(content_type, content_type + strlen(content_type), "boundary", boundary,
                           sizeof boundary);
    if (length <= 0 || boundary[length - 1] == ' ')
        return false;
    for (int i = 0; i < length; i++)
        if (!is_boundary_byte(boundary[i]))
            return false;
    *n = (size_t)snprintf(delimiter, MAX_BOUNDARY + 5, "\r\n--%s", boundary);
    return true;
}

/* One header line [line, end) of a part. */
static bool take_header(const char *line, const char *end, struct part *part)
{
    static const char disposition[] = "content-disposition:", type[] = "content-type:";
    size_t n = (size_t)(end - line);
    if (memchr(line, ':', n) == NULL || memchr(line, 0, n) != NULL)
        return false;
    if (n >= sizeof disposition - 1 &&
        strncasecmp(line, disposition, sizeof disposition - 1) == 0) {
        const char *value = line + sizeof disposition - 1;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        return (size_t)(end - value) > 9 && strncasecmp(value, "form-data", 9) == 0 &&
               part->name[0] == 0 &&
               parameter(value, end, "name", part->name, sizeof part->name) > 0;
    }
    if (n >= sizeof type - 1 && strncasecmp(line, type, sizeof type - 1) == 0) {
        const char *value = line + sizeof type - 1;
        size_t length = 0;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        for (; value < end && *value != ';' && *value != ' ' && *value != '\t'; value++)
            if (length + 1 < sizeof part->content_type)
                part->content_type[length++] = (char)tolower((unsigned char)*value);
        part->content_type[length] = 0;
    }
    return true;
}

/* The headers of a part, up to and with the empty line. Advances the cursor to the content. */
static bool take_headers(struct cursor *cursor, struct part *part)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    size_t window = left < MULTIPART_MAX_HEADER_BYTES ? left : MULTIPART_MAX_HEADER_BYTES;
    const unsigned char *limit = cursor->at + window;
    while (cursor->at < limit) {
        const unsigned char *end = memmem(cursor->at, (size_t)(limit - cursor->at), "\r\n", 2);
        if (end == NULL)
            return false;
        const unsigned char *line = cursor->at;
        cursor->at = end + 2;
        if (end == line)
            return part->name[0] != 0;
        if (!take_header((const char *)line, (const char *)end, part))
            return false;
    }
    return false;
}

/* Behind a delimiter: "--" closes the body, else blanks and CRLF open the next part. */
static bool after_delimiter(struct cursor *cursor, bool *closed)
{
    *closed = cursor->end - cursor->at >= 2 && memcmp(cursor->at, "--", 2) == 0;
    if (*closed)
        return true;
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
    if (cursor->end - cursor->at < 2 || memcmp(cursor->at, "\r\n", 2) != 0)
        return false;
    cursor->at += 2;
    return true;
}

/* The first delimiter in bytes[n_bytes], NULL: none. Linear in n_bytes whatever they are: no byte
 * of a delimiter but its first is a CR, so what was compared in vain holds no other beginning.
 * memmem() is not: a body of "ababab" takes it as many steps for each byte as such a boundary is
 * long. */
static const unsigned char *find_delimiter(const unsigned char *bytes, size_t n_bytes,
                                           const char *delimiter, size_t n)
{
    const unsigned char *end = bytes + n_bytes;
    while ((size_t)(end - bytes) >= n) {
        if (*bytes != '\r') /* spares a call for each of many CRs */
            bytes = memchr(bytes, '\r', (size_t)(end - bytes) - (n - 1));
        if (bytes == NULL)
            return NULL;
        size_t same = 1;
        while (same < n && bytes[same] == (unsigned char)delimiter[same])
            same++;
        if (same == n)
            return bytes;
        bytes += same;
    }
    return NULL;
}

/* The first delimiter: at the very start, or behind a preamble and CRLF. */
static bool skip_preamble(struct cursor *cursor, const char *delimiter, size_t n)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    if (left >= n - 2 && memcmp(cursor->at, delimiter + 2, n - 2) == 0) {
        cursor->at += n - 2;
        return true;
    }
    const unsigned char *found = find_delimiter(cursor->at, left, delimiter, n);
    if (found != NULL)
        cursor->at = found + n;
    return found != NULL;
}

bool multipart_split(const char *content_type, const unsigned char *bytes, size_t n_bytes,
                     struct part *parts, size_t max_parts, size_t *n_parts, struct problem *problem)
{
    char delimiter[MAX_BOUNDARY + 5];
    size_t n = 0;
    bool closed = false;
    struct cursor cursor = {bytes, bytes + n_bytes};
    *n_parts = 0;
    if (!find_boundary(content_type, delimiter, &n)) {
        problem_set_field(problem, "content-type", "the Content-Type has no valid boundary");
        return false;
    }
    if (bytes == NULL || !skip_preamble(&cursor, delimiter, n) ||
        !after_delimiter(&cursor, &closed)) {
        problem_set_field(problem, "body", "the multipart body does not begin with its boundary");
        return false;
    }
    while (!closed) {
        if (*n_parts == max_parts) {
            problem_set_field(problem, "body", "more than %zu parts in the multipart body",
                              max_parts);
            return false;
        }
        struct part *part = &parts[*n_parts];
        memset(part, 0, sizeof *part);
        if (!take_headers(&cursor, part)) {
            problem_set_field(problem, "body",
                              "part %zu of the multipart body has malformed or too long headers, "
                              "or no name",
                              *n_parts + 1);
            return false;
        }
        /* An empty part: its delimiter's CRLF is the one that ended the headers. */
        const unsigned char *content = cursor.at;
        size_t left = (size_t)(cursor.end - content);
        const unsigned char *end = find_delimiter(content - 2, left + 2, delimiter, n);
        cursor.at = end == NULL ? cursor.end : end + n;
        if (end == NULL || !after_delimiter(&cursor, &closed)) {
            problem_set_field(problem, part->name,
                              "the multipart body ends before the end of part \"%s\"", part->name);
            return false;
        }
        part->bytes = content;
        part->n_bytes = end > content ? (size_t)(end - content) : 0;
        (*n_parts)++;
    }
    return true;
}
