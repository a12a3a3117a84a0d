/* How fast bytes come. */
#include "unit.h"

#include "http/pace.h"

#define S UINT64_C(1000000000)

static void only_whole_stretches_count(void **state)
{
    (void)state;
    struct pace pace = pace_begin(5 * S, 1000);
    pace_note(&pace, 2.0, 6 * S, 9000);
    assert_false(pace.is_known);
    pace_note(&pace, 2.0, 7 * S, 9000);
    assert_true(pace.is_known);
    assert_true(pace.bytes_per_s == 4000.0);
    pace_note(&pace, 2.0, 8 * S, 90000); /* of the next stretch */
    assert_true(pace.bytes_per_s == 4000.0);
}

static void what_came_before_is_forgotten(void **state)
{
    (void)state;
    struct pace pace = pace_begin(0, 0);
    pace_note(&pace, 2.0, 2 * S, 1000000);
    pace_note(&pace, 2.0, 4 * S, 1000000);
    assert_true(pace.is_known && pace.bytes_per_s == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_whole_stretches_count),
        cmocka_unit_test(what_came_before_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
