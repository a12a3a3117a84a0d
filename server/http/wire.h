/*
 * A strict reader of requests as they come over the wire (RFC 9112), beside libmicrohttpd's. That
 * one takes a head apart in place, so that afterwards NUL LF looks like CR LF, and it lets pass in
 * chunk lines what nobody may send. Two readers that take bytes apart differently are how a second
 * request is smuggled past a proxy: what this one does not take is refused.
 *
 * Lines end in CR LF and in nothing else; no line has a control byte but tab, none is folded; names
 * are tokens; a body is counted by one Content-Length or by chunks; the line of a chunk is short.
 */
#ifndef VP_WIRE_H
#define VP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_NAME_ROOM = 18,       /* of the longest name that matters */
    WIRE_VALUE_ROOM = 20,      /* of its value: 19 digits */
    WIRE_CHUNK_LINE_MAX = 256, /* size and extensions */
    WIRE_TRAILER_MAX = 4096    /* all trailer lines of a body */
};

enum wire_state {
    WIRE_START = 0, /* between requests; empty lines may come */
    WIRE_METHOD,
    WIRE_TARGET,
    WIRE_VERSION,
    WIRE_LINE, /* at the first byte of a header or trailer line */
    WIRE_NAME,
    WIRE_VALUE,
    WIRE_BODY,
    WIRE_CHUNK_SIZE,
    WIRE_CHUNK_EXTENSION,
    WIRE_CHUNK_DATA,
    WIRE_CHUNK_END,
    WIRE_FAULT
};

struct wire {
    enum wire_state state;
    bool after_cr;       /* a CR came: LF must */
    bool in_trailer;     /* lines belong to the end of a chunked body */
    uint64_t left_bytes; /* of a body or chunk */
    size_t n_line;       /* bytes of a chunk's line, or of all trailer lines */
    size_t n_version;    /* bytes of the version that came */
    char name[WIRE_NAME_ROOM], value[WIRE_VALUE_ROOM]; /* lower case; cut off */
    size_t n_name, n_value;
    size_t n_lengths, n_encodings;
    uint64_t declared_bytes;
    uint64_t n_heads;  /* that came whole */
    uint64_t n_bodies; /* requests that came whole */
    const char *fault; /* a sentence without its end; NULL: none yet */
    uint64_t fault_at; /* the request that has it, from 0 */
    bool fault_is_in_body;
};

/* Reads n bytes more; a struct of zeros is a fresh one. Returns how many of them come before the
 * first fault, all when there is none. [any] */
size_t wire_read(struct wire *wire, const void *bytes, size_t n);
/* Why request `index` of the connection, whose head somebody else takes for whole, is refused;
 * NULL: it is good. [any] */
const char *wire_judge(const struct wire *wire, uint64_t index);

#endif
