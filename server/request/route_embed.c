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

static bool read_body(struct job *job)
{
    const size_t n_clips = 1;
    struct part clip;
    if (!upload_find_clip(job, job->config->max_body_bytes, &clip, NULL) ||
        !job_set_sides(job, 1, &n_clips))
        return false;
    job->raw = !job->query.normalize;
    upload_fill_clip(&job->sides[0].clips[0], &clip, &job->query.clip);
    return true;
}

void route_embed_body(struct request *request)
{
    ON_LOOP();
    struct job *job = upload_begin(request, JOB_EMBED, read_body);
    if (job != NULL)
        request_submit(request, job);
}

static struct json_build timing(const struct request *request, uint64_t now_ns)
{
    const struct job_times times = job_times(request->ticket.job);
    struct json_build object = json_begin_object();
    json_put_number(&object, "queue", times.queue_ms);
    json_put_number(&object, "decode", times.decode_ms);
    json_put_number(&object, "features", times.fbank_ms);
    json_put_number(&object, "inference", times.forward_ms);
    json_put_number(&object, "total", clock_ms_since(request->started_ns, now_ns));
    return object;
}

void route_embed_done(struct request *request)
{
    ON_LOOP();
    const struct job *job = request->ticket.job;
    const struct clip *clip = &job->sides[0].clips[0];
    const struct vp_model_info *info = job->engine->info;
    uint64_t start = clock_now_ns();
    struct json_build root = json_begin_object();
    json_put_text(&root, "model", info->name);
    json_put_text(&root, "model_digest", info->digest);
    json_put_flag(&root, "untrained", info->untrained);
    json_put_count(&root, "dim", info->dim);
    json_put_embedding(&root, "embedding", job->sides[0].embedding, info->dim, job->query.base64);
    json_put_flag(&root, "normalized", job->query.normalize);
    json_put_number(&root, "norm", clip->norm);
    json_put_build(&root, "audio", json_audio(&clip->info));
    json_put_build(&root, "quality", json_quality(&clip->info));
    json_put_build(&root, "timing_ms", timing(request, start));
    json_put_text(&root, "request_id", request->id);
    request->encode_ms = clock_ms_since(start, clock_now_ns());
    (void)answer_json(request, MHD_HTTP_OK, root); /* on failure the state tells the caller */
}
