/* Bearer keys from a file. */
#include "config/keys.h"

#include <ctype.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_KEYS = 1024 };

struct keys {
    size_t n;
    unsigned char key[][KEY_MAX_BYTES]; /* zero padded */
};

static enum vp_status fail(struct vp_err *err, enum vp_status status, size_t line, const char *what)
{
    memset(err, 0, sizeof *err);
    err->status = status;
    if (line > 0)
        snprintf(err->message, sizeof err->message, "api_keys_file, line %zu: %s", line, what);
    else
        snprintf(err->message, sizeof err->message, "api_keys_file: %s", what);
    return status;
}

/* One line without its newline: a key, or nothing. */
static enum vp_status take_line(struct keys *keys, char *line, size_t number, struct vp_err *err)
{
    size_t n = strlen(line);
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        line[--n] = 0;
    if (n == 0 || line[0] == '#')
        return VP_OK;
    for (size_t i = 0; i < n; i++)
        if (line[i] <= ' ' || line[i] == 0x7f)
            return fail(err, VP_ERR_ARGUMENT, number, "a key has a blank or control character");
    if (n >= KEY_MAX_BYTES)
        return fail(err, VP_ERR_ARGUMENT, number, "a key is longer than 255 characters");
    if (keys->n == MAX_KEYS)
        return fail(err, VP_ERR_ARGUMENT, number, "more than 1024 keys");
    memcpy(keys->key[keys->n++], line, n);
    return VP_OK;
}

enum vp_status keys_load(const char *path, struct keys **out, struct vp_err *err)
{
    enum vp_status status = VP_OK;
    char line[1024];
    size_t number = 0;
    *out = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fail(err, VP_ERR_IO, 0, "the file cannot be opened");
    struct keys *keys = calloc(1, sizeof *keys + (size_t)MAX_KEYS * KEY_MAX_BYTES);
    if (keys == NULL)
        status = fail(err, VP_ERR_NO_MEMORY, 0, "out of memory");
    while (status == VP_OK && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (strchr(line, '\n') == NULL && !feof(file))
            status = fail(err, VP_ERR_ARGUMENT, number, "the line is too long");
        else
            status = take_line(keys, line, number, err);
    }
    if (status == VP_OK && ferror(file))
        status = fail(err, VP_ERR_IO, 0, "the file cannot be read");
    if (status == VP_OK && keys->n == 0)
        status = fail(err, VP_ERR_ARGUMENT, 0, "holds no key, which would lock everyone out");
    fclose(file);
    explicit_bzero(line, sizeof line);
    if (status != VP_OK)
        keys_free(keys);
    else
        *out = keys;
    return status;
}

/* The key in an Authorization value, NULL: there is none. */
static const char *token_of(const char *authorization)
{
    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    return authorization + 7 + strspn(authorization + 7, " ");
}

bool keys_accept(const struct keys *keys, const char *authorization)
{
    unsigned char guess[KEY_MAX_BYTES] = {0};
    const char *token = token_of(authorization);
    if (token == NULL)
        return false;
    size_t n = strlen(token);
    bool fits = n > 0 && n < KEY_MAX_BYTES;
    if (fits)
        memcpy(guess, token, n);
    int found = 0;
    for (size_t i = 0; i < keys->n; i++) /* all of them: no branch on secrets */
        found |= memeql_sec(guess, keys->key[i], KEY_MAX_BYTES);
    explicit_bzero(guess, sizeof guess);
    return fits && found != 0;
}

void keys_digest(const char *authorization, unsigned char digest[KEY_DIGEST_BYTES])
{
    const char *token = token_of(authorization);
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, strlen(token), (const unsigned char *)token);
    sha256_digest(&context, KEY_DIGEST_BYTES, digest);
}

void keys_free(struct keys *keys)
{
    if (keys == NULL)
        return;
    explicit_bzero(keys, sizeof *keys + (size_t)MAX_KEYS * KEY_MAX_BYTES);
    free(keys);
}
