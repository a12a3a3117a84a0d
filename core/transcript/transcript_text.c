/* A transcript as text: who says what, a line a speaker. */
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "transcript/items.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

struct line {
    FILE *to;
    bool at_start; /* nothing was said on it yet */
    bool needs_blank;
};

/* What is said, without tags of WebVTT; any space becomes one blank, so that no text begins a line.
 */
static void say(struct line *line, const struct item *item, bool has_tags)
{
    bool in_tag = false;
    for (size_t i = 0; i < item->n_said; i++) {
        const char c = item->said[i];
        if (has_tags && (c == '<' || in_tag)) {
            in_tag = c != '>';
            continue;
        }
        if (is_space(c)) {
            line->needs_blank = true;
            continue;
        }
        if (line->needs_blank && !line->at_start)
            fputc(' ', line->to);
        fputc(c, line->to);
        line->at_start = line->needs_blank = false;
    }
}

static void begin(struct line *line, int speaker)
{
    char label[LABEL_CHARS] = "UNKNOWN";
    if (speaker != NO_SPEAKER)
        items_label(speaker, label);
    fprintf(line->to, "%s: ", label);
    line->at_start = true;
}

enum vp_status vp_transcript_text(const vp_transcript *transcript, char **text, size_t *n_chars,
                                  struct vp_err *err)
{
    *text = NULL;
    struct line line = {.to = open_memstream(text, n_chars)};
    if (line.to == NULL)
        return status_no_memory(err, "the text", transcript->n_source);
    const struct item *last = NULL;
    for (size_t i = 0; i < transcript->n_items; i++) {
        const struct item *item = &transcript->items[i];
        if (item->said == NULL || item->n_said == 0)
            continue;
        if (last == NULL || item->speaker != last->speaker) {
            if (last != NULL)
                fputc('\n', line.to);
            begin(&line, item->speaker);
        }
        line.needs_blank = line.needs_blank || !transcript->is_spaced;
        say(&line, item, transcript->form == VP_TRANSCRIPT_WEBVTT);
        last = item;
    }
    if (last != NULL)
        fputc('\n', line.to);
    const bool good = ferror(line.to) == 0;
    if (fclose(line.to) == 0 && good)
        return VP_OK;
    free(*text);
    *text = NULL;
    return status_no_memory(err, "the text", transcript->n_source);
}
