/*
 * The table of endpoints. A route says what the headers alone decide (method, key, options) and
 * has up to three steps, all on the loop:
 *
 *   on_head  of a POST: judges the content type, sets the body's limit
 *   on_body  the request is whole: answer, or submit a job
 *   on_done  the job came back good: answer
 *
 * A step that finds a problem fills request->problem and returns.
 */
#ifndef VP_ROUTES_H
#define VP_ROUTES_H

#include "http/metrics.h"

#include <stdbool.h>

struct request;

struct route {
    const char *path; /* NULL: any other */
    enum route_label label;
    bool is_post;
    bool needs_key;
    bool needs_engine; /* 503 not-ready or draining otherwise */
    bool is_admin;     /* on admin_listen when there is one, probes on both */
    bool is_diarization;
    unsigned options; /* QUERY_* bits */
    void (*on_head)(struct request *request);
    void (*on_body)(struct request *request);
    void (*on_done)(struct request *request);
};

/* The route of a path without /v1; never NULL: unknown paths have one too (path NULL). [any] */
const struct route *routes_find(const char *path);

void route_embed_head(struct request *request); /* [loop], as all steps */
void route_embed_body(struct request *request);
void route_embed_done(struct request *request);
void route_compare_head(struct request *request);
void route_compare_body(struct request *request);
void route_compare_done(struct request *request);
void route_diarize_head(struct request *request);
void route_diarize_body(struct request *request);
void route_diarize_done(struct request *request);
void route_info_answer(struct request *request);
void route_livez_answer(struct request *request);
void route_readyz_answer(struct request *request);
void route_metrics_answer(struct request *request);
void route_asset_answer(struct request *request);

#endif
