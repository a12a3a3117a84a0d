/* The loop: start, signals, jobs that come back, the clock's tick. The drain is in drain.c. */
#include "server.h"

#include "http/eviction.h"
#include "request/dispatch.h"
#include "request/lifecycle.h"
#include "request/patience.h"
#include "request/upload.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/socket.h"
#include "util/spent.h"
#include "util/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A cancelled turn ends within a tenth of a second; a model that is being opened may take longer.
 */
enum { TICK_MS = 50, JOIN_S = 2 };

/* ---- the engine ------------------------------------------------------------------------------ */

static void open_engine(struct server *server)
{
    if (server->opening) {
        server->open_again = true;
        return;
    }
    struct service *service = &server->service;
    service->open_job = job_new_open(service->config);
    if (service->open_job == NULL) {
        log_event(LOG_ERROR, "model-refused", "memory is short");
        return;
    }
    server->opening = true;
    dispatch_jobs(service);
}

static void log_engine(const struct engine *engine)
{
    const struct vp_model_info *info = engine->info;
    struct log_line line;
    log_begin(&line, LOG_INFO, "model-loaded");
    log_string(&line, "model", info->name);
    log_string(&line, "digest", info->digest);
    log_string(&line, "kernel", vp_kernel_name(info->kernel));
    log_string(&line, "blas", info->blas);
    log_string(&line, "blas_core", info->blas_core);
    log_count(&line, "untrained", info->untrained);
    log_number(&line, "self_test_norm", engine->self_test.norm);
    log_end(&line);
    if (info->untrained)
        log_event(LOG_WARN, "model-untrained",
                  "the weights are random: scores mean nothing; bring a trained model");
    if (getenv("OPENBLAS_CORETYPE") != NULL)
        log_event(LOG_WARN, "blas-core-forced",
                  "OPENBLAS_CORETYPE in the environment overrides the choice of BLAS kernels and "
                  "may make them slow; unset it");
}

/* A model was opened, or refused: then the old one stays. */
static void on_engine(struct server *server, struct job *job)
{
    struct service *service = &server->service;
    server->opening = false;
    workers_take_back(service->workers, job);
    if (job->status == VP_OK) {
        engine_release(service->engine);
        service->engine = job->opened;
        service->engine_is_ill = false;
        job->opened = NULL;
        log_engine(service->engine);
    } else {
        log_event(LOG_ERROR, "model-refused", job->err.message);
        if (service->engine == NULL)
            snprintf(service->not_ready_reason, sizeof service->not_ready_reason, "%.250s",
                     job->err.message);
    }
    job_free(job);
    if (server->open_again) {
        server->open_again = false;
        open_engine(server);
    }
}

/* ---- jobs that come back --------------------------------------------------------------------- */

static void run_listeners(struct server *server)
{
    listener_run(&server->listener);
    listener_run(&server->admin); /* nothing happens where there is none */
}

static void on_mail(uv_async_t *wake_up)
{
    struct server *server = wake_up->data;
    VP_CHECK_MAGIC(server, SERVER_MAGIC);
    struct job *next;
    for (struct job *job = mailbox_take(&server->mailbox); job != NULL; job = next) {
        next = job->next;
        if (job->kind == JOB_OPEN_ENGINE)
            on_engine(server, job);
        else if (job->is_stored)
            dispatch_take_stored(&server->service, job);
        else
            dispatch_take_back(&server->service, job);
    }
    dispatch_jobs(&server->service);
    run_listeners(server); /* resumed connections stay stuck without it */
}

/* On the store's thread. */
static void on_stored(void *context, struct change *change)
{
    struct server *server = context;
    mailbox_post(&server->mailbox, change->owner);
}

static bool start_store(struct server *server, struct vp_err *err)
{
    struct service *service = &server->service;
    const struct config *config = service->config;
    const struct store_setup setup = {.path = config_voices_path(config),
                                      .min_speech_s = config->enrol_min_speech_s,
                                      .max_voices = config->voices_max,
                                      .on_done = on_stored,
                                      .context = server};
    if (!audit_open(&service->audit)) {
        *err = (struct vp_err){.status = VP_ERR_IO,
                               .message = "the system gives no random bytes for the audit's key"};
        return false;
    }
    if (setup.path != NULL)
        service->store = store_open(&setup, err);
    return setup.path == NULL || service->store != NULL;
}

