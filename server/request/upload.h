/* From a part of an upload to a clip of a job: what the routes that take audio share. */
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
/* The recording of a body: all of it, or the one part "file" of a form. Beside it a form may have a
 * part "transcript" where the route takes one (else transcript is NULL); without it
 * transcript->bytes is NULL. False: request->problem is set. [loop] */
bool upload_find_clip(struct request *request, size_t max_bytes, struct part *clip,
                      struct part *transcript);
/* Empty or over the limit of one clip: false and request->problem. [loop] */
bool upload_judge_clip(struct request *request, size_t max_bytes, const struct part *part);
/* options: how it is to be read. [loop] borrows the bytes */
void upload_fill_clip(struct clip *clip, const struct part *part,
                      const struct vp_clip_options *options);

#endif
