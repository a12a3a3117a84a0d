/* Names that come from files, judged before they are shown. Pure; any thread. */
#ifndef VP_TEXT_H
#define VP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Is text fit to be shown: 1 to max_chars printable ASCII characters? */
static inline bool text_is_printable(const char *text, size_t max_chars)
{
    const size_t n_chars = strnlen(text, max_chars + 1);
    if (n_chars == 0 || n_chars > max_chars)
        return false;
    for (size_t i = 0; i < n_chars; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

#endif
