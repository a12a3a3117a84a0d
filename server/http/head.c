/* Framing, request id and trace id of a request's head. */
#include "http/head.h"

#include "http/body.h"
#include "util/thread.h"

#include <ctype.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

struct walk {
    struct head *head;
    const char *at; /* where the next line must begin */
    size_t n_lengths, n_encodings, n_hosts;
    const char *encoding;
    const char *fault; /* the first thing that is wrong */
};

/* RFC 9110 token characters. */
static bool is_token(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!isalnum(c) && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return n > 0;
}

/*
 * libmicrohttpd parses in place: `name` NUL blanks `value` NUL NUL, where the first NUL was the
 * colon and the last two were CR LF. Folding joins lines so that this no longer holds (and would
 * even let it build names out of pieces); a bare LF or a NUL in the value leaves one NUL only.
 */
bool head_line_is_plain(const char *name, const char *value, size_t n_value)
{
    const char *at = name + strlen(name) + 1;
    /* Compared as integers: after folding the two may lie in different allocations. */
    if ((uintptr_t)value < (uintptr_t)at || (uintptr_t)value > (uintptr_t)at + 32768)
        return false;
    for (; at < value; at++)
        if (*at != ' ' && *at != '\t')
            return false;
    return value[n_value] == 0 && value[n_value + 1] == 0;
}

static bool is_all_digits(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return n > 0 && n < 20;
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t n_name, const char *value, size_t n_value)
{
    (void)kind;
    struct walk *walk = context;
    struct head *head = walk->head;
    if (!is_token(name, n_name))
        walk->fault = "a header name has a byte that no name may have";
    else if (value == NULL || name != walk->at || !head_line_is_plain(name, value, n_value))
        walk->fault = "a header line is folded, ends in a bare LF, or has a NUL";
    else if (strcasecmp(name, "content-length") == 0) {
        walk->n_lengths++;
        if (!is_all_digits(value, n_value))
            walk->fault = "Content-Length is not a number";
        else
            head->declared_bytes = strtoull(value, NULL, 10);
    } else if (strcasecmp(name, "transfer-encoding") == 0) {
        walk->n_encodings++;
        walk->encoding = value;
    } else if (strcasecmp(name, "host") == 0) {
        walk->n_hosts++;
        head->host = value;
    } else if (strcasecmp(name, "content-type") == 0) {
        head->content_type = value;
    } else if (strcasecmp(name, "authorization") == 0) {
        head->authorization = value;
    } else if (strcasecmp(name, "origin") == 0) {
        head->origin = value;
    } else if (strcasecmp(name, "expect") == 0) {
        head->expect = value;
    } else if (strcasecmp(name, "accept") == 0) {
        head->accept = value;
    }
    walk->at = value + n_value + 2;
    return walk->fault == NULL ? MHD_YES : MHD_NO;
}

static const char *find_fault(const struct walk *walk, const char *url, const char *version)
{
    if (walk->fault != NULL)
        return walk->fault;
    for (const char *c = url; c < version; c++) /* up to the NUL that was the blank */
        if ((*c > 0 && *c <= ' ') || *c == 0x7f)
            return "the target has a blank or a control character";
    if (walk->n_lengths > 1)
        return "more than one Content-Length";
    if (walk->n_lengths > 0 && walk->n_encodings > 0)
        return "Content-Length together with Transfer-Encoding";
    if (walk->n_encodings > 1 ||
        (walk->n_encodings == 1 && strcasecmp(walk->encoding, "chunked") != 0))
        return "a Transfer-Encoding other than chunked";
    if (walk->n_encodings > 0 && strcmp(version, "HTTP/1.1") != 0)
        return "Transfer-Encoding in a request that is not HTTP/1.1";
    if (walk->n_hosts > 1)
        return "more than one Host";
    return NULL;
}

/* Method, target and version are one blank apart, and CR LF follows. */
static bool request_line_is_plain(const struct request_line *line)
{
    return line->url == line->method + strlen(line->method) + 1 &&
           line->version == line->url + line->n_target + 1 &&
           line->version[strlen(line->version) + 1] == 0;
}

bool head_read(struct MHD_Connection *connection, const struct request_line *line,
               const char *wire_fault, struct head *head, struct problem *problem)
{
    ON_LOOP();
    memset(head, 0, sizeof *head);
    struct walk walk = {.head = head, .at = line->version + strlen(line->version) + 2};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!request_line_is_plain(line))
        walk.fault = "the request line has a NUL, doubled blanks or a bare LF";
    else
        MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &walk);
    if (walk.fault == NULL && (info == NULL || walk.at + 2 != line->method + info->header_size))
        walk.fault = "a header line ends in a bare LF or has a NUL";
    const char *fault = find_fault(&walk, line->url, line->version);
    if (fault == NULL)
        fault = wire_fault;
    if (fault != NULL) {
        problem_set_framing(problem, fault);
        return false;
    }
    if (walk.n_encodings > 0)
        head->declared_bytes = BODY_LENGTH_UNKNOWN;
    head->expects_continue = head->expect != NULL && strcasecmp(head->expect, "100-continue") == 0;
    return true;
}

void head_request_id(struct MHD_Connection *connection, char id[REQUEST_ID_ROOM])
{
    ON_LOOP();
    const char *theirs = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Request-Id");
    size_t n = theirs != NULL ? strlen(theirs) : 0;
    size_t i = 0;
    while (i < n && (isalnum((unsigned char)theirs[i]) || strchr("._-", theirs[i]) != NULL))
        i++;
    if (n > 0 && n < REQUEST_ID_ROOM && i == n) {
        memcpy(id, theirs, n + 1);
        return;
    }
    unsigned char random[16] = {0};
    if (getrandom(random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        for (size_t k = 0; k < sizeof random; k++)
            random[k] = (unsigned char)rand(); /* an id need not be secret, only present */
    for (size_t k = 0; k < sizeof random; k++)
        snprintf(id + 2 * k, 3, "%02x", random[k]);
}

/* version-traceid-parentid-flags: 00-<32 hex>-<16 hex>-<2 hex>, lower case, ids not all zero. */
bool head_parse_traceparent(const char *value, char id[TRACE_ID_ROOM])
{
    static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    id[0] = 0;
    if (value == NULL || strlen(value) < sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool hex = (value[i] >= '0' && value[i] <= '9') || (value[i] >= 'a' && value[i] <= 'f');
        if (form[i] == 'h' ? !hex : value[i] != '-')
            return false;
    }
    bool version_0 = strncmp(value, "00", 2) == 0;
    char next = value[sizeof form - 1];
    if (strncmp(value, "ff", 2) == 0 || (version_0 ? next != 0 : next != 0 && next != '-') ||
        strspn(value + 3, "0") >= 32 || strspn(value + 36, "0") >= 16)
        return false;
    memcpy(id, value + 3, 32);
    id[32] = 0;
    return true;
}

void head_trace_id(struct MHD_Connection *connection, char id[TRACE_ID_ROOM])
{
    ON_LOOP();
    (void)head_parse_traceparent(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "traceparent"), id);
}
