/* GET and DELETE of known voices: /voices, /voices/{id}, /voices/{id}/clips/{clip}. */
#include "request/answer.h"
#include "request/voice_json.h"
#include "request/voice_request.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void route_voice_answer(struct request *request)
{
    ON_LOOP();
    struct place place;
    if (!voice_request_read(request))
        return;
    struct voice_set *set = voice_request_set(request);
    if (set != NULL && voice_request_find(request, set, &place)) {
        snprintf(request->etag, sizeof request->etag, "%s", place.voice->etag);
        (void)answer_json(request, MHD_HTTP_OK,
                          voice_json(request, place.voice, place.gallery->digest));
    }
    voice_set_release(set);
}

/* One more than asked for tells whether there is a next page. */
static struct json_build page(const struct request *request, const struct place *places, size_t n)
{
    const size_t limit = request->query.limit;
    struct json_build root = json_begin_object(), list = json_begin_array();
    json_put_text(&root, "collection", request->query.collection);
    for (size_t i = 0; i < n && i < limit; i++)
        json_put_build(
            &list, NULL,
            voice_json_short(request->service, places[i].voice, places[i].gallery->digest));
    json_put_build(&root, "voices", list);
    if (n > limit)
        json_put_text(&root, "next", places[limit - 1].voice->id);
    else
        json_put_null(&root, "next");
    json_put_text(&root, "request_id", request->id);
    return root;
}

void route_voices_answer(struct request *request)
{
    ON_LOOP();
    const struct query *query = &request->query;
    struct voice_set *set = voice_request_set(request);
    if (set == NULL)
        return;
    struct place *places = calloc(2 * ((size_t)query->limit + 1), sizeof *places);
    if (places == NULL) {
        problem_set_no_memory(&request->problem);
    } else {
        const size_t n =
            voice_set_page(set, query->collection, query->after, places, query->limit + 1);
        (void)answer_json(request, MHD_HTTP_OK, page(request, places, n));
    }
    free(places);
    voice_set_release(set);
}

void route_voice_delete(struct request *request)
{
    ON_LOOP();
    if (voice_request_read(request))
        voice_request_store(request, CHANGE_REMOVE);
}

void route_voice_deleted(struct request *request)
{
    ON_LOOP();
    (void)answer_empty(request, MHD_HTTP_NO_CONTENT);
}

void route_clip_delete(struct request *request)
{
    ON_LOOP();
    if (voice_request_read(request))
        voice_request_store(request, CHANGE_REMOVE_CLIP);
}

void route_voices_delete(struct request *request)
{
    ON_LOOP();
    const struct query *query = &request->query;
    if (strcmp(query->confirm, query->collection) == 0)
        voice_request_store(request, CHANGE_CLEAR);
    else
        problem_set_field(&request->problem, "confirm",
                          "this deletes all voices of the collection: say its name once more as "
                          "confirm");
}

void route_voices_deleted(struct request *request)
{
    ON_LOOP();
    struct json_build root = json_begin_object();
    json_put_text(&root, "collection", request->query.collection);
    json_put_count(&root, "deleted", request->ticket.job->change.n_removed);
    json_put_text(&root, "request_id", request->id);
    (void)answer_json(request, MHD_HTTP_OK, root);
}
