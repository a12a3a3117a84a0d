/*
 * Any text as a query string: refused with a sentence, or options within their ranges. libFuzzer's
 * main; `make fuzz` runs it.
 */
#include "http/query.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct query query;
    struct problem problem = {0};
    char *text = malloc(n_bytes + 1); /* an exact copy: no read beyond its end */
    if (text == NULL)
        return 0;
    memcpy(text, bytes, n_bytes);
    text[n_bytes] = 0;
    unsigned all = QUERY_NORMALIZE | QUERY_DIARIZE;
    if (query_parse(text, all, &query, &problem)) {
        if (query.has_threshold && !(query.threshold >= -1 && query.threshold <= 1))
            abort();
        if (query.num_speakers > VP_DIARIZE_MAX_SPEAKERS || strlen(query.uri) < 1 ||
            strpbrk(query.uri, " /\\\n") != NULL || (query.has_min_on && !(query.min_on_s >= 0)) ||
            (query.num_speakers != 0 && query.max_speakers != 0))
            abort();
        if (*text == 0 && (!query.normalize || query.base64 || query.has_threshold))
            abort();
    } else if (problem.kind != PROBLEM_BAD_REQUEST || problem.detail[0] == 0) {
        abort();
    }
    free(text);
    return 0;
}
