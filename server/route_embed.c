/* POST /embed: one clip to one embedding. */
#include "clock.h"
#include "multipart.h"
#include "queue.h"
#include "reply.h"
#include "server.h"
#include "thread.h"
#include "upload.h"

#include <string.h>

enum { MULTIPART_OVERHEAD_BYTES = 64 * 1024 };

void route_embed_head(struct request *request)
{
    ON_LOOP();
    size_t extra = multipart_is_type(request->head.content_type) ? MULTIPART_OVERHEAD_BYTES : 0;
    request->max_body_bytes = request->server->config->max_body_bytes + extra;
    request->needs_worker = true;
}

/* The clip of a body: all of it, or the one part "file". False: request->problem is set. */
static bool find_clip(struct request *request, struct part *clip)
{
    const char *type = request->head.content_type;
    if (!multipart_is_type(type)) {
        memset(clip, 0, sizeof *clip);
        clip->bytes = request->body.bytes;
        clip->n_bytes = request->body.n_bytes;
        upload_media_type(type, clip->content_type, sizeof clip->content_type);
        return true;
    }
    struct part parts[2];
    size_t n_parts = 0;
    if (!multipart_split(type, request->body.bytes, request->body.n_bytes, parts, 2, &n_parts,
                         &request->problem))
        return false;
    for (size_t i = 0; i < n_parts; i++) {
        if (strcmp(parts[i].name, "file") != 0) {
            problem_set_field(&request->problem, parts[i].name,
                              "unknown part \"%s\": /embed takes one part \"file\"", parts[i].name);
            return false;
        }
    }
    if (n_parts != 1) {
        problem_set_field(&request->problem, "file", "/embed takes exactly one part \"file\"");
        return false;
    }
    *clip = parts[0];
    return upload_judge_clip(request, clip);
}

void route_embed_body(struct request *request)
{
    ON_LOOP();
    struct part clip;
    size_t n_clips = 1;
    if (!find_clip(request, &clip))
        return;
    struct job *job = job_new(JOB_EMBED, request->server->engine, 1, &n_clips);
    if (job == NULL) {
        problem_set(&request->problem, PROBLEM_OVERLOADED_MEMORY, "memory is short; try again");
        return;
    }
    job->raw = !request->query.normalize;
    upload_fill_clip(&job->sides[0].clips[0], &clip);
    body_move(&request->body, &job->body);
    queue_submit(request, job);
}

void route_embed_done(struct request *request)
{
    ON_LOOP();
    const struct job *job = request->job;
    const struct clip *clip = &job->sides[0].clips[0];
    const struct vp_model_info *info = job->engine->info;
    uint64_t start = clock_now_ns();
    json_t *root =
        json_pack("{s:s, s:s, s:b, s:I, s:o, s:b, s:f, s:o, s:o, s:{s:f, s:f, s:f, s:f, s:f}, s:s}",
                  "model", info->name, "model_digest", info->digest, "untrained", info->untrained,
                  "dim", (json_int_t)info->dim, "embedding",
                  json_embedding(job->sides[0].embedding, info->dim, request->query.base64),
                  "normalized", request->query.normalize, "norm", clip->norm, "audio",
                  json_audio(&clip->info), "quality", json_quality(&clip->info), "timing_ms",
                  "queue", clock_ms_since(job->queued_ns, job->started_ns), "decode",
                  clip->decode_ms, "features", clip->fbank_ms, "inference", clip->forward_ms,
                  "total", clock_ms_since(request->started_ns, start), "request_id", request->id);
    request->encode_ms = clock_ms_since(start, clock_now_ns());
    (void)reply_json(request, MHD_HTTP_OK, root); /* on failure the state tells the caller */
}
