/* Arrays that grow: what is in them stays, sizes do not wrap around, and a failure changes nothing.
 */
#include "unit.h"

#include "base/array.h"

static void elements_survive_every_move(void **state)
{
    (void)state;
    size_t *array = NULL, capacity = 0, n_moves = 0;
    for (size_t i = 0; i < 100000; i++) {
        const size_t before = capacity;
        size_t *grown = array_room(array, &capacity, i + 1, sizeof *grown);
        assert_non_null(grown);
        assert_true(capacity > i);
        if (capacity == before)
            assert_ptr_equal(grown, array);
        else
            n_moves++;
        array = grown;
        array[i] = 3 * i;
    }
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(array[i], 3 * i);
    assert_true(n_moves < 20); /* of 64 elements, then of half as many more */
    free(array);
}

static void a_large_step_is_taken_at_once(void **state)
{
    (void)state;
    size_t capacity = 0;
    char *array = array_room(NULL, &capacity, 5000, 7);
    assert_non_null(array);
    assert_int_equal(capacity, 5000);
    array[5000 * 7 - 1] = 1;
    free(array);
}

static void absurd_sizes_change_nothing(void **state)
{
    (void)state;
    size_t capacity = 0;
    char *array = array_room(NULL, &capacity, 1, 8);
    assert_non_null(array);
    const size_t before = capacity;
    assert_null(array_room(array, &capacity, SIZE_MAX / 8 + 2, 8)); /* would wrap around to 8 */
    assert_null(array_room(array, &capacity, SIZE_MAX, 1));
    assert_int_equal(capacity, before);
    size_t largest = SIZE_MAX - 1;
    assert_null(array_room(array, &largest, SIZE_MAX, 1));
    assert_int_equal(largest, SIZE_MAX - 1);
    array[before * 8 - 1] = 1;
    free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_survive_every_move),
        cmocka_unit_test(a_large_step_is_taken_at_once),
        cmocka_unit_test(absurd_sizes_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
