/* The conditions of a change. */
#include "voices/change.h"

#include <stdlib.h>
#include <string.h>

void change_close(struct change *change)
{
    free(change->metadata);
    voice_release(change->voice);
    change->metadata = NULL;
    change->voice = NULL;
}

/* Is tag on a comma separated list of quoted tags? A weak one, W/"..", is none of ours. */
static bool lists(const char *list, const char *tag)
{
    const size_t n = strlen(tag);
    while (*list != 0) {
        list += strspn(list, ", \t");
        const size_t length = strcspn(list, ", \t");
        if (length == n + 2 && list[0] == '"' && list[n + 1] == '"' &&
            memcmp(list + 1, tag, n) == 0)
            return true;
        list += length;
    }
    return false;
}

static bool matches(const char *list, const char *etag)
{
    return etag != NULL && (strcmp(list, "*") == 0 || lists(list, etag));
}

bool change_is_allowed(struct change *change, const char *etag)
{
    const bool is_wanted = *change->if_match == 0 || matches(change->if_match, etag);
    const bool is_unwanted = *change->if_none_match != 0 && matches(change->if_none_match, etag);
    if (is_wanted && !is_unwanted)
        return true;
    problem_set(&change->problem, PROBLEM_PRECONDITION_FAILED, "%s",
                !is_wanted && etag == NULL ? "If-Match: there is no such voice"
                : !is_wanted ? "If-Match: the voice was changed meanwhile; read it again (GET), "
                               "and send its ETag"
                             : "If-None-Match: there is such a voice already");
    return false;
}
