/*
 * What requests about known voices have in common: which voice they name, what is known now, and a
 * change on its way to the store.
 */
#ifndef VP_VOICE_REQUEST_H
#define VP_VOICE_REQUEST_H

#include "request/request.h"

/* All on the loop. Those that return false or NULL have set request->problem. */

/* Fills voice_id, and clip_number where the path has one. */
bool voice_request_read(struct request *request) VP_MUST_CHECK;
/* on_head of what takes recordings, or embeddings as JSON: the limit of the body. */
void voice_request_open(struct request *request);
/* The set as it is, a reference. */
struct voice_set *voice_request_set(struct request *request);
/* The voice that the request names, which must be there; borrowed from set. */
bool voice_request_find(struct request *request, const struct voice_set *set,
                        struct place *place) VP_MUST_CHECK;
/* Can it be matched with what that engine embeds? */
bool voice_request_usable(struct request *request, const struct engine *engine,
                          const struct place *place) VP_MUST_CHECK;
/* Says in the job what is to be changed: the request's voice, under its conditions. */
bool voice_request_change(struct request *request, struct job *job,
                          enum change_kind kind) VP_MUST_CHECK;
/* A change that needs nothing but the store: the request is suspended, or has a problem. */
void voice_request_store(struct request *request, enum change_kind kind);

#endif
