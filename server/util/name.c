/* Which characters a name may have. */
#include "util/name.h"

#include <string.h>

bool name_is_plain(const char *name, size_t room)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t n = strlen(name);
    return n >= 1 && n < room && strspn(name, good) == n;
}

bool name_is_good(const char *name, size_t room)
{
    return *name != '.' && name_is_plain(name, room);
}
