/* Voices to JSON. */
#include "request/voice_json.h"

#include "json_read.h"

#include <string.h>
#include <time.h>

static void put_time(struct json_build *root, const char *key, int64_t seconds)
{
    char text[32] = "";
    struct tm parts;
    const time_t at = seconds;
    if (gmtime_r(&at, &parts) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    json_put_text(root, key, text);
}

struct json_build voice_json_short(const struct service *service, const struct voice *voice,
                                   const char *digest)
{
    const double wanted_s = service->config->enrol_min_speech_s;
    struct json_build root = json_begin_object();
    json_put_text(&root, "id", voice->id);
    json_put_flag(&root, "enrolled", voice->enrolled);
    json_put_flag(&root, "stale", strcmp(digest, service->engine->info->digest) != 0);
    json_put_count(&root, "clips", voice->n_clips);
    json_put_number(&root, "speech_s", voice->speech_s);
    json_put_number(&root, "missing_speech_s", voice->enrolled ? 0 : wanted_s - voice->speech_s);
    json_put_number(&root, "coherence", voice->coherence);
    put_time(&root, "created", voice->created_s);
    put_time(&root, "changed", voice->changed_s);
    return root;
}

static struct json_build clip_details(const struct voice *voice)
{
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < voice->n_clips; i++) {
        struct json_build clip = json_begin_object();
        json_put_count(&clip, "clip", voice->clips[i].number);
        json_put_number(&clip, "speech_s", voice->clips[i].speech_s);
        json_put_build(&array, NULL, clip);
    }
    return array;
}

/* It was JSON when it came. */
static void put_metadata(struct json_build *root, const char *text)
{
    json_t *value = NULL;
    json_error_t where;
    if (text == NULL)
        json_put_null(root, "metadata");
    else if (vp_json_read(text, strlen(text), &value, &where) == VP_OK)
        json_put(root, "metadata", value);
    else
        json_put(root, "metadata", NULL); /* memory was short */
}

struct json_build voice_json(const struct request *request, const struct voice *voice,
                             const char *digest)
{
    struct json_build root = voice_json_short(request->service, voice, digest);
    json_put_text(&root, "collection", request->query.collection);
    json_put_build(&root, "clip_details", clip_details(voice));
    put_metadata(&root, voice->metadata);
    json_put_text(&root, "model_digest", digest);
    json_put_text(&root, "request_id", request->id);
    return root;
}
