/*
 * What requests work with: the one instance that server.c makes, and everything below request/
 * shares. Owned by the loop.
 */
#ifndef VP_SERVICE_H
#define VP_SERVICE_H

#include "config/config.h"
#include "config/keys.h"
#include "http/connection.h"
#include "http/metrics.h"
#include "request/queue.h"
#include "voices/audit.h"
#include "voices/store.h"

/* Where the shutdown stands. */
enum drain_step {
    DRAIN_NOT = 0,
    DRAIN_ANNOUNCED, /* unready, answers close their connection, everything is still served */
    DRAIN_CLOSING,   /* nobody new can connect; who is half connected still comes in */
    DRAIN_CLOSED,    /* listen socket closed; what arrives now is refused, the rest finishes */
    DRAIN_DONE
};

struct service {
    const struct config *config;
    bool has_admin; /* probes and metrics have a listener of their own */

    struct engine *engine; /* a reference; NULL until the first one is good */
    bool engine_is_ill;    /* its self-test failed after it had been good */
    char not_ready_reason[256];
    struct job *open_job; /* an engine to open that waits for an idle worker; owned */

    struct store *store; /* of known voices; NULL: they are off */
    struct audit audit;
    struct sandbox *sandbox; /* owned by main; NULL: what is uploaded is decoded by workers */
    struct workers *workers;
    struct queue queue;
    struct keys *keys;           /* NULL: none are asked */
    struct clients clients;      /* who holds how much of what follows */
    struct budget uploads;       /* of clips */
    struct budget conversations; /* of /diarize */
    struct connections connections;
    struct metrics metrics;
    size_t n_open_requests;
    size_t
        n_lost_in_drain; /* requests without an answer since the drain began: their clients left */
    enum drain_step drain;
};

/* Ready to embed: an engine that passed its self-test. [loop] */
bool service_is_ready(const struct service *service);
bool service_is_stuck(const struct service *service); /* [loop] a worker sits in a job too long */
/* loading, ready, draining or stuck. [loop] */
const char *service_state(const struct service *service);
/* Seconds until a retry makes sense: 1..30. [loop] */
unsigned service_retry_after_s(const struct service *service);

#endif
