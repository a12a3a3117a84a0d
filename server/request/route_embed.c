/* POST /embed: one clip to one embedding. */
#include "request/answer.h"
#include "request/lifecycle.h"
#include "request/upload.h"
#include "util/clock.h"
#include "util/thread.h"

void route_embed_head(struct request *request)
{
    ON_LOOP();
    request->max_body_bytes = upload_max_bytes(request->service->config->max_body_bytes,
                                               multipart_is_type(request->head.content_type));
    request->needs_worker = true;
}

void route_embed_body(struct request *request)
{
    ON_LOOP();
    struct part clip;
    size_t n_clips = 1;
    if (!upload_find_clip(request, request->service->config->max_body_bytes, &clip))
        return;
    struct job *job = job_new(JOB_EMBED, request->service->engine, 1, &n_clips);
    if (job == NULL) {
        problem_set_no_memory(&request->problem);
        return;
    }
    job->raw = !request->query.normalize;
    upload_fill_clip(&job->sides[0].clips[0], &clip);
    body_move(&request->body, &job->body);
    request_submit(request, job);
}

void route_embed_done(struct request *request)
{
    ON_LOOP();
    const struct job *job = request->ticket.job;
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
    (void)answer_json(request, MHD_HTTP_OK, root); /* on failure the state tells the caller */
}
