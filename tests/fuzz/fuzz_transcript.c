/*
 * Any bytes as a transcript: refused with a sentence, or given back with speakers, in a form that
 * is read again and then given back unchanged. libFuzzer's main; `make fuzz` runs it.
 */
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const struct vp_turn turns[] = {
    {.start_s = 0, .end_s = 2, .speaker = 0},
    {.start_s = 2, .end_s = 4, .speaker = 12},
    {.start_s = 6, .end_s = 8, .speaker = 0},
    {.start_s = 7, .end_s = 9, .speaker = 1},
};

/* Owned text with its speakers, NULL when it is refused. */
static char *label(const void *bytes, size_t n_bytes, size_t *n_chars)
{
    vp_transcript *transcript;
    struct vp_err err = {0};
    char *written = NULL, *text = NULL;
    size_t n_text;
    if (vp_transcript_read(bytes, n_bytes, &transcript, &err) != VP_OK) {
        if (err.message[0] == 0 || transcript != NULL)
            abort();
        return NULL;
    }
    if (vp_transcript_assign(transcript, turns, 4, &err) != VP_OK ||
        vp_transcript_write(transcript, &written, n_chars, &err) != VP_OK ||
        vp_transcript_text(transcript, &text, &n_text, &err) != VP_OK)
        abort();
    for (const char *line = text; *line != 0; line = strchr(line, '\n') + 1)
        if (strncmp(line, "SPEAKER_", 8) != 0 && strncmp(line, "UNKNOWN: ", 9) != 0)
            abort();
    if (strlen(written) != *n_chars || strlen(text) != n_text)
        abort();
    free(text);
    vp_transcript_free(transcript);
    return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    size_t n_once = 0, n_twice = 0;
    char *once = label(bytes, n_bytes, &n_once);
    if (once == NULL)
        return 0;
    char *twice = label(once, n_once, &n_twice);
    if (twice == NULL || strcmp(once, twice) != 0)
        abort();
    free(once);
    free(twice);
    return 0;
}
