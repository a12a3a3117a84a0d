/*
 * The leaf below every answer: a response of libmicrohttpd and its headers. An answer has all its
 * headers or is none: short of memory a response becomes NULL, which all of these take.
 */
#ifndef VP_RESPONSE_H
#define VP_RESPONSE_H

#include <microhttpd.h>
#include <stddef.h>

/* From text, malloc'd and taken; NULL when text is NULL or memory is short. [loop] */
struct MHD_Response *response_of_text(char *text, size_t n_bytes);
/* From bytes that stay as they are until the program ends; NULL when memory is short. [loop] */
struct MHD_Response *response_of_static(const void *bytes, size_t n_bytes);
/* From what `reader` hands out until it says the end; NULL when memory is short. [loop] */
struct MHD_Response *response_of_lines(MHD_ContentReaderCallback reader, void *context);
/* One header more; when that fails the response is destroyed and set to NULL. [loop] */
void response_add(struct MHD_Response **response, const char *name, const char *value);

#endif
