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
    struct key_rights rights[MAX_KEYS];
    unsigned char key[MAX_KEYS][KEY_MAX_BYTES]; /* zero padded, each once */
};

static const char *const scope_names[N_SCOPES] = {"embed", "identify", "enrol", "admin"};

const char *key_scope_name(unsigned scopes)
{
    unsigned i = 0;
    while (i + 1 < N_SCOPES && (scopes >> i & 1) == 0)
        i++;
    return scope_names[i];
}

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

/* Names with commas between them. Writes into word. */
static bool read_scopes(char *word, unsigned *scopes)
{
    for (char *name = strsep(&word, ","); name != NULL; name = strsep(&word, ",")) {
        unsigned i = 0;
        while (i < N_SCOPES && strcmp(name, scope_names[i]) != 0)
            i++;
        if (i == N_SCOPES)
            return false;
        *scopes |= 1U << i;
    }
    return true;
}

/* What stands behind a key, in words, which are taken apart. The sentence says what is wrong with
 * it, without a word of it, which may be a key; NULL: nothing is. */
static const char *read_rights(char *words, struct key_rights *rights)
{
    static const char of_collection[] = "collection=";
    char *rest = NULL;
    for (char *word = strtok_r(words, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        const char *name = word + strlen(of_collection);
        if (strncmp(word, of_collection, strlen(of_collection)) != 0) {
            if (rights->scopes != 0 || !read_scopes(word, &rights->scopes))
                return "behind a key may stand scopes (embed, identify, enrol, admin), with only "
                       "commas between them, and collection=NAME";
        } else if (*rights->collection != 0 || !name_is_good(name, COLLECTION_ROOM)) {
            return "a key has one collection, of 1 to 64 of the characters A-Z a-z 0-9 . _ -, the "
                   "first no dot";
        } else {
            strcpy(rights->collection, name);
        }
    }
    if (rights->scopes == 0)
        rights->scopes = ALL_SCOPES;
    return NULL;
}

/* key is zero padded. */
static const char *add(struct keys *keys, const unsigned char key[KEY_MAX_BYTES],
                       const struct key_rights *rights)
{
    for (size_t i = 0; i < keys->n; i++)
        if (memcmp(keys->key[i], key, KEY_MAX_BYTES) == 0)
            return memcmp(&keys->rights[i], rights, sizeof *rights) == 0
                       ? NULL
                       : "the key stands further up already, with other rights";
    if (keys->n == MAX_KEYS)
        return "more than 1024 keys";
    memcpy(keys->key[keys->n], key, KEY_MAX_BYTES);
    keys->rights[keys->n++] = *rights;
    return NULL;
}

static bool has_control(const char *line)
{
    const unsigned char *at = (const unsigned char *)line; /* char has no sign on ARM */
    while (*at == '\t' || (*at >= ' ' && *at != 0x7f))
        at++;
    return *at != 0;
}

/* One line without its newline: a key with its rights, or nothing. What is wrong; NULL: nothing. */
static const char *take_line(struct keys *keys, char *line)
{
    unsigned char key[KEY_MAX_BYTES] = {0};
    struct key_rights rights;
    memset(&rights, 0, sizeof rights); /* compared as bytes */
    size_t n = strlen(line);
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        line[--n] = 0;
    if (n == 0 || line[0] == '#')
        return NULL;
    const size_t n_key = strcspn(line, " \t");
    if (n_key == 0 || has_control(line))
        return "a key has a blank before it, or a control character";
    if (n_key >= KEY_MAX_BYTES)
        return "a key is longer than 255 characters";
    memcpy(key, line, n_key);
    const char *what = read_rights(line + n_key, &rights);
    if (what == NULL)
        what = add(keys, key, &rights);
    explicit_bzero(key, sizeof key);
    return what;
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
    struct keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        status = fail(err, VP_ERR_NO_MEMORY, 0, "out of memory");
    while (status == VP_OK && fgets(line, sizeof line, file) != NULL) {
        number++;
        const bool is_cut = strchr(line, '\n') == NULL && !feof(file);
        const char *what = is_cut ? "the line is too long" : take_line(keys, line);
        if (what != NULL)
            status = fail(err, VP_ERR_ARGUMENT, number, what);
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

const struct key_rights *keys_find(const struct keys *keys, const char *authorization)
{
    unsigned char guess[KEY_MAX_BYTES] = {0};
    const char *token = token_of(authorization);
    if (token == NULL)
        return NULL;
    size_t n = strlen(token);
    bool fits = n > 0 && n < KEY_MAX_BYTES;
    if (fits)
        memcpy(guess, token, n);
    size_t found = 0, at = 0;
    for (size_t i = 0; i < keys->n; i++) { /* all of them: no branch on secrets */
        const size_t is_it = (size_t)memeql_sec(guess, keys->key[i], KEY_MAX_BYTES);
        found |= is_it;
        at |= i * is_it;
    }
    explicit_bzero(guess, sizeof guess);
    return fits && found != 0 ? &keys->rights[at] : NULL;
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
    explicit_bzero(keys, sizeof *keys);
    free(keys);
}
