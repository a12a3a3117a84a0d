/* The answer as RTTM, the line format of NIST's evaluations, and the labels in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "diarization.h"

#define LONGEST_NAME 1024u
/* "SPEAKER name channel start length <NA> <NA> SPEAKER_00 <NA> <NA>\n" with numbers below 1e9. */
#define LONGEST_LINE (LONGEST_NAME + 128u)

static bool is_name(const char *uri)
{
    const size_t n = strlen(uri);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)uri[i] <= ' ' || uri[i] == 0x7F)
            return false;
    return n >= 1 && n <= LONGEST_NAME;
}

const char *vp_speaker_label(unsigned speaker, char *label)
{
    (void)snprintf(label, VP_SPEAKER_LABEL_CHARS, "SPEAKER_%02u", speaker);
    return label;
}

enum vp_status vp_diarization_rttm(const struct vp_diarization_result *result, const char *uri,
                                   char **text, size_t *n_chars, struct vp_err *err)
{
    *text = NULL;
    *n_chars = 0;
    if (!is_name(uri))
        return status_fail(err, VP_ERR_ARGUMENT,
                           "a recording's name in RTTM has 1 to %u bytes, none of them a blank or "
                           "a control character",
                           LONGEST_NAME);
    size_t n_bytes;
    if (!size_multiply(result->n_segments, LONGEST_LINE, &n_bytes) ||
        !size_add(n_bytes, 1, &n_bytes))
        return status_no_memory(err, "RTTM", SIZE_MAX);
    char *at = *text = malloc(n_bytes);
    if (at == NULL)
        return status_no_memory(err, "RTTM", n_bytes);
    *at = '\0';
    for (size_t i = 0; i < result->n_segments; i++) {
        char label[VP_SPEAKER_LABEL_CHARS];
        const struct vp_turn *turn = &result->segments[i];
        const unsigned channel = result->speakers[turn->speaker].channel;
        at += snprintf(at, LONGEST_LINE, "SPEAKER %s %u %.3f %.3f <NA> <NA> %s <NA> <NA>\n", uri,
                       channel == VP_CHANNEL_MIX ? 1 : channel, turn->start_s,
                       turn->end_s - turn->start_s, vp_speaker_label(turn->speaker, label));
    }
    *n_chars = (size_t)(at - *text);
    return VP_OK;
}
