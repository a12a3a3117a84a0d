/* Requests over real sockets, one state after the other, with the loop's turns taken by hand: here
 * nothing happens by itself, so that each deadline falls exactly where it is put. */
#include "unit.h"

#include "http/listener.h"
#include "request/dispatch.h"
#include "request/lifecycle.h"
#include "util/clock.h"
#include "util/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { N_RUNS = 20 };

struct bench {
    uv_loop_t loop;
    struct config config;
    struct service service;
    struct mailbox mailbox;
    struct listener listener;
    in_port_t port; /* in network order */
};

static void no_mail(uv_async_t *wake_up)
{
    (void)wake_up;
}

static struct job *wait_for_job(struct bench *bench)
{
    struct job *job = NULL;
    const uint64_t until_ns = clock_now_ns() + clock_from_seconds(60);
    while (job == NULL && clock_now_ns() < until_ns) {
        job = mailbox_take(&bench->mailbox);
        usleep(1000);
    }
    assert_non_null(job);
    assert_null(job->next);
    return job;
}

static void open_bench(struct bench *bench)
{
    struct vp_err err;
    struct service *service = &bench->service;
    memset(bench, 0, sizeof *bench);
    config_defaults(&bench->config);
    bench->config.workers = bench->config.threads_per_request = 1;
    bench->config.queue_size = 2;
    assert_true(config_set(&bench->config, "model", "tests/golden/models/small.safetensors",
                           &(struct config_error){""}));
    service->config = &bench->config;
    service->uploads.max_bytes = bench->config.max_buffered_bytes;
    service->conversations.max_bytes = bench->config.diarize_max_body_bytes;
    connections_open(&service->connections, &bench->config, &service->metrics, &service->clients,
                     16, LEAST_HEADROOM, request_on_connection_end);
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_true(mailbox_open(&bench->mailbox, &bench->loop, no_mail, NULL));
    service->workers = workers_start(1, 1, &bench->mailbox, &err);
    assert_non_null(service->workers);
    queue_init(&service->queue, bench->config.queue_size, service->workers, &request_queue_calls);

    struct job *opened = job_new_open(&bench->config);
    assert_non_null(opened);
    workers_give(service->workers, opened);
    assert_ptr_equal(wait_for_job(bench), opened);
    workers_take_back(service->workers, opened);
    assert_int_equal(opened->status, VP_OK);
    service->engine = opened->opened;
    opened->opened = NULL;
    job_free(opened);

    struct listener_setup setup = {.loop = &bench->loop,
                                   .connections = &service->connections,
                                   .calls = &request_listener_calls,
                                   .owner = service,
                                   .hosts = {.allowed = "*", .origins = ""},
                                   .fd = socket_open("127.0.0.1:0", false, &err)};
    assert_true(setup.fd >= 0);
    struct sockaddr_in address;
    socklen_t n = sizeof address;
    assert_int_equal(getsockname(setup.fd, (struct sockaddr *)(void *)&address, &n), 0);
    bench->port = address.sin_port;
    assert_true(listener_open(&bench->listener, &setup, &err));
}

static void run(struct bench *bench)
{
    for (int i = 0; i < N_RUNS; i++) {
        listener_run(&bench->listener);
        usleep(500);
    }
}

static void close_bench(struct bench *bench)
{
    struct service *service = &bench->service;
    run(bench);
    assert_int_equal(service->n_open_requests, 0);
    assert_int_equal(service->uploads.used_bytes + service->conversations.used_bytes, 0);
    assert_true(service->clients.n <= 1); /* that of the connections */
    assert_true(workers_stop(service->workers, 20));
    listener_close(&bench->listener);
    mailbox_close(&bench->mailbox);
    connections_close(&service->connections);
    assert_int_equal(service->clients.n, 0);
    engine_release(service->engine);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
}

static int connect_to(const struct bench *bench)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = bench->port,
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address),
                     0);
    return fd;
}

