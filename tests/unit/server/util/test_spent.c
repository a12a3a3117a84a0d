/* Large memory goes back a piece in each turn of the loop, small at once. */
#include "unit.h"

#include "util/spent.h"

/* Turns until nothing is left to do. */
static unsigned n_turns(uv_loop_t *loop)
{
    unsigned n = 1;
    while (uv_run(loop, UV_RUN_NOWAIT) != 0)
        n++;
    return n;
}

static unsigned char *touched(size_t n_bytes)
{
    unsigned char *bytes = malloc(n_bytes);
    assert_non_null(bytes);
    memset(bytes, 1, n_bytes);
    return bytes;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    uv_close(handle, NULL);
}

static void large_memory_takes_several_turns(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(spent_open(&loop));
    spent_free(NULL, 0);
    spent_free(touched(1000), 1000);
    assert_int_equal(n_turns(&loop), 1);
    spent_free(touched(40 << 20), 40 << 20); /* 16 MiB in a turn */
    assert_int_equal(n_turns(&loop), 3);
    for (size_t i = 0; i < 40; i++)
        spent_free(touched(1 << 20), 1 << 20);
    assert_int_equal(n_turns(&loop), 3);
    spent_free(touched(5 << 20), 5 << 20);
    spent_close(); /* what is left goes at once; a leak would show under AddressSanitizer */
    spent_free(touched(5 << 20), 5 << 20);
    uv_walk(&loop, close_handle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_memory_takes_several_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
