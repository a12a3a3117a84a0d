/* The query string: the options of the contract, each at most once; anything else is refused. */
#ifndef VP_QUERY_H
#define VP_QUERY_H

#include "problem.h"

enum { QUERY_MAX_BYTES = 2048 };

struct query {
    bool normalize;     /* default true */
    bool base64;        /* encoding=base64: little-endian float32 */
    bool has_threshold; /* threshold=x */
    double threshold;
};

enum { QUERY_NORMALIZE = 1, QUERY_ENCODING = 2, QUERY_THRESHOLD = 4 };

/* Parses text, the raw part behind '?' or NULL. `allowed` holds the bits of the options that the
 * route takes. False: problem names the option. [any] */
bool query_parse(const char *text, unsigned allowed, struct query *query,
                 struct problem *problem) VP_MUST_CHECK;

#endif
