/*
 * The API keys: one bearer key a line and, behind it, what it may do. '#' starts a comment line.
 *
 *     KEY                                        everything
 *     KEY embed,identify collection=NAME         these scopes, and of known voices these alone
 *
 * Compared in time that depends neither on where a guess differs nor on which key it resembles.
 */
#ifndef VP_KEYS_H
#define VP_KEYS_H

#include "util/name.h"
#include "voiceprint.h"

struct keys;

enum { KEY_MAX_BYTES = 256, KEY_DIGEST_BYTES = 16 };

/* What a key may do, as bits. */
enum key_scope {
    SCOPE_EMBED = 1 << 0, /* recordings to embeddings, scores and turns; nothing of known voices */
    SCOPE_IDENTIFY = 1 << 1, /* who of the known voices it is */
    SCOPE_ENROL = 1 << 2,    /* one known voice: make, change, read, delete it */
    SCOPE_ADMIN = 1 << 3     /* a whole collection: list and empty it */
};
enum { N_SCOPES = 4, ALL_SCOPES = (1 << N_SCOPES) - 1 };

struct key_rights {
    unsigned scopes;
    char collection[COLLECTION_ROOM]; /* the only one whose voices it sees; "": any */
};

/* Reads path. Returns owned *out; on error NULL and a sentence that names the line, never a key.
 * A file without keys is an error: it would lock everyone out. [start] [loop] */
enum vp_status keys_load(const char *path, struct keys **out, struct vp_err *err) VP_MUST_CHECK;
/* The rights of the key in an Authorization value, borrowed from keys; NULL: the value is NULL or
 * carries none of the keys. [any] */
const struct key_rights *keys_find(const struct keys *keys, const char *authorization);
/* "embed" for one bit of enum key_scope, of several the first's; borrowed static string. [any] */
const char *key_scope_name(unsigned scopes);
/* What tells one key from another without being it: a digest of the key in an Authorization value
 * that was accepted. [any] */
void keys_digest(const char *authorization, unsigned char digest[KEY_DIGEST_BYTES]);
void keys_free(struct keys *keys); /* [any] wipes; NULL is legal */

#endif
