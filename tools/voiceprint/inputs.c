/* Files, folders and lists, in the order given. */
#include "inputs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli.h"

#define DEEPEST 32u /* folders in folders */

static bool add_path(struct inputs *inputs, const char *path)
{
    if (inputs->n == inputs->capacity) {
        const size_t capacity = inputs->capacity > 0 ? inputs->capacity * 2 : 64;
        char **larger = realloc(inputs->paths, capacity * sizeof *larger);
        if (larger == NULL)
            return false;
        inputs->paths = larger;
        inputs->capacity = capacity;
    }
    inputs->paths[inputs->n] = strdup(path);
    return inputs->paths[inputs->n++] != NULL;
}

/* In a folder other files lie about as well: names decide there, and only there. */
static bool is_recording(const char *name)
{
    static const char *const endings[] = {".wav",  ".flac", ".ogg",  ".oga", ".opus", ".mp3",
                                          ".aiff", ".aif",  ".aifc", ".au",  ".snd",  ".caf",
                                          ".w64",  ".rf64", ".m4a",  ".mp4", ".3gp",  ".mov",
                                          ".webm", ".mka",  ".amr",  ".aac", ".wma"};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending != NULL && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool add_folder(struct inputs *inputs, const char *folder, unsigned depth)
{
    struct dirent **entries = NULL;
    const int n = depth < DEEPEST ? scandir(folder, &entries, not_hidden, alphasort) : -1;
    if (n < 0) {
        cli_complain(folder, "%s", depth < DEEPEST ? strerror(errno) : "too deep");
        return false;
    }
    bool good = true;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat facts;
        const int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (length < 0 || (size_t)length >= sizeof path || lstat(path, &facts) != 0)
            good = false;
        else if (S_ISDIR(facts.st_mode)) /* a link to a folder is not followed: it may loop */
            good = add_folder(inputs, path, depth + 1) && good;
        else if (is_recording(path))
            good = add_path(inputs, path) && good;
        free(entries[i]);
    }
    free(entries);
    return good;
}

bool inputs_add(struct inputs *inputs, const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return add_path(inputs, path); /* what is wrong with it shows when it is read */
    const size_t before = inputs->n;
    const bool good = add_folder(inputs, path, 0);
    if (good && inputs->n == before) {
        cli_complain(path, "no recordings in this folder");
        return false;
    }
    return good;
}

/* The path in a line of Kaldi's wav.scp, "NAME PATH"; the line itself where it names a file. */
static const char *path_of(const char *line)
{
    struct stat facts;
    const char *rest = line + strcspn(line, " \t");
    rest += strspn(rest, " \t");
    return stat(line, &facts) != 0 && *rest != '\0' && stat(rest, &facts) == 0 ? rest : line;
}

bool inputs_add_list(struct inputs *inputs, const char *list_path)
{
    const bool from_stdin = strcmp(list_path, "-") == 0;
    FILE *list = from_stdin ? stdin : fopen(list_path, "r");
    if (list == NULL) {
        cli_complain(list_path, "%s", strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t capacity = 0;
    bool good = true, is_first = true;
    ssize_t n;
    while (good && (n = getline(&line, &capacity, list)) >= 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = '\0';
        const char *start = is_first && strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? line + 3 : line;
        is_first = false;
        if (*start != '\0')
            good = add_path(inputs, path_of(start));
    }
    good = good && !ferror(list);
    free(line);
    if (!from_stdin)
        fclose(list);
    return good;
}

void inputs_free(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->n; i++)
        free(inputs->paths[i]);
    free(inputs->paths);
    memset(inputs, 0, sizeof *inputs);
}
