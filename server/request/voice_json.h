/* A known voice as answers show it. */
#ifndef VP_VOICE_JSON_H
#define VP_VOICE_JSON_H

#include "http/json_build.h"
#include "request/request.h"

/* id, enrolled, stale, clips, speech_s, missing_speech_s, coherence, created, changed; digest is of
 * the model it was made with. [loop] */
struct json_build voice_json_short(const struct service *service, const struct voice *voice,
                                   const char *digest);
/* The same with its collection, clip by clip, and with its metadata. [loop] */
struct json_build voice_json(const struct request *request, const struct voice *voice,
                             const char *digest);

#endif
