/*
 * JSON in and out. Out: the pieces that answers share. In: the bodies of /compare and stored
 * embeddings.
 */
#ifndef VP_JSON_H
#define VP_JSON_H

#include "diarization.h"
#include "http/json_build.h"
#include "http/problem.h"

enum { JSON_MAX_BYTES = 1 << 20 };

/* A string that may hold anything from outside: bytes that are no plain ASCII become '?'. NULL when
 * memory is short. [any] */
json_t *json_text(const char *text);
/* [dim] numbers, or one string of base64 over little-endian float32. [any] */
void json_put_embedding(struct json_build *build, const char *key, const float *embedding,
                        size_t dim, bool base64);
struct json_build json_audio(const struct vp_clip_info *info);   /* [any] the object "audio" */
struct json_build json_quality(const struct vp_clip_info *info); /* [any] the object "quality" */
/* A string without bytes of outside, or null. [any] */
void json_put_text_or_null(struct json_build *build, const char *key, const char *text);
/* {name, digest, license, origin}, or null for none. [any] */
void json_put_segmentation(struct json_build *build, const char *key,
                           const vp_segmentation *segmentation);
/* The text of an answer, malloc'd; NULL: problem says why there is none. Takes root. [any] */
char *json_take_answer(struct json_build root, size_t *n_bytes, struct problem *problem);
/* problem+json for one request. [loop] */
struct json_build json_problem(const struct problem *problem, const char *request_id,
                               size_t queue_depth);

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
