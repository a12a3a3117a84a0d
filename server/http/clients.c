/* The table of clients, a balanced tree of the C library's. */
#include "http/clients.h"

#include "util/crash.h"
#include "util/thread.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct identity {
    bool is_key;                         /* for all its addresses */
    unsigned char key[KEY_DIGEST_BYTES]; /* zeros: none */
    struct address address;              /* zeros of a key */
};
_Static_assert(sizeof(struct identity) == 33, "compared byte by byte: nothing lies in between");

struct client {
    struct identity identity; /* first: what the tree compares */
    struct clients *clients;  /* that it is in */
    size_t n_references;
    size_t held[N_SHARES];
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct identity));
}

static struct client *hold(struct clients *clients, struct identity identity)
{
    struct client **found = tfind(&identity, &clients->tree, compare);
    if (found != NULL) {
        (*found)->n_references++;
        return *found;
    }
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->identity = identity;
    client->clients = clients;
    client->n_references = 1;
    if (tsearch(client, &clients->tree, compare) == NULL) {
        free(client);
        return NULL;
    }
    clients->n++;
    return client;
}

static void release(struct client *client)
{
    if (client == NULL || --client->n_references > 0)
        return;
    for (size_t i = 0; i < N_SHARES; i++)
        VP_BUG_IF(client->held[i] != 0);
    tdelete(client, &client->clients->tree, compare);
    client->clients->n--;
    free(client);
}

void clients_set_share(struct clients *clients, enum share share, size_t whole, unsigned percent)
{
    const double part = (double)whole * percent / 100;
    clients->most[share] = percent >= 100 ? 0 : part > 1 ? (size_t)part : 1;
}

bool holder_open(struct holder *holder, struct clients *clients, const struct address *address,
                 const unsigned char key_digest[KEY_DIGEST_BYTES])
{
    ON_LOOP();
    struct identity of_key = {.is_key = true}, of_address = {.is_key = false};
    of_address.address = address_of_client(address);
    *holder = (struct holder){NULL, NULL};
    if (key_digest != NULL) {
        memcpy(of_key.key, key_digest, sizeof of_key.key);
        memcpy(of_address.key, key_digest, sizeof of_address.key);
        holder->key = hold(clients, of_key);
        if (holder->key == NULL)
            return false;
    }
    holder->address = hold(clients, of_address);
    if (holder->address == NULL)
        holder_close(holder);
    return holder->address != NULL;
}

void holder_copy(struct holder *to, const struct holder *from)
{
    ON_LOOP();
    *to = *from;
    if (to->address != NULL)
        to->address->n_references++;
    if (to->key != NULL)
        to->key->n_references++;
}

void holder_close(struct holder *holder)
{
    ON_LOOP();
    release(holder->address);
    release(holder->key);
    *holder = (struct holder){NULL, NULL};
}

void holder_take(const struct holder *holder, enum share share, size_t n)
{
    ON_LOOP();
    if (holder->address != NULL)
        holder->address->held[share] += n;
    if (holder->key != NULL)
        holder->key->held[share] += n;
}

static void give(struct client *client, enum share share, size_t n)
{
    if (client == NULL)
        return;
    VP_BUG_IF(client->held[share] < n);
    client->held[share] -= n;
}

void holder_give(const struct holder *holder, enum share share, size_t n)
{
    ON_LOOP();
    give(holder->address, share, n);
    give(holder->key, share, n);
}

/* Would it be within the share, holding n more? */
static bool is_within(const struct client *client, enum share share, size_t n)
{
    if (client == NULL || client->clients->most[share] == 0)
        return true;
    const size_t most = client->clients->most[share], held = client->held[share];
    return held <= most && n <= most - held;
}

bool holder_is_over(const struct holder *holder, enum share share)
{
    ON_LOOP();
    return !is_within(holder->address, share, 0);
}

bool holder_gives_way(const struct holder *holder, const struct holder *other, enum share share,
                      size_t n)
{
    ON_LOOP();
    const bool by_key = holder->key != other->key;
    return !is_within(by_key ? holder->key : holder->address, share, 0) &&
           is_within(by_key ? other->key : other->address, share, n);
}
