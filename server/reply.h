/*
 * Answers: every one of them leaves through here, with the headers of the contract. After a call
 * the request is REPLYING, or the connection closes because memory was short.
 */
#ifndef VP_REPLY_H
#define VP_REPLY_H

#include "json.h"
#include "request.h"

/* text is malloc'd and taken; NULL (memory was short) becomes 503 without a body. [loop] */
enum MHD_Result reply_text(struct request *request, unsigned status, const char *type, char *text,
                           size_t n_bytes);
/* The same with bytes that live as long as the process. [loop] */
enum MHD_Result reply_static(struct request *request, unsigned status, const char *type,
                             const void *bytes, size_t n_bytes);
/* JSON, taken. [loop] */
enum MHD_Result reply_json(struct request *request, unsigned status, json_t *root);
/* request->problem. [loop] */
enum MHD_Result reply_problem(struct request *request);

#endif
