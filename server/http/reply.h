/*
 * Answers: every one of them leaves through here, with the headers of the contract. After a call
 * the request is REPLYING, or the connection closes because memory was short.
 */
#ifndef VP_REPLY_H
#define VP_REPLY_H

#include "http/assets.h"
#include "http/json.h"
#include "request/request.h"

/* text is malloc'd and taken; NULL: memory was short. [loop] */
enum MHD_Result reply_text(struct request *request, unsigned status, const char *type, char *text,
                           size_t n_bytes);
/* Headers alone. [loop] */
enum MHD_Result reply_empty(struct request *request, unsigned status);
/* A header beside those of every answer; a list of them ends with a NULL name. */
struct reply_header {
    const char *name, *value;
};
/* The asset with its tag, to be asked for again each time; 304 without its bytes when the client
 * has them already. headers may be NULL. [loop] */
enum MHD_Result reply_asset(struct request *request, const struct asset *asset, bool is_known,
                            const struct reply_header *headers);
/* One header more. Short of memory the response is destroyed and becomes NULL, which is legal here:
 * an answer has all its headers or is none. [loop] */
void reply_add_header(struct MHD_Response **response, const char *name, const char *value);
/* 200 and lines as `reader` has them, with request as its context. [loop] */
enum MHD_Result reply_lines(struct request *request, const char *type,
                            MHD_ContentReaderCallback reader);
/* JSON, taken. [loop] */
enum MHD_Result reply_json(struct request *request, unsigned status, json_t *root);
/* request->problem. [loop] */
enum MHD_Result reply_problem(struct request *request);

#endif
