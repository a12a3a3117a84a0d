/* Addresses and networks from text and from sockets. */
#include "util/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { N_MAPPED_BYTES = 12, TEXT_ROOM = 64 };

static const unsigned char mapped[N_MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};

static void set_v4(struct address *address, const struct in_addr *v4)
{
    memcpy(address->bytes, mapped, N_MAPPED_BYTES);
    memcpy(address->bytes + N_MAPPED_BYTES, v4, sizeof *v4);
}

bool address_of_socket(const struct sockaddr *socket, struct address *address)
{
    if (socket != NULL && socket->sa_family == AF_INET) {
        set_v4(address, &((const struct sockaddr_in *)(const void *)socket)->sin_addr);
        return true;
    }
    if (socket != NULL && socket->sa_family == AF_INET6) {
        memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr,
               sizeof address->bytes);
        return true;
    }
    return false;
}

/* An address by itself, without port or brackets. */
static bool parse_bare(const char *text, size_t n, struct address *address)
{
    char copy[TEXT_ROOM];
    struct in_addr v4;
    if (n == 0 || n >= sizeof copy || memchr(text, 0, n) != NULL)
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        set_v4(address, &v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, address->bytes) == 1;
}

static bool is_port(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return n > 0 && n <= 5;
}

bool address_parse(const char *text, size_t n, struct address *address)
{
    const char *end = text + n;
    if (n > 0 && *text == '[') {
        const char *bracket = memchr(text, ']', n);
        return bracket != NULL && memchr(text, ':', (size_t)(bracket - text)) != NULL &&
               (bracket + 1 == end ||
                (bracket[1] == ':' && is_port(bracket + 2, (size_t)(end - bracket - 2)))) &&
               parse_bare(text + 1, (size_t)(bracket - text - 1), address);
    }
    const char *colon = memchr(text, ':', n);
    if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) == NULL)
        return is_port(colon + 1, (size_t)(end - colon - 1)) &&
               parse_bare(text, (size_t)(colon - text), address);
    return parse_bare(text, n, address);
}

struct address address_of_client(const struct address *address)
{
    struct address client = *address;
    if (memcmp(address->bytes, mapped, N_MAPPED_BYTES) != 0)
        memset(client.bytes + 8, 0, 8);
    return client;
}

/* "10.0.0.0/8", or an address alone, which is a network of one. */
static bool parse_network(const char *text, size_t n, struct address *first, unsigned *n_bits)
{
    const char *slash = memchr(text, '/', n);
    const size_t n_address = slash != NULL ? (size_t)(slash - text) : n;
    const bool is_v6 = memchr(text, ':', n_address) != NULL;
    const unsigned most = is_v6 ? 128 : 32;
    unsigned long bits = most;
    if (slash != NULL) {
        const size_t n_digits = n - n_address - 1;
        if (n_digits > 3 || !is_port(slash + 1, n_digits))
            return false;
        bits = strtoul(slash + 1, NULL, 10);
    }
    *n_bits = (unsigned)bits + (is_v6 ? 0 : NETWORK_BITS - 32);
    return bits <= most && parse_bare(text, n_address, first);
}

bool networks_parse(const char *list, struct networks *networks, const char **wrong,
                    size_t *n_wrong)
{
    networks->n = 0;
    for (const char *at = list; *at != 0;) {
        at += strspn(at, ", \t");
        const size_t n = strcspn(at, ", \t");
        if (n == 0)
            break;
        *wrong = at;
        *n_wrong = n;
        if (networks->n == MAX_NETWORKS ||
            !parse_network(at, n, &networks->network[networks->n].first,
                           &networks->network[networks->n].n_bits))
            return false;
        networks->n++;
        at += n;
    }
    return true;
}

static bool begins_like(const struct address *a, const struct address *b, unsigned n_bits)
{
    const unsigned n_bytes = n_bits / 8, rest = n_bits % 8;
    if (memcmp(a->bytes, b->bytes, n_bytes) != 0)
        return false;
    return rest == 0 || (a->bytes[n_bytes] ^ b->bytes[n_bytes]) >> (8 - rest) == 0;
}

bool networks_have(const struct networks *networks, const struct address *address)
{
    for (size_t i = 0; i < networks->n; i++)
        if (begins_like(&networks->network[i].first, address, networks->network[i].n_bits))
            return true;
    return false;
}
