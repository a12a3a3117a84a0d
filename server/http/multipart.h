/*
 * multipart/form-data (RFC 7578) of a body that is held whole: parts are slices of it, nothing is
 * copied. Strict: every delimiter on its own line, headers ended by an empty line, the closing
 * delimiter present; the number of parts and the size of their headers are capped.
 */
#ifndef VP_MULTIPART_H
#define VP_MULTIPART_H

#include "http/problem.h"

enum { MULTIPART_MAX_PARTS = 128, MULTIPART_MAX_HEADER_BYTES = 8192 };

struct part {
    char name[64];              /* form field; a longer one is refused */
    char content_type[128];     /* without parameters, lower case, "" when none */
    const unsigned char *bytes; /* borrowed from the body */
    size_t n_bytes;
};

/* Does the Content-Type say multipart/form-data? [any] */
bool multipart_is_type(const char *content_type);
/*
 * Splits bytes by the boundary of content_type. Fills parts[0 .. *n_parts), at most max_parts.
 * False: problem says what is malformed, as a bad request. [any]
 */
bool multipart_split(const char *content_type, const unsigned char *bytes, size_t n_bytes,
                     struct part *parts, size_t max_parts, size_t *n_parts,
                     struct problem *problem) VP_MUST_CHECK;

#endif
