/*
 * The service as a whole: what the loop thread owns. main.c makes one, server.c starts, runs and
 * drains it, the request machinery works on it.
 */
#ifndef VP_SERVER_H
#define VP_SERVER_H

#include "config/config.h"
#include "config/keys.h"
#include "http/connection.h"
#include "http/listener.h"
#include "request/body.h"
#include "util/metrics.h"
#include "work/engine.h"
#include "work/mailbox.h"
#include "work/workers.h"

#include <uv.h>

/* Requests by their own links; queue.c's. */
struct request_list {
    struct request *first, *last;
    size_t n;
};

/* Where the shutdown stands. */
enum drain_step {
    DRAIN_NOT = 0,
    DRAIN_ANNOUNCED, /* unready, answers close their connection, everything is still served */
    DRAIN_CLOSING,   /* nobody new can connect; who is half connected still comes in */
    DRAIN_CLOSED,    /* listen socket closed; what arrives now is refused, the rest finishes */
    DRAIN_DONE
};

struct server {
    unsigned magic;
    const struct config *config;
    uv_loop_t loop;
    uv_timer_t tick;        /* deadlines, clients that left, the drain's clock */
    uv_signal_t signals[3]; /* SIGTERM, SIGINT, SIGHUP */
    struct listener listener, admin;
    bool has_admin;

    struct mailbox mailbox;
    struct workers *workers;
    struct engine *engine; /* a reference; NULL until the first one is good */
    struct job *open_job;  /* an engine to open that waits for an idle worker; owned */
    bool opening;          /* an engine is being opened or waits to be */
    bool open_again;       /* SIGHUP came meanwhile */
    bool engine_ill;       /* its self-test failed after it had been good */
    char not_ready_reason[256];

    struct request_list queue;   /* clips that wait for a worker, oldest first */
    struct request_list slices;  /* diarizations that wait for their next slice */
    struct request_list running; /* their jobs are with workers */
    size_t n_slicing;            /* slices that are with workers */
    double mean_service_s;       /* moving average of a job's time on a worker */

    struct budget uploads;       /* of clips */
    struct budget conversations; /* of /diarize */
    struct keys *keys;           /* NULL: none are asked */
    struct metrics metrics;
    struct connections connections;
    size_t n_open_requests;

    enum drain_step drain;
    uint64_t drain_step_ns; /* when the step began */
    bool requests_were_cut;
};

enum { SERVER_MAGIC = 0x73657276 };

/* Everything until the loop may turn: workers, listeners, signals, the model's opening begun.
 * False: a sentence in err; call server_close. [start] */
bool server_open(struct server *server, const struct config *config, struct vp_err *err);
/* Turns until drained. Returns the exit status. [loop] */
int server_run(struct server *server);
void server_close(struct server *server); /* [loop] */

/* Ready to embed: an engine that passed its self-test. [loop] */
bool server_is_ready(const struct server *server);
bool server_is_stuck(const struct server *server); /* [loop] a worker sits in a job too long */
/* loading, ready, draining or stuck. [loop] */
const char *server_state(const struct server *server);
/* Seconds until a retry makes sense: 1..30. [loop] */
unsigned server_retry_after_s(const struct server *server);
/* Hands waiting jobs to idle workers. [loop] */
void server_dispatch(struct server *server);

#endif
