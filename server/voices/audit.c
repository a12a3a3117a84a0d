/* Who did what, without names. */
#include "voices/audit.h"

#include "util/log.h"

#include <nettle/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { HASH_BYTES = 8, HASH_ROOM = 2 * HASH_BYTES + 1 };

bool audit_open(struct audit *audit)
{
    /* So few bytes are never cut short. */
    return getrandom(audit->key, sizeof audit->key, 0) == (ssize_t)sizeof audit->key;
}

/* Of the collection, or of a voice in it; neither name holds a '/'. */
static void hash(const struct audit *audit, const char *collection, const char *id,
                 char text[HASH_ROOM])
{
    unsigned char digest[HASH_BYTES];
    struct hmac_sha256_ctx context;
    hmac_sha256_set_key(&context, sizeof audit->key, audit->key);
    hmac_sha256_update(&context, strlen(collection), (const unsigned char *)collection);
    if (id != NULL) {
        hmac_sha256_update(&context, 1, (const unsigned char *)"/");
        hmac_sha256_update(&context, strlen(id), (const unsigned char *)id);
    }
    hmac_sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

void audit_log(const struct audit *audit, const char *event, const char *request_id,
               const char *collection, const char *id)
{
    struct log_line line;
    char text[HASH_ROOM];
    log_begin(&line, LOG_INFO, event);
    log_string(&line, "request_id", request_id);
    hash(audit, collection, NULL, text);
    log_string(&line, "collection_hash", text);
    if (id != NULL) {
        hash(audit, collection, id, text);
        log_string(&line, "voice_hash", text);
    }
    log_end(&line);
}