/* The log is the loop's, so that it tells how the store is. */
static void tell_of_store(struct service *service)
{
    char fault[FAULT_ROOM];
    if (service->store == NULL || !store_take_news(service->store, fault))
        return;
    if (*fault != 0)
        log_event_limited(LOG_ERROR, "store-unavailable", fault);
    else
        log_event(LOG_INFO, "store-good", "the file of voices is in use");
}

/* ---- signals and the clock ------------------------------------------------------------------ */

static void reload(struct server *server)
{
    struct service *service = &server->service;
    const char *path = service->config->api_keys_file;
    struct vp_err err;
    struct keys *keys = NULL;
    log_event(LOG_INFO, "reload", "SIGHUP: keys and model are read again");
    if (*path != 0) {
        if (keys_load(path, &keys, &err) == VP_OK) {
            keys_free(service->keys);
            service->keys = keys;
            log_event(LOG_INFO, "keys-loaded", "the new keys are in force");
        } else {
            log_event(LOG_ERROR, "keys-refused", err.message);
        }
    }
    open_engine(server);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct server *server = handle->data;
    if (signal_number == SIGHUP)
        reload(server);
    else
        drain_begin(&server->drain, signal_number == SIGINT);
}

/* Says which decoders were replaced since the last tick. Without the zygote nothing can be decoded
 * any more: the service ends, and whoever watches it starts a whole one. */
static void watch_sandbox(struct server *server)
{
    const struct sandbox *sandbox = server->service.sandbox;
    if (sandbox == NULL || server->sandbox_is_gone)
        return;
    for (enum decoder_end end = 0; end < N_DECODER_ENDS; end++) {
        const uint64_t n = sandbox_ends(sandbox, end);
        if (n != server->decoder_ends[end] && end != DECODER_CANCELLED)
            log_event_limited(LOG_WARN, "decoder-replaced", sandbox_end_name(end));
        server->decoder_ends[end] = n;
    }
    server->sandbox_is_gone = sandbox_is_gone(sandbox);
    if (!server->sandbox_is_gone)
        return;
    log_event(LOG_ERROR, "sandbox-lost", "the process that makes decoders has ended");
    drain_begin(&server->drain, true);
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct service *service = &server->service;
    uint64_t now_ns = clock_now_ns();
    connections_tick(&service->connections, now_ns);
    connections_evict(&service->connections, now_ns);
    patience_tick(service, now_ns);
    tell_of_store(service);
    queue_tick(&service->queue, now_ns);
    dispatch_jobs(service);
    run_listeners(server);
    watch_sandbox(server);
    drain_tick(&server->drain, now_ns);
}

/* ---- start and end -------------------------------------------------------------------------- */

static bool watch_signals(struct server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is a fault of the store, not the end */
    for (size_t i = 0; i < 3; i++) {
        if (uv_signal_init(&server->loop, &server->signals[i]) != 0 ||
            uv_signal_start(&server->signals[i], on_signal, numbers[i]) != 0)
            return false;
        server->signals[i].data = server;
    }
    return true;
}

/* As many connections as the limit on open files allows: at that limit nobody could be accepted any
 * more, probes neither. */
