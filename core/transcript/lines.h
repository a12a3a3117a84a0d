/* Lines of a text, whatever their ends. */
#ifndef VP_LINES_H
#define VP_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines {
    const char *next, *end; /* what is left */
    size_t number;          /* of the line, from 1 */
    const char *line;       /* [n], without its end */
    size_t n;
};

static inline struct lines lines_of(const char *text, size_t n)
{
    return (struct lines){.next = text, .end = text + n};
}

/* The next line into line and n. False at the end. */
static inline bool lines_next(struct lines *lines)
{
    if (lines->next == lines->end)
        return false;
    const char *at = lines->next;
    lines->number++;
    lines->line = at;
    while (at < lines->end && *at != '\n' && *at != '\r')
        at++;
    lines->n = (size_t)(at - lines->line);
    if (at < lines->end)
        at += at[0] == '\r' && at + 1 < lines->end && at[1] == '\n' ? 2 : 1;
    lines->next = at;
    return true;
}

static inline bool lines_is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t')
            return false;
    return true;
}

#endif
