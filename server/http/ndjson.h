/*
 * An answer that comes in lines of JSON (application/x-ndjson): progress at least every few
 * seconds, so that nothing on the way takes a long piece of work for a dead connection, then the
 * answer or the problem as the last line. Between two lines the connection is suspended; after a
 * call that may wake it (open, progress, repeat, end, cut) a run of its listener must follow.
 */
#ifndef VP_NDJSON_H
#define VP_NDJSON_H

#include "diarization.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ndjson_state {
    NDJSON_NOT_WANTED = 0, /* one whole answer */
    NDJSON_WANTED,         /* the client accepts lines; none has been promised yet */
    NDJSON_OPEN,           /* the answer has begun, or does so in libmicrohttpd's next call */
    NDJSON_OVER,           /* nothing comes after `last` */
    NDJSON_CUT             /* the client left: nobody reads */
};

struct ndjson {
    enum ndjson_state state;
    struct MHD_Connection *handle; /* borrowed, from ndjson_open on */
    bool is_suspended;             /* there is nothing to say at the moment */
    char line[96];                 /* of progress: n_sent of n_line bytes are out */
    size_t n_line, n_sent;
    uint64_t line_ns; /* when it was made */
    char *last;       /* owned; NULL when over: memory was short */
    size_t n_last, n_last_sent;
};

extern const char ndjson_media_type[];

/* Does an Accept header, or NULL, ask for lines? [any] */
bool ndjson_accepted(const char *accept);
/* Has the answer begun, so that nothing but lines can follow? [loop] */
bool ndjson_has_begun(const struct ndjson *stream);
/* Begins with a first line of progress. [loop] */
void ndjson_open(struct ndjson *stream, struct MHD_Connection *handle,
                 const struct vp_diarize_progress *progress);
/* Hands the lines to libmicrohttpd; context is the stream. [loop] */
ssize_t ndjson_read(void *context, uint64_t position, char *into, size_t room);
/* A line of progress, when one is due. NULL: no news can be had, the last line is repeated now and
 * then. [loop] */
void ndjson_progress(struct ndjson *stream, const struct vp_diarize_progress *news,
                     uint64_t now_ns);
/* The last line of progress once more, if all of it is out. [loop] */
void ndjson_repeat(struct ndjson *stream);
/* The last line: text of n_bytes without a newline, malloc'd and taken; NULL: the answer breaks
 * off. [loop] */
void ndjson_end(struct ndjson *stream, char *text, size_t n_bytes);
void ndjson_cut(struct ndjson *stream);   /* [loop] nothing more is said */
void ndjson_close(struct ndjson *stream); /* [loop] frees; legal on a zeroed one */

#endif
