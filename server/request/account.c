/* Metrics and the access log. */
#include "request/account.h"

#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

static void account_identities(struct request *request, const struct job *job)
{
    struct service *service = request->service;
    for (size_t i = 0; i < job->n_identified; i++) {
        const char *id = job->identified[i];
        const bool is_known = *id != 0;
        service->metrics.identified[is_known ? IDENTIFIED_KNOWN : IDENTIFIED_UNKNOWN]++;
        audit_log(&service->audit, is_known ? "voice-identified" : "voice-unknown", request->id,
                  job->query.collection, is_known ? id : NULL);
    }
}

void account_job(struct request *request)
{
    ON_LOOP();
    const struct job *job = request->ticket.job;
    struct metrics *metrics = &request->service->metrics;
    request->encode_ms = job->encode_ms;
    metrics_add_stage(metrics, STAGE_QUEUE, 1e-3 * job_times(job).queue_ms);
    if (job->status == VP_OK)
        account_identities(request, job);
    if (job->kind == JOB_DIARIZE) {
        request->audio_s = job->conversation.progress.heard_s;
        metrics->diarized_s += request->audio_s;
        return;
    }
    for (size_t i = 0; i < job->n_sides; i++) {
        for (size_t j = 0; j < job->sides[i].n_clips; j++) {
            const struct clip *clip = &job->sides[i].clips[j];
            if (clip->norm <= 0) /* not reached */
                continue;
            metrics_add_stage(metrics, STAGE_DECODE, 1e-3 * clip->decode_ms);
            metrics_add_stage(metrics, STAGE_FEATURES, 1e-3 * clip->fbank_ms);
            metrics_add_stage(metrics, STAGE_INFERENCE, 1e-3 * clip->forward_ms);
            request->audio_s += clip->info.used_s;
            for (unsigned k = 0; k < VP_N_WARNINGS; k++)
                metrics->warnings[k] += clip->info.warnings >> k & 1;
        }
    }
    metrics->audio_s += request->audio_s;
}

/* What the audit calls a change; NULL: nothing happened. */
static const char *event_of(const struct change *change)
{
    if (change->problem.kind != PROBLEM_NONE)
        return NULL;
    switch (change->kind) {
    case CHANGE_REPLACE:
        return "voice-enrolled";
    case CHANGE_ADD:
    case CHANGE_REMOVE_CLIP:
        return "voice-changed";
    case CHANGE_REMOVE:
        return "voice-deleted";
    case CHANGE_CLEAR:
        return "voices-deleted";
    }
    return NULL;
}

void account_change(struct service *service, const struct job *job)
{
    ON_LOOP();
    const struct change *change = &job->change;
    const char *event = event_of(change);
    metrics_add_stage(&service->metrics, STAGE_STORE, change->seconds);
    if (event != NULL)
        audit_log(&service->audit, event, job->request_id, change->collection,
                  change->kind == CHANGE_CLEAR ? NULL : change->id);
}

static void log_times(struct log_line *line, const struct job *job)
{
    const struct job_times times = job_times(job);
    log_number(line, "queue_ms", times.queue_ms);
    if (job->kind == JOB_DIARIZE) {
        log_number(line, "work_ms", job->conversation.work_ms);
        log_count(line, "slices", job->conversation.n_slices);
    } else {
        log_number(line, "decode_ms", times.decode_ms);
        log_number(line, "fbank_ms", times.fbank_ms);
        log_number(line, "infer_ms", times.forward_ms);
    }
}

static void write_access_line(const struct request *request, double total_ms)
{
    struct log_line line;
    const struct job *job = ticket_result(&request->ticket);
    const struct problem_rule *rule = problem_rule(request->problem.kind);
    log_begin(&line, LOG_INFO, "request");
    log_string(&line, "request_id", request->id);
    log_string(&line, "trace_id", *request->trace_id != 0 ? request->trace_id : NULL);
    log_string(&line, "method", *request->method != 0 ? request->method : NULL);
    /* A path nobody serves may carry anything: only known ones are written. */
    log_string(&line, "path", request->route->path != NULL ? request->route->path : "other");
    log_count(&line, "status", request->status);
    log_string(&line, "problem", *rule->name != 0 ? rule->name : NULL);
    log_count(&line, "bytes_in", request->body.counted_bytes);
    log_number(&line, "audio_s", request->audio_s);
    if (job != NULL)
        log_times(&line, job);
    log_number(&line, "total_ms", total_ms);
    log_string(&line, "peer", request->connection->peer);
    log_end(&line);
}

void account_request(const struct request *request)
{
    ON_LOOP();
    struct metrics *metrics = &request->service->metrics;
    double total_ms = clock_ms_since(request->started_ns, clock_now_ns());
    metrics_count_request(metrics, request->route->label, request->status, 1e-3 * total_ms);
    if (request->encode_ms > 0)
        metrics_add_stage(metrics, STAGE_ENCODE, 1e-3 * request->encode_ms);
    write_access_line(request, total_ms);
}
