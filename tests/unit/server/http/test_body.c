/* Uploads under their own limit and the common budget. */
#include "unit.h"

#include "http/body.h"

static unsigned char bytes[300000];
static const struct holder nobody;

static void declared_lengths_are_reserved_at_once(void **state)
{
    (void)state;
    struct budget budget = {.max_bytes = 1000};
    struct body a, b;
    assert_int_equal(body_open(&a, &budget, &nobody, 800, 700), BODY_GOOD);
    assert_int_equal(budget.used_bytes, 700);
    assert_int_equal(body_open(&b, &budget, &nobody, 800, 301), BODY_NO_BUDGET);
    assert_int_equal(budget.used_bytes, 700);
    body_close(&b);
    assert_int_equal(body_open(&b, &budget, &nobody, 800, 300), BODY_GOOD);
    body_close(&a);
    body_close(&a);
    assert_int_equal(budget.used_bytes, 300);
    body_close(&b);
    assert_int_equal(budget.used_bytes, 0);
    assert_int_equal(body_open(&a, &budget, &nobody, 800, 801), BODY_TOO_LARGE);
    assert_int_equal(body_open(&a, &budget, &nobody, 800, UINT64_MAX - 1), BODY_TOO_LARGE);
    assert_int_equal(budget.used_bytes, 0);
    body_close(&a);
}

static void pieces_are_put_together(void **state)
{
    (void)state;
    struct budget budget = {.max_bytes = 1 << 20};
    struct body body;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 >> 3);
    for (int known = 0; known < 2; known++) {
        uint64_t declared = known ? sizeof bytes : BODY_LENGTH_UNKNOWN;
        assert_int_equal(body_open(&body, &budget, &nobody, sizeof bytes, declared), BODY_GOOD);
        for (size_t at = 0; at < sizeof bytes;) {
            size_t n = 1 + at % 7001;
            if (n > sizeof bytes - at)
                n = sizeof bytes - at;
            body_append(&body, bytes + at, n);
            at += n;
        }
        assert_int_equal(body.fault, BODY_GOOD);
        assert_int_equal(body.n_bytes, sizeof bytes);
        assert_memory_equal(body.bytes, bytes, sizeof bytes);
        assert_true(body.room_bytes <= body.reserved_bytes);
        assert_int_equal(budget.used_bytes, body.reserved_bytes);
        body_close(&body);
        assert_int_equal(budget.used_bytes, 0);
    }
}

static void too_much_is_counted_but_not_kept(void **state)
{
    (void)state;
    struct budget budget = {.max_bytes = 1 << 20};
    struct body body;
    assert_int_equal(body_open(&body, &budget, &nobody, 100, BODY_LENGTH_UNKNOWN), BODY_GOOD);
    body_append(&body, bytes, 100);
    assert_int_equal(body.fault, BODY_GOOD);
    body_append(&body, bytes, 1);
    assert_int_equal(body.fault, BODY_TOO_LARGE);
    assert_null(body.bytes);
    assert_int_equal(budget.used_bytes, 0);
    body_append(&body, bytes, 99);
    assert_false(body_is_hopeless(&body));
    body_append(&body, bytes, 1);
    assert_true(body_is_hopeless(&body));
    assert_int_equal(body.counted_bytes, 201);
    body_close(&body);
}

static void a_full_budget_stops_a_chunked_body(void **state)
{
    (void)state;
    struct budget budget = {.max_bytes = 200000};
    struct body body;
    assert_int_equal(body_open(&body, &budget, &nobody, 1 << 20, BODY_LENGTH_UNKNOWN), BODY_GOOD);
    for (int i = 0; i < 3; i++)
        body_append(&body, bytes, 60000);
    assert_int_equal(body.fault, BODY_NO_BUDGET);
    assert_int_equal(budget.used_bytes, 0);
    body_close(&body);
}

static void a_moved_body_is_owned_once(void **state)
{
    (void)state;
    struct budget budget = {.max_bytes = 1000};
    struct body from, to = {0};
    assert_int_equal(body_open(&from, &budget, &nobody, 800, 10), BODY_GOOD);
    body_append(&from, "0123456789", 10);
    body_move(&from, &to);
    body_close(&from);
    assert_int_equal(from.counted_bytes, 10);
    assert_memory_equal(to.bytes, "0123456789", 10);
    assert_int_equal(budget.used_bytes, 10);
    body_close(&to);
    assert_int_equal(budget.used_bytes, 0);
}

/* The holder is given back with the body. */
static size_t n_asked;

static void make_room(struct budget *budget, const struct holder *other, size_t n_bytes)
{
    struct body *victim = budget->owner;
    n_asked++;
    if (holder_gives_way(&victim->holder, other, budget->share, n_bytes))
        body_refuse(victim);
}

static void who_holds_more_than_its_share_makes_room(void **state)
{
    (void)state;
    struct clients clients = {.tree = NULL};
    struct budget budget = {.max_bytes = 1000, .share = SHARE_UPLOADS, .make_room = make_room};
    struct holder many, few;
    const struct address a = {.bytes = {1}}, b = {.bytes = {2}};
    struct body large, small, other;
    clients_set_share(&clients, SHARE_UPLOADS, 1000, 25);
    assert_true(holder_open(&many, &clients, &a, NULL) && holder_open(&few, &clients, &b, NULL));
    assert_int_equal(body_open(&large, &budget, &many, 1000, 900), BODY_GOOD);
    budget.owner = &large;
    n_asked = 0;
    assert_int_equal(body_open(&small, &budget, &few, 1000, 100), BODY_GOOD);
    assert_int_equal(n_asked, 0); /* there was room */
    body_close(&small);
    assert_int_equal(body_open(&other, &budget, &few, 1000, 251), BODY_NO_BUDGET);
    assert_int_equal(n_asked, 1); /* that would be more than its share */
    assert_int_equal(large.fault, BODY_GOOD);
    assert_int_equal(body_open(&small, &budget, &few, 1000, 250), BODY_GOOD);
    assert_int_equal(n_asked, 2);
    assert_int_equal(large.fault, BODY_NO_BUDGET);
    assert_int_equal(budget.used_bytes, 250);
    holder_close(&many);
    holder_close(&few);
    body_close(&large);
    assert_int_equal(clients.n, 1);
    body_move(&small, &other);
    body_close(&small);
    assert_int_equal(clients.n, 1); /* it went along */
    body_close(&other);
    assert_int_equal(clients.n, 0);
    assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_lengths_are_reserved_at_once),
        cmocka_unit_test(pieces_are_put_together),
        cmocka_unit_test(too_much_is_counted_but_not_kept),
        cmocka_unit_test(a_full_budget_stops_a_chunked_body),
        cmocka_unit_test(a_moved_body_is_owned_once),
        cmocka_unit_test(who_holds_more_than_its_share_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
