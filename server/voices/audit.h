/*
 * A line of the log for each known voice that is enrolled, changed, found or deleted: what
 * happened, for which request, and to whom by a hash alone. Its key is random and dies with the
 * process, so that lines of one voice can be put together and nobody can try names against them.
 */
#ifndef VP_AUDIT_H
#define VP_AUDIT_H

#include "voiceprint.h"

#include <stdbool.h>

enum { AUDIT_KEY_BYTES = 16 };

struct audit {
    unsigned char key[AUDIT_KEY_BYTES];
};

/* False: the system has no random bytes, and names could be tried against a known key. [start] */
bool audit_open(struct audit *audit) VP_MUST_CHECK;
/* id NULL: no single voice. [loop] */
void audit_log(const struct audit *audit, const char *event, const char *request_id,
               const char *collection, const char *id);

#endif
