/* The loop: start, signals, jobs that come back, the clock's tick. The drain is in drain.c. */
#include "server.h"

#include "drain.h"
#include "request/queue.h"
#include "request/request.h"
#include "request/upload.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TICK_MS = 50, FIRST_RETRY_S = 1, LAST_RETRY_S = 30 };

/* ---- state ---------------------------------------------------------------------------------- */

bool server_is_ready(const struct server *server)
{
    return server->engine != NULL && !server->engine_ill;
}

bool server_is_stuck(const struct server *server)
{
    uint64_t longest_ns = workers_longest_ns(server->workers, clock_now_ns());
    return longest_ns > clock_from_seconds(server->config->watchdog_s);
}

const char *server_state(const struct server *server)
{
    if (server_is_stuck(server))
        return "stuck";
    if (server->drain != DRAIN_NOT)
        return "draining";
    return server_is_ready(server) ? "ready" : "loading";
}

unsigned server_retry_after_s(const struct server *server)
{
    double depth = (double)(server->queue.n + 1);
    double seconds = ceil(depth * server->mean_service_s / (double)server->config->workers);
    if (!server_is_ready(server) || server->drain != DRAIN_NOT)
        seconds = 5;
    return (unsigned)fmin(fmax(seconds, FIRST_RETRY_S), LAST_RETRY_S);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

void server_dispatch(struct server *server)
{
    ON_LOOP();
    while (workers_busy(server->workers) < workers_count(server->workers)) {
        if (server->open_job != NULL) {
            workers_give(server->workers, server->open_job);
            server->open_job = NULL;
            continue;
        }
        struct request *request = queue_next(server);
        if (request == NULL)
            return;
        workers_give(server->workers, request->job);
    }
}

static void open_engine(struct server *server)
{
    if (server->opening) {
        server->open_again = true;
        return;
    }
    server->open_job = job_new_open(server->config);
    if (server->open_job == NULL) {
        log_event(LOG_ERROR, "model-refused", "memory is short");
        return;
    }
    server->opening = true;
    server_dispatch(server);
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
    server->opening = false;
    if (job->status == VP_OK) {
        engine_release(server->engine);
        server->engine = job->opened;
        server->engine_ill = false;
        job->opened = NULL;
        log_engine(server->engine);
    } else {
        log_event(LOG_ERROR, "model-refused", job->err.message);
        if (server->engine == NULL)
            snprintf(server->not_ready_reason, sizeof server->not_ready_reason, "%.250s",
                     job->err.message);
    }
    job_free(job);
    if (server->open_again) {
        server->open_again = false;
        open_engine(server);
    }
}

/* An embedding that cannot be right: is it the engine? */
static void judge_health(struct server *server, const struct job *job)
{
    if (job->self_test_failed && job->engine == server->engine) {
        server->engine_ill = true;
        snprintf(server->not_ready_reason, sizeof server->not_ready_reason,
                 "the model failed its self-test while serving");
        log_event(LOG_ERROR, "self-test-failed", server->not_ready_reason);
    }
    if (job->status == VP_ERR_INFERENCE)
        log_event_limited(LOG_ERROR, "inference-failed", job->err.message);
}

static void on_clips(struct server *server, struct job *job)
{
    double service_s = 1e-3 * clock_ms_since(job->started_ns, job->ended_ns);
    server->mean_service_s +=
        (server->mean_service_s > 0 ? 0.1 : 1.0) * (service_s - server->mean_service_s);
    judge_health(server, job);
    if (job->request != NULL)
        request_finish(job->request);
    else
        job_free(job); /* late: its request has been answered or has left */
}

static void on_slice(struct server *server, struct job *job)
{
    server->n_slicing--;
    metrics_add_stage(&server->metrics, STAGE_SLICE, 1e-3 * job->conversation.slice_ms);
    judge_health(server, job);
    if (job->request == NULL)
        job_free(job); /* its request has been answered or has left */
    else if (job->status == VP_OK && !job->conversation.progress.done)
        request_go_on(job->request);
    else
        request_finish(job->request);
}

static void run_listeners(struct server *server)
{
    listener_run(&server->listener);
    if (server->has_admin)
        listener_run(&server->admin);
}

static void on_mail(uv_async_t *wake_up)
{
    struct server *server = wake_up->data;
    VP_CHECK_MAGIC(server, SERVER_MAGIC);
    struct job *next;
    for (struct job *job = mailbox_take(&server->mailbox); job != NULL; job = next) {
        next = job->next;
        workers_take_back(server->workers, job);
        if (job->kind == JOB_OPEN_ENGINE)
            on_engine(server, job);
        else if (job->kind == JOB_DIARIZE)
            on_slice(server, job);
        else
            on_clips(server, job);
    }
    server_dispatch(server);
    run_listeners(server); /* resumed connections stay stuck without it */
}

/* ---- signals and the clock ------------------------------------------------------------------ */

static void reload(struct server *server)
{
    struct vp_err err;
    struct keys *keys = NULL;
    log_event(LOG_INFO, "reload", "SIGHUP: keys and model are read again");
    if (*server->config->api_keys_file != 0) {
        if (keys_load(server->config->api_keys_file, &keys, &err) == VP_OK) {
            keys_free(server->keys);
            server->keys = keys;
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
        drain_begin(server, signal_number == SIGINT);
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uint64_t now_ns = clock_now_ns();
    connections_tick(server, now_ns);
    queue_tick(server, now_ns);
    server_dispatch(server);
    run_listeners(server);
    drain_tick(server, now_ns);
}

/* ---- start and end -------------------------------------------------------------------------- */

static bool watch_signals(struct server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
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
static bool fit_descriptors(struct server *server, struct vp_err *err)
{
    enum { OWN = 64, LEAST_CONNECTIONS = 16 };
    const rlim_t others = OWN + MAX_LINGERING + CONNECTION_HEADROOM;
    struct connections *connections = &server->connections;
    struct rlimit limit;
    connections->max = server->config->max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_cur < connections->max + others) {
        limit.rlim_cur = limit.rlim_max;
        if (limit.rlim_cur > connections->max + others)
            limit.rlim_cur = connections->max + others;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return true;
    }
    if (limit.rlim_cur >= connections->max + others)
        return true;
    if (limit.rlim_cur < LEAST_CONNECTIONS + others) {
        *err = (struct vp_err){.status = VP_ERR_IO};
        snprintf(err->message, sizeof err->message,
                 "at most %lu open files are allowed here and %lu are needed; raise it (ulimit -n)",
                 (unsigned long)limit.rlim_cur, (unsigned long)(LEAST_CONNECTIONS + others));
        return false;
    }
    connections->max = (size_t)(limit.rlim_cur - others);
    struct log_line line;
    log_begin(&line, LOG_WARN, "few-descriptors");
    log_string(&line, "detail",
               "the limit on open files is too low for max_connections; raise it (ulimit -n)");
    log_count(&line, "max_connections", connections->max);
    log_end(&line);
    return true;
}

static bool listen_on(struct server *server, struct listener *listener, const char *address,
                      bool is_admin, struct vp_err *err)
{
    int fd = listener_socket(address, false, err);
    if (fd < 0 || !listener_open(listener, server, fd, is_admin, err))
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

bool server_open(struct server *server, const struct config *config, struct vp_err *err)
{
    memset(server, 0, sizeof *server);
    server->magic = SERVER_MAGIC;
    server->config = config;
    server->uploads.max_bytes = config->max_buffered_bytes;
    server->conversations.max_bytes = upload_max_bytes(config->diarize_max_body_bytes, true);
    snprintf(server->not_ready_reason, sizeof server->not_ready_reason,
             "the model is being loaded and tested");
    if (!fit_descriptors(server, err))
        return false;
    if (*config->api_keys_file != 0 &&
        keys_load(config->api_keys_file, &server->keys, err) != VP_OK)
        return false;
    if (uv_loop_init(&server->loop) != 0)
        return fail(err, "the event loop cannot be made");
    if (!watch_signals(server))
        return fail(err, "the signal handlers cannot be installed");
    if (!mailbox_open(&server->mailbox, &server->loop, on_mail, server))
        return fail(err, "the mailbox cannot be made");
    uv_timer_init(&server->loop, &server->tick);
    server->tick.data = server;
    uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    server->workers =
        workers_start(config->workers, config->threads_per_request, &server->mailbox, err);
    if (server->workers == NULL)
        return false;
    server->has_admin = *config->admin_listen != 0;
    if (!listen_on(server, &server->listener, config->listen, false, err) ||
        (server->has_admin && !listen_on(server, &server->admin, config->admin_listen, true, err)))
        return false;
    thread_set_role(THREAD_LOOP);
    open_engine(server);
    return true;
}

int server_run(struct server *server)
{
    uv_run(&server->loop, UV_RUN_DEFAULT);
    return server->requests_were_cut ? 1 : 0;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void server_close(struct server *server)
{
    if (server->workers != NULL && workers_busy(server->workers) > 0 && server->requests_were_cut)
        _exit(1); /* a worker that outlasted the drain cannot be joined in finite time */
    if (server->workers != NULL)
        workers_stop(server->workers);
    queue_expire_all(server, PROBLEM_DRAINING);
    listener_close(&server->listener);
    listener_close(&server->admin);
    struct job *next;
    for (struct job *job = server->mailbox.first; job != NULL; job = next) {
        next = job->next;
        job_free(job);
    }
    job_free(server->open_job);
    connections_close(&server->connections);
    engine_release(server->engine);
    keys_free(server->keys);
    uv_walk(&server->loop, close_handle, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    pthread_mutex_destroy(&server->mailbox.mutex);
    server->magic = 0;
}
