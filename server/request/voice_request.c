/* Paths, conditions and the store. */
#include "request/voice_request.h"

#include "http/json.h"
#include "http/multipart.h"
#include "request/lifecycle.h"
#include "request/upload.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path is /voices/ID, with more behind it or not; the route has seen to that. */
bool voice_request_read(struct request *request)
{
    ON_LOOP();
    static const char clips[] = "/clips/";
    const char *id = request->path + strlen("/voices/");
    const size_t n = strcspn(id, "/");
    snprintf(request->voice_id, sizeof request->voice_id, "%.*s", (int)n, id);
    if (n >= sizeof request->voice_id || !name_is_good(request->voice_id, VOICE_ID_ROOM))
        return problem_refuse_field(
            &request->problem, "id",
            "an id is 1 to 128 of the characters A-Z a-z 0-9 . _ -, the first no dot");
    if (strncmp(id + n, clips, strlen(clips)) != 0)
        return true;
    const char *number = id + n + strlen(clips);
    const size_t length = strlen(number);
    if (length > 9 || strspn(number, "0123456789") != length)
        return problem_refuse_field(&request->problem, "clip", "a clip is named by its number");
    request->clip_number = (unsigned)strtoul(number, NULL, 10);
    return true;
}

void voice_request_open(struct request *request)
{
    ON_LOOP();
    const char *type = request->head.content_type;
    const size_t max_bytes = request->service->config->max_body_bytes;
    request->needs_worker = true;
    if (upload_is_json(type))
        request->max_body_bytes = JSON_MAX_BYTES;
    else
        request->max_body_bytes = multipart_is_type(type) ? 4 * max_bytes : max_bytes;
}

struct voice_set *voice_request_set(struct request *request)
{
    ON_LOOP();
    struct voice_set *set = store_hold_set(request->service->store);
    if (set == NULL)
        problem_set_not_read(&request->problem);
    return set;
}

bool voice_request_find(struct request *request, const struct voice_set *set, struct place *place)
{
    ON_LOOP();
    if (voice_set_find(set, request->query.collection, request->voice_id, place))
        return true;
    problem_set(&request->problem, PROBLEM_NOT_FOUND, "there is no such voice");
    return false;
}

bool voice_request_usable(struct request *request, const struct engine *engine,
                          const struct place *place)
{
    ON_LOOP();
    if (strcmp(place->gallery->digest, engine->info->digest) != 0)
        problem_set(&request->problem, PROBLEM_VOICE_UNUSABLE,
                    "the voice was enrolled with another model than the one loaded: enrol it anew "
                    "(PUT)");
    else if (!place->voice->enrolled)
        problem_set(&request->problem, PROBLEM_VOICE_UNUSABLE,
                    "the voice has %.1f s of speech, and %g s are wanted: add clips (POST to its "
                    "clips)",
                    place->voice->speech_s, request->service->config->enrol_min_speech_s);
    return request->problem.kind == PROBLEM_NONE;
}

static bool copy_tags(struct request *request, const char *name, char tags[MATCH_ROOM])
{
    const char *value = MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND, name);
    if (value == NULL)
        return true;
    if (strlen(value) >= MATCH_ROOM || *value == 0)
        return problem_refuse_field(&request->problem, name,
                                    "the header must be * or one or more ETags, in quotes");
    memcpy(tags, value, strlen(value) + 1);
    return true;
}

bool voice_request_change(struct request *request, struct job *job, enum change_kind kind)
{
    ON_LOOP();
    struct change *change = &job->change;
    change->kind = kind;
    snprintf(change->collection, sizeof change->collection, "%s", request->query.collection);
    snprintf(change->id, sizeof change->id, "%s", request->voice_id);
    change->clip = request->clip_number;
    return copy_tags(request, "If-Match", change->if_match) &&
           copy_tags(request, "If-None-Match", change->if_none_match);
}

void voice_request_store(struct request *request, enum change_kind kind)
{
    ON_LOOP();
    const struct service *service = request->service;
    struct job *job = job_new(JOB_ENROL, service->engine, service->config);
    if (job == NULL) {
        problem_set_no_memory(&request->problem);
        return;
    }
    if (voice_request_change(request, job, kind))
        request_store(request, job);
    else
        job_free(job);
}
