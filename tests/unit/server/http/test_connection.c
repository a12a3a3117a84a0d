/* The tick over connections that say nothing: many at once are looked at in parts, all in turn. */
#include "unit.h"

#include "http/connection.h"

#include <sys/socket.h>
#include <unistd.h>

enum { N_PARTS = 3, N = 1024 * N_PARTS - 500 };

static const struct config config;
static struct metrics metrics;
static struct clients clients;
static struct connections list;
static struct connection crowd[N];
static int there[2], gone[2];

static void on_end(struct connection *connection)
{
    (void)connection;
    fail_msg("nothing is closed here");
}

/* All of them share a socket whose other end is open, and say nothing. */
static int gather(void **state)
{
    (void)state;
    connections_open(&list, &config, &metrics, &clients, N, 0, on_end);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, there) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, gone) != 0)
        return -1;
    close(gone[1]);
    memset(crowd, 0, sizeof crowd);
    for (size_t i = 0; i < N; i++)
        crowd[i] = (struct connection){.list = &list,
                                       .previous = i > 0 ? &crowd[i - 1] : NULL,
                                       .next = i + 1 < N ? &crowd[i + 1] : NULL,
                                       .fd = there[0],
                                       .phase = CONNECTION_REQUEST,
                                       .deadline_ns = UINT64_MAX};
    list.first = &crowd[0];
    list.last = &crowd[N - 1];
    list.n = N;
    return 0;
}

static int scatter(void **state)
{
    (void)state;
    close(there[0]);
    close(there[1]);
    close(gone[0]);
    return 0;
}

/* In two rounds at most: whoever is cut makes those behind move up. */
static void whoever_left_a_crowd_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i += 100) {
        for (size_t j = i; j < i + N_PARTS && j < N; j++)
            crowd[j].fd = gone[0];
        for (size_t tick = 0; tick < 2 * N_PARTS; tick++)
            connections_tick(&list, 1);
        for (size_t j = i; j < i + N_PARTS && j < N; j++)
            assert_true(crowd[j].cut && crowd[j].peer_left);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(crowd[i].cut, i % 100 < N_PARTS);
}

/* Each look costs a call of the system or two: a tick takes a part. */
static void no_tick_looks_at_all_of_a_crowd(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        crowd[i].fd = gone[0];
    for (size_t tick = 1; tick <= N_PARTS; tick++) {
        size_t n_noticed = 0;
        connections_tick(&list, 1);
        for (size_t i = 0; i < N; i++)
            n_noticed += crowd[i].cut;
        assert_true(n_noticed <= tick * 1024);
    }
}

static void whoever_waits_for_an_answer_is_not_looked_at(void **state)
{
    (void)state;
    crowd[0].fd = gone[0];
    crowd[0].phase = CONNECTION_ANSWER;
    for (size_t tick = 0; tick < N_PARTS; tick++)
        connections_tick(&list, 1);
    assert_false(crowd[0].cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_left_a_crowd_is_noticed, gather, scatter),
        cmocka_unit_test_setup_teardown(no_tick_looks_at_all_of_a_crowd, gather, scatter),
        cmocka_unit_test_setup_teardown(whoever_waits_for_an_answer_is_not_looked_at, gather,
                                        scatter),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
