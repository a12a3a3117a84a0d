/* The names a service answers to. */
#include "http/hosts.h"

#include "http/cors.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* The length of the name in `name[:port]`; brackets of an IPv6 address belong to it. */
static size_t name_length(const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") : 0;
    return n + strcspn(host + n, ":");
}

static bool is_loopback_name(const char *name, size_t n)
{
    char text[64];
    struct in_addr v4;
    if (n == 0 || n >= sizeof text)
        return false;
    memcpy(text, name, n);
    text[n] = 0;
    return strcasecmp(text, "localhost") == 0 || strcmp(text, "[::1]") == 0 ||
           (inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

bool hosts_is_loopback(const char *address)
{
    return is_loopback_name(address, name_length(address));
}

static bool is_listed(const char *list, const char *name, size_t n)
{
    for (const char *at = list; *at != 0;) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length > 0 && length == n && strncasecmp(at, name, n) == 0)
            return true;
        at += length;
    }
    return false;
}

static bool allow_all(const struct hosts *hosts)
{
    return strcmp(hosts->allowed, "*") == 0 || (*hosts->allowed == 0 && !hosts->on_loopback);
}

bool hosts_allow(const struct hosts *hosts, const char *host)
{
    if (host == NULL || allow_all(hosts))
        return true;
    size_t n = name_length(host);
    return (hosts->on_loopback && is_loopback_name(host, n)) || is_listed(hosts->allowed, host, n);
}

bool hosts_allow_origin(const struct hosts *hosts, const char *origin)
{
    if (origin == NULL || allow_all(hosts) || cors_allows(hosts->origins, origin))
        return true;
    const char *host = strstr(origin, "://");
    return host != NULL && hosts_allow(hosts, host + 3);
}
