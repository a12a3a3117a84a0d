/* The headers of the contract, for each kind of body. */
#include "http/reply.h"

#include "http/response.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_problem_headers(const struct reply *reply, struct MHD_Response **response)
{
    if (problem_rule(reply->problem)->retry) {
        char text[16];
        snprintf(text, sizeof text, "%u", reply->retry_after_s);
        response_add(response, "Retry-After", text);
    }
    if (reply->problem == PROBLEM_UNAUTHORIZED)
        response_add(response, "WWW-Authenticate", "Bearer");
    if (reply->problem == PROBLEM_METHOD_NOT_ALLOWED)
        response_add(response, "Allow", reply->methods);
}

static void put_etag(const char *etag, struct MHD_Response **response)
{
    char quoted[32];
    if (etag == NULL || *etag == 0)
        return;
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    response_add(response, "ETag", quoted);
}

static void put_headers(const struct reply *reply, struct MHD_Response **response)
{
    const struct cors cors = {.origins = reply->origins,
                              .origin = reply->origin,
                              .methods = reply->methods,
                              .is_preflight = reply->is_preflight};
    response_add(response, "X-Request-Id", reply->request_id);
    response_add(response, "X-Content-Type-Options", "nosniff");
    put_problem_headers(reply, response);
    response_add(response, "Server-Timing", reply->server_timing);
    put_etag(reply->etag, response);
    cors_put_headers(&cors, response);
    if (reply->close)
        response_add(response, "Connection", "close");
}

struct MHD_Response *reply_text(const struct reply *reply, const char *type, char *text,
                                size_t n_bytes)
{
    ON_LOOP();
    struct MHD_Response *response = response_of_text(text, n_bytes);
    if (type != NULL)
        response_add(&response, "Content-Type", type);
    response_add(&response, "Cache-Control", "no-store");
    put_headers(reply, &response);
    return response;
}

struct MHD_Response *reply_lines(const struct reply *reply, const char *type,
                                 MHD_ContentReaderCallback reader, void *context)
{
    ON_LOOP();
    struct MHD_Response *response = response_of_lines(reader, context);
    response_add(&response, "Content-Type", type);
    response_add(&response, "Cache-Control", "no-store");
    response_add(&response, "X-Accel-Buffering", "no"); /* nginx would hold the lines back */
    put_headers(reply, &response);
    return response;
}

struct MHD_Response *reply_asset(const struct reply *reply, const struct asset *asset,
                                 const struct asset_form *form, bool is_known,
                                 const struct reply_header *headers)
{
    ON_LOOP();
    struct MHD_Response *response = response_of_static(form->bytes, is_known ? 0 : form->n_bytes);
    response_add(&response, "Content-Type", asset->type);
    response_add(&response, "Cache-Control", "no-cache");
    response_add(&response, "ETag", form->etag);
    response_add(&response, "Vary", "Accept-Encoding");
    if (form == &asset->gzip)
        response_add(&response, "Content-Encoding", "gzip");
    for (; headers != NULL && headers->name != NULL; headers++)
        response_add(&response, headers->name, headers->value);
    put_headers(reply, &response);
    return response;
}
