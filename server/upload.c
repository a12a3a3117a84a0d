/* Parts to clips. The container is decided by its magic, in the engine; a type is only a hint. */
#include "upload.h"

#include "server.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

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

bool upload_judge_clip(struct request *request, const struct part *part)
{
    size_t max_bytes = request->server->config->max_body_bytes;
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

void upload_fill_clip(struct clip *clip, const struct part *part)
{
    clip->bytes = part->bytes;
    clip->n_bytes = part->n_bytes;
    clip->type_guessed = upload_is_guess(part->content_type);
}