static bool fit_descriptors(const struct config *config, size_t *max_connections, size_t *headroom,
                            struct vp_err *err)
{
    enum { OWN = 64, LEAST_CONNECTIONS = 16 };
    const size_t wanted = config->max_connections;
    /* a worker's decoder has its channel and its memory, a conversation's its channel */
    const size_t decoders = config->decodes_inline ? 0 : 2 * config->workers + config->queue_size;
    const rlim_t others = OWN + decoders + MAX_LINGERING + LEAST_HEADROOM;
    const rlim_t most = wanted + others + MOST_HEADROOM - LEAST_HEADROOM;
    struct rlimit limit;
    *max_connections = wanted;
    *headroom = LEAST_HEADROOM;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_cur < most) {
        limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return true;
    }
    if (limit.rlim_cur >= wanted + others) {
        const rlim_t usable = limit.rlim_cur < most ? limit.rlim_cur : most;
        *headroom += (size_t)(usable - wanted - others);
        return true;
    }
    if (limit.rlim_cur < LEAST_CONNECTIONS + others) {
        *err = (struct vp_err){.status = VP_ERR_IO};
        snprintf(err->message, sizeof err->message,
                 "at most %lu open files are allowed here and %lu are needed; raise it (ulimit -n)",
                 (unsigned long)limit.rlim_cur, (unsigned long)(LEAST_CONNECTIONS + others));
        return false;
    }
    *max_connections = (size_t)(limit.rlim_cur - others);
    struct log_line line;
    log_begin(&line, LOG_WARN, "few-descriptors");
    log_string(&line, "detail",
               "the limit on open files is too low for max_connections; raise it (ulimit -n)");
    log_count(&line, "max_connections", *max_connections);
    log_end(&line);
    return true;
}

static bool listen_on(struct server *server, struct listener *listener, const char *address,
                      bool is_admin, struct vp_err *err)
{
    struct listener_setup setup = {
        .loop = &server->loop,
        .connections = &server->service.connections,
        .calls = &request_listener_calls,
        .owner = &server->service,
        .fd = socket_open(address, false, err),
        .is_admin = is_admin,
        .hosts = {.allowed = is_admin ? "" : server->service.config->allowed_hosts,
                  .origins = server->service.config->cors_origins,
                  .on_loopback = hosts_is_loopback(address)},
    };
    if (setup.fd < 0 || !listener_open(listener, &setup, err))
        return false;
    struct log_line line;
    log_begin(&line, LOG_INFO, is_admin ? "listening-admin" : "listening");
    log_string(&line, "address", address);
    log_end(&line);
    return true;
}

static bool fail(struct vp_err *err, const char *sentence)
{
    *err = (struct vp_err){.status = VP_ERR_NO_MEMORY};
    snprintf(err->message, sizeof err->message, "%s", sentence);
    return false;
}

static void set_shares(struct service *service)
{
    const struct config *config = service->config;
    const size_t whole[N_SHARES] = {
        [SHARE_CONNECTIONS] = service->connections.max,
        [SHARE_UPLOADS] = service->uploads.max_bytes,
        [SHARE_CONVERSATIONS] = service->conversations.max_bytes,
        [SHARE_CLIPS] = config->queue_size,
        [SHARE_COMPARISONS] = config->queue_size,
        [SHARE_DIARIZATIONS] = config->queue_size,
    };
    for (enum share share = 0; share < N_SHARES; share++)
        clients_set_share(&service->clients, share, whole[share],
                          (unsigned)config->client_share_percent);
}

/* The service but for its workers and its engine. */
static bool open_service(struct service *service, const struct config *config, struct vp_err *err)
{
    size_t max_connections = 0, headroom = 0, n_wrong = 0;
    const char *wrong = NULL;
    service->config = config;
    VP_BUG_IF(!networks_parse(config->trusted_proxies, &service->clients.proxies, &wrong,
                              &n_wrong)); /* config_validate has read them */
    service->has_admin = *config->admin_listen != 0;
    service->uploads.max_bytes = config->max_buffered_bytes;
    service->conversations.max_bytes = upload_max_bytes(config->diarize_max_body_bytes, true);
    snprintf(service->not_ready_reason, sizeof service->not_ready_reason,
             "the model is being loaded and tested");
    service->uploads.share = SHARE_UPLOADS;
    service->conversations.share = SHARE_CONVERSATIONS;
    service->uploads.make_room = service->conversations.make_room = patience_make_room;
    service->uploads.owner = service->conversations.owner = service;
    if (!fit_descriptors(config, &max_connections, &headroom, err))
        return false;
    connections_open(&service->connections, config, &service->metrics, &service->clients,
                     max_connections, headroom, request_on_connection_end);
    set_shares(service);
    return *config->api_keys_file == 0 ||
           keys_load(config->api_keys_file, &service->keys, err) == VP_OK;
}

