/*
 * Answers to requests: every one of them leaves through here. After a call the request is REPLYING,
 * or FAILED because memory was short: then the connection closes. All on the loop.
 */
#ifndef VP_ANSWER_H
#define VP_ANSWER_H

#include "http/json.h"
#include "http/reply.h"
#include "request/request.h"

/* text is malloc'd and taken; NULL: memory was short. */
enum MHD_Result answer_text(struct request *request, unsigned status, const char *type, char *text,
                            size_t n_bytes);
enum MHD_Result answer_empty(struct request *request, unsigned status); /* headers alone */
/* 200, or 304 when the client has the asset already. headers may be NULL. */
enum MHD_Result answer_asset(struct request *request, const struct asset *asset,
                             const struct asset_form *form, bool is_known,
                             const struct reply_header *headers);
enum MHD_Result answer_lines(struct request *request); /* 200 and request->stream */
/* JSON, taken. A number in it that is not finite makes it inference-failed, a shortage of memory
 * overloaded-memory. */
enum MHD_Result answer_json(struct request *request, unsigned status, struct json_build root);
enum MHD_Result answer_problem(struct request *request); /* request->problem */
/* The same in mid-upload, where libmicrohttpd cannot answer: written to the socket by us, with the
 * same headers. What does not fit into the socket's buffer is lost; the connection has to end. */
void answer_on_socket(struct request *request);
void answer_last_problem(struct request *request); /* the same as the last line of lines */
/* The last line of request->stream: text without a newline is malloc'd and taken; NULL: memory was
 * short, and the answer breaks off. */
void answer_last_line(struct request *request, char *text, size_t n_bytes);

#endif
