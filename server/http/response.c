/* Responses of libmicrohttpd that are whole or NULL. */
#include "http/response.h"

#include "util/fault.h"

#include <stdint.h>
#include <stdlib.h>

enum { LINES_BYTES = 16 * 1024 }; /* what is asked of a reader at once */

struct MHD_Response *response_of_text(char *text, size_t n_bytes)
{
    struct MHD_Response *response =
        text == NULL || fault_hits(FAULT_REPLY)
            ? NULL
            : MHD_create_response_from_buffer(n_bytes, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    return response;
}

struct MHD_Response *response_of_static(const void *bytes, size_t n_bytes)
{
    /* What is persistent is only read, although the API takes no const. */
    return fault_hits(FAULT_REPLY) ? NULL
                                   : MHD_create_response_from_buffer(
                                         n_bytes, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
}

struct MHD_Response *response_of_lines(MHD_ContentReaderCallback reader, void *context)
{
    return fault_hits(FAULT_REPLY) ? NULL
                                   : MHD_create_response_from_callback(
                                         MHD_SIZE_UNKNOWN, LINES_BYTES, reader, context, NULL);
}

void response_add(struct MHD_Response **response, const char *name, const char *value)
{
    if (*response == NULL || MHD_add_response_header(*response, name, value) == MHD_YES)
        return;
    MHD_destroy_response(*response);
    *response = NULL;
}
