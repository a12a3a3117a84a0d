/*
 * JSON in and out. Out: the pieces that answers share, on jansson; numbers with nine significant
 * digits, which carry a float32 exactly. In: the bodies of /compare and stored embeddings.
 */
#ifndef VP_JSON_H
#define VP_JSON_H

#include "diarization.h"
#include "http/problem.h"

#include <jansson.h>

enum { JSON_MAX_BYTES = 1 << 20 };

/* A string that may hold anything from outside: bytes that are no plain ASCII become '?'. */
json_t *json_text(const char *text); /* [loop] */
/* array with value behind its last; takes both. NULL when either is, or memory is short. [any] */
json_t *json_append(json_t *array, json_t *value);
/* The same for an object and a member. [any] */
json_t *json_with(json_t *object, const char *key, json_t *value);
/* [n] numbers, or one string of base64 over little-endian float32. [loop] */
json_t *json_embedding(const float *embedding, size_t dim, bool base64);
json_t *json_audio(const struct vp_clip_info *info);   /* [loop] the object "audio" */
json_t *json_quality(const struct vp_clip_info *info); /* [loop] the object "quality" */
/* {name, digest}, or null for none. [loop] */
json_t *json_segmentation(const vp_segmentation *segmentation);
/* problem+json for one request. [loop] */
json_t *json_problem(const struct problem *problem, const char *request_id, size_t queue_depth);
/* Compact text of root, malloc'd; takes root, NULL when it is NULL or memory is short. [loop] */
char *json_take_text(json_t *root, size_t *n_bytes);

/*
 * A stored embedding: an object with "embedding" ([dim] numbers or base64), and optionally the
 * "model_digest" that it was made with, which must then be `digest`; other members, such as those
 * of an answer of /embed, are ignored. Fills embedding [dim], normalised. False: problem names
 * the member below `field`. [any]
 */
bool json_read_stored(const json_t *object, const char *field, const char *digest, size_t dim,
                      float *embedding, struct problem *problem) VP_MUST_CHECK;
/* Parses n bytes as one JSON object; NULL: problem says where it breaks. [any] Owned. */
json_t *json_read_object(const void *bytes, size_t n_bytes, const char *field,
                         struct problem *problem);

#endif
