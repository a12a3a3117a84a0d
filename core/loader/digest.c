/* SHA-256 as text. */
#include "loader/digest.h"

#include <nettle/sha2.h>
#include <string.h>

void digest_sha256(const void *bytes, size_t n_bytes, char hex[DIGEST_HEX_CHARS])
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    sha256_update(&ctx, n_bytes, bytes);
    sha256_digest(&ctx, sizeof digest, digest);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * sizeof digest] = '\0';
}

void digest_of_file(const void *bytes, size_t n_bytes, char text[DIGEST_TEXT_CHARS])
{
    memcpy(text, "sha256:", DIGEST_TEXT_CHARS - DIGEST_HEX_CHARS);
    digest_sha256(bytes, n_bytes, text + DIGEST_TEXT_CHARS - DIGEST_HEX_CHARS);
}
