/*
 * The table of endpoints. A route says what the headers alone decide (method, key, options) and
 * has up to three steps, all on the loop:
 *
 *   on_head  where there is a body: judges the content type, sets its limit
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
    const char *path;   /* NULL: any other; {} stands for one segment of a path */
    const char *method; /* NULL: GET and HEAD */
    enum route_label label;
    bool takes_body;
    bool needs_key;
    unsigned scope;    /* which the key must have, a bit of enum key_scope; 0: any key will do */
    bool needs_voices; /* 404 where known voices are off */
    bool needs_engine; /* 503 not-ready or draining otherwise */
    bool is_admin;     /* on admin_listen when there is one, probes on both */
    bool is_diarization;
    unsigned options; /* QUERY_* bits */
    void (*on_head)(struct request *request);
    void (*on_body)(struct request *request);
    void (*on_done)(struct request *request);
};

/* The first route of a path without /v1; never NULL: unknown paths have one too (path NULL). [any]
 */
const struct route *routes_find(const char *path);
/* Of the routes of the same path, the one for that method; the route itself if there is none. [any]
 */
const struct route *routes_choose(const struct route *route, const char *method);
bool routes_take(const struct route *route, const char *method); /* [any] */
/* What the path takes, as in the header Allow; borrowed, static. [any] */
const char *routes_methods(const struct route *route);

void route_embed_head(struct request *request); /* [loop], as all steps */
void route_embed_body(struct request *request);
void route_embed_done(struct request *request);
void route_compare_head(struct request *request);
void route_compare_body(struct request *request);
void route_compare_done(struct request *request);
void route_diarize_head(struct request *request);
void route_diarize_body(struct request *request);
void route_diarize_done(struct request *request);
void route_identify_head(struct request *request);
void route_identify_body(struct request *request);
void route_identify_done(struct request *request);
void route_verify_head(struct request *request);
void route_verify_body(struct request *request);
void route_verify_done(struct request *request);
void route_enrol_head(struct request *request);
void route_enrol_body(struct request *request);
void route_add_body(struct request *request);
void route_enrol_done(struct request *request);
void route_voice_answer(struct request *request);
void route_voices_answer(struct request *request);
void route_voice_delete(struct request *request);
void route_voice_deleted(struct request *request);
void route_clip_delete(struct request *request);
void route_voices_delete(struct request *request);
void route_voices_deleted(struct request *request);
void route_info_answer(struct request *request);
void route_livez_answer(struct request *request);
void route_readyz_answer(struct request *request);
void route_metrics_answer(struct request *request);
void route_asset_answer(struct request *request);

#endif
