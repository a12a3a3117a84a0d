/*
 * Any bytes as a multipart body, the first line as its Content-Type: refused with a sentence, or
 * parts that lie within the body, in order and apart. libFuzzer's main; `make fuzz` runs it.
 */
#include "http/multipart.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { MAX_PARTS = 17 };

static void judge(const unsigned char *body, size_t n, const struct part *parts, size_t n_parts)
{
    const unsigned char *at = body;
    if (n_parts > MAX_PARTS)
        abort();
    for (size_t i = 0; i < n_parts; i++) {
        bool inside = parts[i].bytes >= at && parts[i].bytes + parts[i].n_bytes <= body + n;
        if (!inside || parts[i].name[0] == 0)
            abort();
        at = parts[i].bytes + parts[i].n_bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    char type[256];
    struct part parts[MAX_PARTS];
    struct problem problem = {0};
    size_t n_parts = 0;
    const uint8_t *line_end = n_bytes > 0 ? memchr(bytes, '\n', n_bytes) : NULL;
    size_t n_type = line_end != NULL ? (size_t)(line_end - bytes) : 0;
    if (line_end == NULL || n_type >= sizeof type)
        return 0;
    memcpy(type, bytes, n_type);
    type[n_type] = 0;
    size_t n_body = n_bytes - n_type - 1;
    unsigned char *body = malloc(n_body > 0 ? n_body : 1); /* an exact copy: no read beyond it */
    if (body == NULL)
        return 0;
    memcpy(body, line_end + 1, n_body);
    if (multipart_split(type, body, n_body, parts, MAX_PARTS, &n_parts, &problem))
        judge(body, n_body, parts, n_parts);
    else if (problem.kind != PROBLEM_BAD_REQUEST || problem.detail[0] == 0)
        abort();
    free(body);
    return 0;
}