static void say(int fd, const char *text, size_t n)
{
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* A tone of one second in 16-bit WAV, posted to path. */
static void post_clip(int fd, const char *path, const char *headers)
{
    enum { RATE = 16000, N_BYTES = 44 + 2 * RATE };
    static unsigned char wav[N_BYTES] = "RIFF\0\0\0\0WAVEfmt \20\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0"
                                        "\0\2\0\20\0data\0\0\0\0";
    const uint32_t sizes[2] = {N_BYTES - 8, 2 * RATE};
    memcpy(wav + 4, &sizes[0], 4);
    memcpy(wav + 40, &sizes[1], 4);
    for (size_t i = 0; i < RATE; i++) { /* a sawtooth with a slow swell */
        const int16_t sample = (int16_t)((int)(i * 131 % 4000) - 2000 + (int)(i % 7919) / 4);
        memcpy(wav + 44 + 2 * i, &sample, 2);
    }
    char head[300];
    int n =
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n",
                 path, N_BYTES, headers);
    say(fd, head, (size_t)n);
    say(fd, (const char *)wav, sizeof wav);
}

/* A new connection with a clip to embed, as far as the server gets with it at once. */
static int connect_and_post(struct bench *bench)
{
    int fd = connect_to(bench);
    post_clip(fd, "/embed", "");
    run(bench);
    return fd;
}

/* What has come so far; the status in front, 0 for nothing. */
static int status_of(int fd, char *text, size_t room)
{
    size_t n = 0;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (n + 1 < room && poll(&readable, 1, 0) > 0) {
        ssize_t got = recv(fd, text + n, room - n - 1, MSG_DONTWAIT);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    text[n] = 0;
    return n > 12 ? atoi(text + 9) : 0;
}

static const struct ticket *only(const struct bench *bench, enum ticket_place place)
{
    assert_int_equal(bench->service.queue.at[place].n, 1);
    return bench->service.queue.at[place].first;
}

static void a_clip_is_embedded(void **state)
{
    (void)state;
    struct bench bench;
    char text[16384];
    open_bench(&bench);
    int fd = connect_and_post(&bench);
    const struct ticket *ticket = only(&bench, TICKET_RUNNING);
    assert_int_equal(ticket->request->state, REQUEST_WAITING);
    assert_int_equal(ticket->request->connection->phase, CONNECTION_ANSWER);
    dispatch_take_back(&bench.service, wait_for_job(&bench));
    assert_int_equal(ticket->place, TICKET_OUT);
    assert_int_equal(ticket->request->state, REQUEST_DONE);
    run(&bench);
    assert_int_equal(status_of(fd, text, sizeof text), 200);
    assert_non_null(strstr(text, "inference;dur="));
    assert_int_equal(bench.service.connections.first->phase, CONNECTION_IDLE); /* kept */
    assert_null(bench.service.connections.first->upload);
    close(fd);
    close_bench(&bench);
}

static void a_full_queue_refuses_and_says_when_to_come_again(void **state)
{
    (void)state;
    struct bench bench;
    char text[16384];
    int fds[4];
    open_bench(&bench);
    for (size_t i = 0; i < 4; i++) { /* one with the worker, two wait */
        fds[i] = connect_and_post(&bench);
    }
    assert_int_equal(queue_depth(&bench.service.queue), 2);
    assert_int_equal(status_of(fds[3], text, sizeof text), 503);
    assert_non_null(strstr(text, "Retry-After: 1\r\n"));
    assert_non_null(strstr(text, "urn:voiceprintd:problem:overloaded\""));
    queue_expire_all(&bench.service.queue, PROBLEM_DRAINING);
    run(&bench);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(status_of(fds[i], text, sizeof text), 503);
        assert_non_null(strstr(text, "urn:voiceprintd:problem:draining\""));
        close(fds[i]);
    }
    close(fds[3]);
    dispatch_take_back(&bench.service, wait_for_job(&bench)); /* the orphan */
    close_bench(&bench);
}