static bool open_workers(struct service *service, struct mailbox *mailbox, struct vp_err *err)
{
    const struct config *config = service->config;
    struct vp_limits limits;
    size_t n_samples = 0;
    service->workers = workers_start(config->workers, config->threads_per_request, mailbox, err);
    if (service->workers == NULL)
        return false;
    if (service->sandbox == NULL) {
        log_event(
            LOG_WARN, "decoder-inline",
            "uploads are decoded in this process, which a harmful one may crash or take over; "
            "decoder=sandbox has processes of their own for that");
        return true;
    }
    engine_limits(config, &limits);
    return vp_decode_capacity(&limits, &n_samples) &&
           workers_give_boxes(service->workers, service->sandbox, config->max_body_bytes, n_samples,
                              err);
}

bool server_open(struct server *server, const struct config *config, struct sandbox *sandbox,
                 struct vp_err *err)
{
    memset(server, 0, sizeof *server);
    struct service *service = &server->service;
    server->magic = SERVER_MAGIC;
    server->drain = (struct drain){.service = service,
                                   .loop = &server->loop,
                                   .listener = &server->listener,
                                   .admin = &server->admin};
    if (!open_service(service, config, err))
        return false;
    if (uv_loop_init(&server->loop) != 0)
        return fail(err, "the event loop cannot be made");
    if (!watch_signals(server))
        return fail(err, "the signal handlers cannot be installed");
    if (!mailbox_open(&server->mailbox, &server->loop, on_mail, server))
        return fail(err, "the mailbox cannot be made");
    if (!turns_open(&server->turns, &server->loop, &service->metrics) || !spent_open(&server->loop))
        return fail(err, "the clock of the loop cannot be made");
    uv_timer_init(&server->loop, &server->tick);
    server->tick.data = server;
    uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    service->sandbox = sandbox;
    if (!open_workers(service, &server->mailbox, err))
        return false;
    if (!start_store(server, err))
        return false;
    queue_init(&service->queue, config->queue_size, service->workers, &request_queue_calls);
    if (!listen_on(server, &server->listener, config->listen, false, err) ||
        (service->has_admin && !listen_on(server, &server->admin, config->admin_listen, true, err)))
        return false;
    thread_set_role(THREAD_LOOP);
    open_engine(server);
    return true;
}

int server_run(struct server *server)
{
    uv_run(&server->loop, UV_RUN_DEFAULT);
    return server->drain.requests_were_cut || server->sandbox_is_gone ? 1 : 0;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void server_close(struct server *server)
{
    struct service *service = &server->service;
    queue_expire_all(&service->queue, PROBLEM_DRAINING); /* cancels what workers still run */
    if (!workers_stop(service->workers, JOIN_S) ||
        !store_close(service->store, clock_now_ns() + clock_from_seconds(JOIN_S)))
        _exit(server->drain.requests_were_cut ? EXIT_FAILURE : EXIT_SUCCESS);
    listener_close(&server->listener);
    listener_close(&server->admin);
    struct job *next;
    for (struct job *job = mailbox_take(&server->mailbox); job != NULL; job = next) {
        next = job->next;
        if (job->kind == JOB_OPEN_ENGINE)
            job_free(job);
        else if (job->is_stored)
            VP_BUG_IF(queue_take_stored(&service->queue, job) != NULL);
        else /* nobody waits for it; it gives its place back and is freed */
            VP_BUG_IF(queue_take_back(&service->queue, job) != NULL);
    }
    mailbox_close(&server->mailbox);
    job_free(service->open_job);
    connections_close(&service->connections);
    spent_close();
    engine_release(service->engine);
    keys_free(service->keys);
    uv_walk(&server->loop, close_handle, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    server->magic = 0;
}
