/* The service as a whole: main.c makes one, server.c starts and runs it. */
#ifndef VP_SERVER_H
#define VP_SERVER_H

#include "drain.h"
#include "http/listener.h"
#include "request/service.h"
#include "sandbox/sandbox.h"
#include "turns.h"
#include "work/mailbox.h"

#include <uv.h>

struct server {
    unsigned magic;
    struct service service;
    struct drain drain;

    uv_loop_t loop;
    uv_timer_t tick;                 /* deadlines, clients that left, the drain's clock */
    struct turns turns;              /* how long each turn takes */
    uv_signal_t signals[3];          /* SIGTERM, SIGINT, SIGHUP */
    struct listener listener, admin; /* admin stays closed unless admin_listen is set */
    struct mailbox mailbox;

    uint64_t decoder_ends[N_DECODER_ENDS]; /* that were logged */
    bool sandbox_is_gone;
    bool opening;    /* an engine is being opened or waits to be */
    bool open_again; /* SIGHUP came meanwhile */
};

enum { SERVER_MAGIC = 0x73657276 };

/* Everything until the loop may turn: workers, listeners, signals, the model's opening begun.
 * Borrows sandbox, where uploads are decoded; NULL: workers do that themselves.
 * False: a sentence in err, and the process must end; what was opened goes with it. [start] */
bool server_open(struct server *server, const struct config *config, struct sandbox *sandbox,
                 struct vp_err *err);
/* Turns until drained. Returns the exit status. [loop] */
int server_run(struct server *server);
/* Frees everything; not after a failed server_open. [loop] */
void server_close(struct server *server);

#endif
