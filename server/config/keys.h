/*
 * The API keys: one bearer key a line, '#' starts a comment line. Compared in time that depends
 * neither on where a guess differs nor on which key it resembles.
 */
#ifndef VP_KEYS_H
#define VP_KEYS_H

#include "voiceprint.h"

struct keys;

enum { KEY_MAX_BYTES = 256, KEY_DIGEST_BYTES = 16 };

/* Reads path. Returns owned *out; on error NULL and a sentence that names the line, never a key.
 * A file without keys is an error: it would lock everyone out. [start] [loop] */
enum vp_status keys_load(const char *path, struct keys **out, struct vp_err *err) VP_MUST_CHECK;
/* Does an Authorization value, or NULL, carry one of the keys? [any] */
bool keys_accept(const struct keys *keys, const char *authorization);
/* What tells one key from another without being it: a digest of the key in an Authorization value
 * that was accepted. [any] */
void keys_digest(const char *authorization, unsigned char digest[KEY_DIGEST_BYTES]);
void keys_free(struct keys *keys); /* [any] wipes; NULL is legal */

#endif
