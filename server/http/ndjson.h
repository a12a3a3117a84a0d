/*
 * An answer that comes in lines of JSON (application/x-ndjson): progress at least every few
 * seconds, so that nothing on the way takes a long piece of work for a dead connection, then the
 * answer or the problem as the last line. Between two lines the connection is suspended.
 */
#ifndef VP_NDJSON_H
#define VP_NDJSON_H

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

struct ndjson {
    bool is_wanted;    /* the client accepts lines */
    bool is_open;      /* the answer has begun, or does so in the next call of libmicrohttpd */
    bool is_suspended; /* nothing to say at the moment */
    bool is_over;      /* nothing comes after `last` */
    bool is_cut;       /* the client left */
    char line[96];     /* of progress: n_sent of n_line bytes are out */
    size_t n_line, n_sent;
    uint64_t line_ns; /* when it was made */
    char *last;       /* owned; NULL when over: memory was short */
    size_t n_last, n_last_sent;
};

/* Does an Accept header, or NULL, ask for lines? [any] */
bool ndjson_accepted(const char *accept);
/* Opens the answer of a suspended request; a run of its listener must follow, here and below
 * [loop]. */
void ndjson_open(struct request *request);
/* The call of libmicrohttpd that follows ndjson_open. [loop] */
enum MHD_Result ndjson_begin(struct request *request);
/* A line of progress, when one is due. [loop] */
void ndjson_progress(struct request *request, uint64_t now_ns);
/* The last line; takes root, NULL: the answer breaks off. [loop] */
void ndjson_end(struct request *request, json_t *root);
void ndjson_cut(struct request *request); /* [loop] no more lines: nobody reads them */

#endif
