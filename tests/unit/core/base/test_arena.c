/* The scratch block: aligned, zeroed, sized at start, never more than was planned. */
#include "unit.h"

#include "base/arena.h"

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 15, 16, 17, 1000};
    size_t total = 0;
    for (size_t i = 0; i < 5; i++) {
        size_t n_bytes = 0;
        assert_true(arena_floats_size(sizes[i], &n_bytes));
        total += n_bytes;
    }
    struct arena arena;
    struct vp_err err;
    assert_int_equal(arena_init(&arena, total, "test", &err), VP_OK);
    float *end_of_previous = NULL;
    for (size_t i = 0; i < 5; i++) {
        float *piece = arena_floats(&arena, sizes[i]);
        assert_int_equal((uintptr_t)piece % 64, 0);
        assert_true(end_of_previous == NULL || piece > end_of_previous);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_true(piece[j] == 0.0F);
        piece[sizes[i] - 1] = 1.0F;
        end_of_previous = piece + sizes[i];
    }
    assert_int_equal(arena.used, total);
    arena_free(&arena);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    size_t n_bytes = 0;
    assert_false(arena_floats_size(SIZE_MAX / 2, &n_bytes));
    assert_false(arena_floats_size(SIZE_MAX / sizeof(float), &n_bytes));
    struct arena arena;
    struct vp_err err;
    assert_int_equal(arena_init(&arena, SIZE_MAX - 100, "test", &err), VP_ERR_NO_MEMORY);
    assert_non_null(strstr(err.message, "for test"));
    arena_free(&arena);
}

struct two_pieces {
    size_t n, n_row;
    float *rows, *tail;
    unsigned n_passes;
};

static void lay_out(void *ctx, struct arena *arena)
{
    struct two_pieces *two = ctx;
    two->rows = arena_rows(arena, two->n, two->n_row);
    two->tail = arena_floats(arena, 3);
    two->n_passes++;
}

static void a_layout_is_added_up_and_then_handed_out(void **state)
{
    (void)state;
    struct arena arena;
    struct two_pieces two = {.n = 5, .n_row = 7};
    assert_int_equal(arena_build(&arena, lay_out, &two, "test", NULL), VP_OK);
    assert_int_equal(two.n_passes, 2);
    assert_in_range(arena.n_bytes, arena.used, arena.used + 64);
    assert_true(two.tail >= two.rows + 35);
    memset(two.rows, 1, 35 * sizeof *two.rows);
    assert_true(two.tail[0] == 0.0F && two.tail[2] == 0.0F);
    arena_free(&arena);
}

static void a_layout_that_fits_no_memory_is_refused(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{SIZE_MAX / 2, 3}, {SIZE_MAX / 4, 1}, {SIZE_MAX / 8, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct arena arena;
        struct vp_err err;
        struct two_pieces two = {.n = shapes[i][0], .n_row = shapes[i][1]};
        assert_int_equal(arena_build(&arena, lay_out, &two, "test", &err), VP_ERR_NO_MEMORY);
        assert_non_null(strstr(err.message, "for test"));
        assert_int_equal(two.n_passes, 1);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(a_layout_is_added_up_and_then_handed_out),
        cmocka_unit_test(a_layout_that_fits_no_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
