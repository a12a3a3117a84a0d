/* Parts to clips. The container is decided by its magic, in the engine; a type is only a hint. */
#include "request/upload.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MULTIPART_OVERHEAD_BYTES = 64 * 1024 };

void upload_media_type(const char *content_type, char *type, size_t room)
{
    size_t n = 0;
    for (const char *c = content_type; c != NULL && *c != 0 && *c != ';' && n + 1 < room; c++)
        if (*c != ' ' && *c != '\t')
            type[n++] = (char)tolower((unsigned char)*c);
    type[n] = 0;
}

bool upload_is_guess(const char *media_type)
{
    return *media_type != 0 && strncmp(media_type, "audio/", 6) != 0 &&
           strcmp(media_type, "application/octet-stream") != 0 &&
           strcmp(media_type, "application/ogg") != 0;
}

bool upload_judge_clip(struct request *request, size_t max_bytes, const struct part *part)
{
    if (part->n_bytes == 0) {
        problem_set(&request->problem, PROBLEM_EMPTY_BODY, "part \"%s\" is empty", part->name);
        snprintf(request->problem.field, sizeof request->problem.field, "%s", part->name);
        return false;
    }
    if (part->n_bytes > max_bytes) {
        problem_set(&request->problem, PROBLEM_BODY_TOO_LARGE,
                    "part \"%s\" is larger than the %zu bytes that one clip may have", part->name,
                    max_bytes);
        request->problem.max_bytes = max_bytes;
        return false;
    }
    return true;
}

size_t upload_max_bytes(size_t max_bytes, bool is_form)
{
    return max_bytes + (is_form ? MULTIPART_OVERHEAD_BYTES : 0);
}

/* The part that a name stands for; NULL: the route takes none of that name. */
static struct part *place_of(const char *name, struct part *clip, struct part *transcript)
{
    if (strcmp(name, "file") == 0)
        return clip;
    return strcmp(name, "transcript") == 0 ? transcript : NULL;
}

bool upload_find_clip(struct request *request, size_t max_bytes, struct part *clip,
                      struct part *transcript)
{
    const char *type = request->head.content_type;
    memset(clip, 0, sizeof *clip);
    if (transcript != NULL)
        memset(transcript, 0, sizeof *transcript);
    if (!multipart_is_type(type)) {
        clip->bytes = request->body.bytes;
        clip->n_bytes = request->body.n_bytes;
        upload_media_type(type, clip->content_type, sizeof clip->content_type);
        return true;
    }
    const char *takes = transcript == NULL ? "" : ", and with it \"transcript\" or none";
    struct part parts[3];
    size_t n_parts = 0;
    if (!multipart_split(type, request->body.bytes, request->body.n_bytes, parts, 3, &n_parts,
                         &request->problem))
        return false;
    for (size_t i = 0; i < n_parts; i++) {
        struct part *place = place_of(parts[i].name, clip, transcript);
        if (place == NULL) {
            problem_set_field(&request->problem, parts[i].name,
                              "unknown part \"%s\": %s takes one part \"file\"%s", parts[i].name,
                              request->route->path, takes);
            return false;
        }
        if (place->bytes != NULL) {
            problem_set_field(&request->problem, parts[i].name, "%s takes exactly one part \"%s\"",
                              request->route->path, parts[i].name);
            return false;
        }
        *place = parts[i];
    }
    if (clip->bytes == NULL) {
        problem_set_field(&request->problem, "file", "%s takes exactly one part \"file\"%s",
                          request->route->path, takes);
        return false;
    }
    return upload_judge_clip(request, max_bytes, clip);
}

void upload_fill_clip(struct clip *clip, const struct part *part,
                      const struct vp_clip_options *options)
{
    clip->options = *options;
    clip->bytes = part->bytes;
    clip->n_bytes = part->n_bytes;
    clip->type_guessed = upload_is_guess(part->content_type);
}
