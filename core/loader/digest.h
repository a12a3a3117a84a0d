/* SHA-256 by nettle: what names a model file and what proves its weights whole. Any thread. */
#ifndef VP_DIGEST_H
#define VP_DIGEST_H

#include <stddef.h>

#define DIGEST_HEX_CHARS  65 /* 64 lower-case hex digits and the NUL */
#define DIGEST_TEXT_CHARS 72 /* "sha256:" before them */

/* SHA-256 of bytes [n_bytes] as text. Borrows bytes. Never fails. */
void digest_sha256(const void *bytes, size_t n_bytes, char hex[DIGEST_HEX_CHARS]);

/* The same as "sha256:" and the hex digits, as files are named by their digest. */
void digest_of_file(const void *bytes, size_t n_bytes, char text[DIGEST_TEXT_CHARS]);

#endif
