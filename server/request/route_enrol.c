/* PUT /voices/{id}, POST /voices/{id}/clips: clips to a known voice. */
#include "request/answer.h"
#include "request/lifecycle.h"
#include "request/upload.h"
#include "request/voice_json.h"
#include "request/voice_request.h"
#include "request/voice_upload.h"
#include "util/thread.h"

#include <stdio.h>

void route_enrol_head(struct request *request)
{
    ON_LOOP();
    if (voice_request_read(request))
        voice_request_open(request);
}

static void enrol(struct request *request, enum change_kind kind)
{
    struct job *job = upload_begin(request, JOB_ENROL, voice_upload_enrolment);
    if (job == NULL)
        return;
    if (voice_request_change(request, job, kind))
        request_submit(request, job);
    else
        job_free(job);
}

void route_enrol_body(struct request *request)
{
    ON_LOOP();
    enrol(request, CHANGE_REPLACE);
}

void route_add_body(struct request *request)
{
    ON_LOOP();
    enrol(request, CHANGE_ADD);
}

/* What is to be said of the clips, each word once, and of the voice. */
static struct json_build warnings(const struct job *job)
{
    struct json_build array = json_begin_array();
    unsigned bits = 0;
    for (size_t i = 0; i < job->n_sides; i++)
        for (size_t j = 0; j < job->sides[i].n_clips; j++)
            bits |= job->sides[i].clips[j].info.warnings;
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        if ((bits >> i & 1) != 0)
            json_put_text(&array, NULL, vp_warning_name(i));
    if (!job->change.voice->enrolled)
        json_put_text(&array, NULL, "too_little_speech");
    if (*job->change.similar != 0)
        json_put_text(&array, NULL, "similar_voice");
    return array;
}

/* The digest of the model that the voice is of: for a clip taken away not the request's. */
static const char *digest_of(const struct job *job)
{
    return *job->change.digest != 0 ? job->change.digest : job->engine->info->digest;
}

void route_enrol_done(struct request *request)
{
    ON_LOOP();
    const struct job *job = request->ticket.job;
    const struct change *change = &job->change;
    struct json_build root = voice_json(request, change->voice, digest_of(job));
    json_put_build(&root, "warnings", warnings(job));
    if (*change->similar != 0)
        json_put_text(&root, "similar_voice", change->similar);
    else
        json_put_null(&root, "similar_voice");
    snprintf(request->etag, sizeof request->etag, "%s", change->voice->etag);
    (void)answer_json(request, change->was_created ? MHD_HTTP_CREATED : MHD_HTTP_OK, root);
}
