/*
 * IP addresses and networks of them, both families in one form: an IPv4 address is its mapped IPv6
 * one (::ffff:192.0.2.1), as a listener on all addresses sees it anyway.
 */
#ifndef VP_ADDRESS_H
#define VP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;

struct address {
    unsigned char bytes[16];
};

/* False: of another family, or NULL. [any] */
bool address_of_socket(const struct sockaddr *socket, struct address *address);
/* n characters: "192.0.2.1", "2001:db8::1", "[2001:db8::1]", the first and the last also with a
 * port behind them. False: anything else. [any] */
bool address_parse(const char *text, size_t n, struct address *address);
/* The part of it that one client has for itself: an IPv4 address is whole, of an IPv6 address the
 * last 64 bits, which every host chooses for itself (RFC 4291, 2.5.1), are zeroed. [any] */
struct address address_of_client(const struct address *address);

enum { MAX_NETWORKS = 64, NETWORK_BITS = 128 };

struct networks {
    size_t n;
    struct {
        struct address first;
        unsigned n_bits; /* of the mapped address: 96 more than an IPv4 network says */
    } network[MAX_NETWORKS];
};

/* Comma separated addresses and networks ("10.0.0.0/8, fd00::/8"). False: `wrong`, a piece of list
 * of n_wrong characters, is neither, or one too many. [any] */
bool networks_parse(const char *list, struct networks *networks, const char **wrong,
                    size_t *n_wrong);
bool networks_have(const struct networks *networks, const struct address *address); /* [any] */

#endif