static void a_late_answer_is_a_timeout_and_its_result_is_dropped(void **state)
{
    (void)state;
    struct bench bench;
    char text[16384];
    open_bench(&bench);
    int fd = connect_and_post(&bench);
    const struct ticket *ticket = only(&bench, TICKET_RUNNING);
    /* request_timeout_s from the request line, and not earlier */
    queue_tick(&bench.service.queue, ticket->request->started_ns + clock_from_seconds(29.9));
    assert_int_equal(ticket->place, TICKET_RUNNING);
    queue_tick(&bench.service.queue, ticket->request->started_ns + clock_from_seconds(30));
    run(&bench);
    assert_int_equal(status_of(fd, text, sizeof text), 503);
    assert_non_null(strstr(text, "queue-timeout"));
    assert_non_null(strstr(text, "not done within the time"));
    dispatch_take_back(&bench.service, wait_for_job(&bench));
    assert_int_equal(bench.service.metrics.rejected[PROBLEM_QUEUE_TIMEOUT], 1);
    close(fd);
    close_bench(&bench);
}

static void whoever_leaves_while_waiting_is_dropped(void **state)
{
    (void)state;
    struct bench bench;
    char text[16384];
    open_bench(&bench);
    int first = connect_and_post(&bench), second = connect_and_post(&bench);
    struct request *request = only(&bench, TICKET_CLIPS)->request;
    close(second);
    usleep(2000);
    queue_tick(&bench.service.queue, clock_now_ns());
    assert_int_equal(queue_depth(&bench.service.queue), 0);
    assert_int_equal(request->state, REQUEST_GONE);
    assert_int_equal(bench.service.metrics.clients_gone, 1);
    run(&bench);
    assert_int_equal(bench.service.n_open_requests, 1);
    dispatch_take_back(&bench.service, wait_for_job(&bench));
    run(&bench);
    assert_int_equal(status_of(first, text, sizeof text), 200);
    close(first);
    close_bench(&bench);
}

static void lines_begin_after_the_first_slice(void **state)
{
    (void)state;
    struct bench bench;
    char text[16384];
    open_bench(&bench);
    int fd = connect_to(&bench);
    post_clip(fd, "/diarize", "Accept: application/x-ndjson\r\n");
    run(&bench);
    struct request *request = only(&bench, TICKET_RUNNING)->request;
    assert_int_equal(request->stream.state, NDJSON_WANTED);
    assert_int_equal(status_of(fd, text, sizeof text), 0);
    struct job *job = wait_for_job(&bench);
    assert_int_equal(job->status, VP_OK);
    job->is_done = job->conversation.progress.done = false; /* as after the first slice of many */
    dispatch_take_back(&bench.service, job);
    assert_int_equal(request->state, REQUEST_STREAMING);
    run(&bench);
    assert_int_equal(status_of(fd, text, sizeof text), 200);
    assert_non_null(strstr(text, "{\"progress\":"));
    assert_int_equal(request->state, REQUEST_REPLYING);
    /* Between two slices: the work has a deadline, and the reader none. */
    const struct ticket *ticket = only(&bench, TICKET_LONG);
    assert_true(request->connection->deadline_ns == UINT64_MAX);
    assert_true(ticket->start_deadline_ns == UINT64_MAX);
    queue_tick(&bench.service.queue, request->started_ns + clock_from_seconds(1799));
    assert_int_equal(ticket->place, TICKET_LONG);
    queue_tick(&bench.service.queue, request->started_ns + clock_from_seconds(1800));
    assert_int_equal(ticket->place, TICKET_OUT);
    assert_int_equal(request->stream.state, NDJSON_OVER);
    assert_true(request->connection->deadline_ns != UINT64_MAX);
    run(&bench);
    (void)status_of(fd, text, sizeof text);
    assert_non_null(strstr(text, "queue-timeout")); /* the problem is the last line */
    assert_non_null(strstr(text, "}\n\r\n0\r\n\r\n"));
    close(fd);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clip_is_embedded),
        cmocka_unit_test(a_full_queue_refuses_and_says_when_to_come_again),
        cmocka_unit_test(a_late_answer_is_a_timeout_and_its_result_is_dropped),
        cmocka_unit_test(whoever_leaves_while_waiting_is_dropped),
        cmocka_unit_test(lines_begin_after_the_first_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
