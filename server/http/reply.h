/*
 * Answers with the headers of the contract: everything that leaves the service is made here. A
 * reply is a description; what it is made from belongs to whoever answers.
 */
#ifndef VP_REPLY_H
#define VP_REPLY_H

#include "http/assets.h"
#include "http/cors.h"
#include "http/problem.h"

#include <microhttpd.h>

/* What the headers of an answer say, whatever its body. All borrowed. */
struct reply {
    const char *request_id;
    const char *server_timing;
    const char *methods;          /* what the path takes, as in the header Allow */
    const char *etag;             /* of the voice that is answered, unquoted; "": none */
    enum problem_kind problem;    /* PROBLEM_NONE: it went well */
    unsigned retry_after_s;       /* of a problem that invites another try */
    bool close;                   /* the connection ends with the answer */
    const char *origins, *origin; /* as in struct cors */
    bool is_preflight;
};

/* One header more; a list of them ends with a NULL name. */
struct reply_header {
    const char *name, *value;
};

/* Each returns an owned response, NULL when memory is short. [loop] */

/* text is malloc'd and taken, NULL: memory was short. type NULL: headers alone. */
struct MHD_Response *reply_text(const struct reply *reply, const char *type, char *text,
                                size_t n_bytes);
/* Lines as `reader` has them. */
struct MHD_Response *reply_lines(const struct reply *reply, const char *type,
                                 MHD_ContentReaderCallback reader, void *context);
/* The asset in one of its forms with its tag, to be asked for again each time; without its bytes
 * when the client has them already (is_known, for a 304). Nothing is copied: clients that do not
 * read hold no memory. headers may be NULL. */
struct MHD_Response *reply_asset(const struct reply *reply, const struct asset *asset,
                                 const struct asset_form *form, bool is_known,
                                 const struct reply_header *headers);

#endif
