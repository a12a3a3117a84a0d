/* What libmicrohttpd reads is read along, and what other threads read is not. */
#include "unit.h"

#include "http/tap.h"
#include "util/thread.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static const char head[] = "GET / HTTP/1.1\r\n\r\n";
static struct wire wire;

/* One head through a socket whose number is the tapped one's. */
static void *read_a_head(void *argument)
{
    const int *ends = argument;
    char bytes[sizeof head];
    if (send(ends[1], head, sizeof head - 1, 0) != sizeof head - 1 ||
        recv(ends[0], bytes, sizeof bytes, 0) != sizeof head - 1)
        return NULL;
    return argument;
}

static void *read_as_a_worker(void *argument)
{
    thread_set_role(THREAD_WORKER);
    return read_a_head(argument);
}

static void the_loop_alone_is_read_along(void **state)
{
    (void)state;
    int ends[2];
    pthread_t worker;
    void *result = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_true(tap_add(ends[0], &wire));
    assert_non_null(read_a_head(ends));
    assert_int_equal(wire.n_heads, 1);

    /* The table may move while a worker talks to its decoder. */
    assert_int_equal(thread_start(&worker, read_as_a_worker, ends), 0);
    assert_int_equal(pthread_join(worker, &result), 0);
    assert_non_null(result);
    assert_int_equal(wire.n_heads, 1);

    tap_remove(ends[0]);
    assert_non_null(read_a_head(ends));
    assert_int_equal(wire.n_heads, 1);
    tap_close();
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_alone_is_read_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
