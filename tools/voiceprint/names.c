/* Escapes of file names. */
#include "names.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The character that text begins with, and of how many bytes; -1 and one where it is not UTF-8. */
static int32_t character_at(const unsigned char *text, size_t *n)
{
    static const struct {
        unsigned char mask, lead;
        size_t n;
        int32_t least;
    } forms[] = {{0x80, 0x00, 1, 0},
                 {0xE0, 0xC0, 2, 0x80},
                 {0xF0, 0xE0, 3, 0x800},
                 {0xF8, 0xF0, 4, 0x10000}};
    *n = 1;
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        if ((text[0] & forms[f].mask) != forms[f].lead)
            continue;
        int32_t c = text[0] & ~forms[f].mask & 0xFF;
        for (size_t i = 1; i < forms[f].n; i++) {
            if ((text[i] & 0xC0) != 0x80) /* the end of the string, too */
                return -1;
            c = c << 6 | (text[i] & 0x3F);
        }
        if (c < forms[f].least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
            return -1;
        *n = forms[f].n;
        return c;
    }
    return -1;
}

/* Does it end a field of RTTM for anybody? Blanks of Unicode do for Python's readers. */
static bool ends_field(int32_t c)
{
    return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Could a % here be taken for an escape? */
static bool looks_escaped(const unsigned char *text)
{
    return text[0] == '%' && isxdigit(text[1]) && isxdigit(text[2]);
}

/* text [n], a string or the beginning of one, to out, as much as fits. */
static void escape(const char *text, size_t n, bool is_field, char *out, size_t room)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + n;
    size_t n_bytes;
    for (; at < end; at += n_bytes) {
        const int32_t c = character_at(at, &n_bytes);
        const bool escapes = c < 0 || (is_field && ends_field(c)) || looks_escaped(at);
        if ((escapes ? 3 * n_bytes : n_bytes) >= room)
            break;
        for (size_t i = 0; i < n_bytes; i++) {
            const int n_written = snprintf(out, room, escapes ? "%%%02X" : "%c", at[i]);
            out += n_written;
            room -= (size_t)n_written;
        }
    }
    *out = '\0';
}

json_t *name_json(const char *path)
{
    const size_t n = strlen(path);
    char *text = malloc(3 * n + 1);
    if (text == NULL)
        return NULL;
    escape(path, n, false, text, 3 * n + 1);
    json_t *json = json_string(text);
    free(text);
    return json;
}

void name_of(const char *path, char *name)
{
    if (strcmp(path, "-") == 0)
        path = "stdin";
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path, *dot = strrchr(base, '.');
    escape(base, dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base), true, name,
           NAME_CHARS);
}

struct named {
    char name[NAME_CHARS];
    const char *path;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

bool names_collide(const struct inputs *inputs, const char **a, const char **b)
{
    struct named *all = calloc(inputs->n, sizeof *all);
    bool found = false;
    for (size_t i = 0; all != NULL && i < inputs->n; i++) {
        all[i].path = inputs->paths[i];
        name_of(all[i].path, all[i].name);
    }
    if (all != NULL)
        qsort(all, inputs->n, sizeof *all, by_name);
    for (size_t i = 1; all != NULL && i < inputs->n && !found; i++) {
        found = by_name(&all[i - 1], &all[i]) == 0;
        *a = all[i - 1].path;
        *b = all[i].path;
    }
    free(all);
    return found;
}
