/*
 * From an upload to a job, and from a part to a clip: what the routes that take audio share. A form
 * or JSON of more than 64 KiB is read by a worker, as the first thing it does for the job: the loop
 * has no time for it. What is shorter, or no more than a recording, is read at once.
 */
#ifndef VP_UPLOAD_H
#define VP_UPLOAD_H

#include "http/multipart.h"
#include "request/request.h"

/* The media type of a Content-Type header or NULL: lower case, without parameters. [any] */
void upload_media_type(const char *content_type, char *type, size_t room);
/* Does a media type leave open, or contradict, that this is audio? [any] */
bool upload_is_guess(const char *media_type);
/* The limit of a body that carries one recording of max_bytes: a form needs some more. [any] */
size_t upload_max_bytes(size_t max_bytes, bool is_form);
/* Is it JSON by its Content-Type header, or NULL? [any] */
bool upload_is_json(const char *content_type);
/* A job with the request's body and options, the body read by `read` unless that is a worker's
 * part. NULL: request->problem is set. The caller owns it. [loop] */
struct job *upload_begin(struct request *request, enum job_kind kind, job_reader *read);
/* Takes the options of the query among the parts of a form out of them and into job->query. False:
 * job->problem is set. [any] */
bool upload_take_options(struct job *job, struct part *parts, size_t *n_parts) VP_MUST_CHECK;
/* How many parts of a form may be options. [any] */
size_t upload_n_options(const struct job *job);
/* The recording of a body: all of it, or the one part "file" of a form. Beside it a form may have
 * options, and a part "transcript" where the route takes one (else transcript is NULL); without it
 * transcript->bytes is NULL. False: job->problem is set. [any] */
bool upload_find_clip(struct job *job, size_t max_bytes, struct part *clip,
                      struct part *transcript) VP_MUST_CHECK;
/* Empty or over the limit of one clip: false and problem. [any] */
bool upload_judge_clip(const struct part *part, size_t max_bytes,
                       struct problem *problem) VP_MUST_CHECK;
/* options: how it is to be read. [any] borrows the bytes */
void upload_fill_clip(struct clip *clip, const struct part *part,
                      const struct vp_clip_options *options);

#endif
