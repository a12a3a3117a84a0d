/* The table of clients: who gives way to whom, and that nobody stays in it who holds nothing. */
#include "unit.h"

#include "http/clients.h"

static struct address address(const char *text)
{
    struct address found;
    assert_true(address_parse(text, strlen(text), &found));
    return found;
}

static struct holder holder(struct clients *clients, const char *text, const char *key)
{
    const struct address peer = address(text);
    unsigned char digest[KEY_DIGEST_BYTES];
    struct holder opened;
    if (key != NULL)
        keys_digest(key, digest);
    assert_true(holder_open(&opened, clients, &peer, key != NULL ? digest : NULL));
    return opened;
}

static void shares_are_parts_of_the_whole(void **state)
{
    (void)state;
    struct clients clients = {.tree = NULL};
    clients_set_share(&clients, SHARE_CLIPS, 8, 25);
    clients_set_share(&clients, SHARE_DIARIZATIONS, 3, 25);
    clients_set_share(&clients, SHARE_UPLOADS, (size_t)1 << 40, 50);
    clients_set_share(&clients, SHARE_CONNECTIONS, 512, 100);
    assert_int_equal(clients.most[SHARE_CLIPS], 2);
    assert_int_equal(clients.most[SHARE_DIARIZATIONS], 1);
    assert_int_equal(clients.most[SHARE_UPLOADS], (size_t)1 << 39);
    assert_int_equal(clients.most[SHARE_CONNECTIONS], 0); /* no limit */
}

static void who_is_over_gives_way_to_who_is_within(void **state)
{
    (void)state;
    struct clients clients = {.tree = NULL};
    clients_set_share(&clients, SHARE_CLIPS, 8, 25);
    struct holder a = holder(&clients, "192.0.2.1", NULL), b = holder(&clients, "192.0.2.2", NULL);
    holder_take(&a, SHARE_CLIPS, 2);
    assert_false(holder_is_over(&a, SHARE_CLIPS));
    assert_false(holder_gives_way(&a, &b, SHARE_CLIPS, 1)); /* it is within its share */
    holder_take(&a, SHARE_CLIPS, 1);
    assert_true(holder_is_over(&a, SHARE_CLIPS));
    assert_true(holder_gives_way(&a, &b, SHARE_CLIPS, 2));
    assert_false(holder_gives_way(&a, &b, SHARE_CLIPS, 3)); /* more than the other's share */
    assert_false(holder_gives_way(&a, &b, SHARE_CLIPS, SIZE_MAX));
    assert_false(holder_gives_way(&a, &a, SHARE_CLIPS, 1));
    assert_false(holder_gives_way(&b, &a, SHARE_CLIPS, 1));
    holder_take(&a, SHARE_DIARIZATIONS, 100); /* of which there is no limit here */
    assert_false(holder_gives_way(&a, &b, SHARE_DIARIZATIONS, 1));
    holder_give(&a, SHARE_DIARIZATIONS, 100);
    holder_take(&b, SHARE_CLIPS, 2);
    assert_false(holder_gives_way(&a, &b, SHARE_CLIPS, 1)); /* the other's share is used up */
    holder_give(&a, SHARE_CLIPS, 3);
    holder_give(&b, SHARE_CLIPS, 2);
    holder_close(&a);
    holder_close(&b);
    assert_int_equal(clients.n, 0);
}

/* Two keys of one address are as far apart as any two; the addresses of one key come after. */
static void keys_count_before_addresses(void **state)
{
    (void)state;
    struct clients clients = {.tree = NULL};
    clients_set_share(&clients, SHARE_CLIPS, 8, 25);
    struct holder a = holder(&clients, "192.0.2.1", "Bearer one"),
                  b = holder(&clients, "192.0.2.1", "Bearer two"),
                  c = holder(&clients, "192.0.2.2", "Bearer one"),
                  d = holder(&clients, "192.0.2.1", "Bearer one");
    assert_int_equal(clients.n, 5); /* two keys; two addresses of one and one of the other */
    assert_ptr_equal(a.address, d.address);
    holder_take(&a, SHARE_CLIPS, 3);
    assert_true(holder_gives_way(&a, &b, SHARE_CLIPS, 1));  /* the same address, another key */
    assert_true(holder_gives_way(&a, &c, SHARE_CLIPS, 1));  /* the same key, another address */
    assert_false(holder_gives_way(&a, &d, SHARE_CLIPS, 1)); /* itself */
    holder_take(&b, SHARE_CLIPS, 3);
    assert_false(holder_gives_way(&b, &c, SHARE_CLIPS, 1)); /* whose key has its share already */
    holder_give(&a, SHARE_CLIPS, 3);
    holder_give(&b, SHARE_CLIPS, 3);
    struct holder *all[] = {&a, &b, &c, &d};
    for (size_t i = 0; i < 4; i++)
        holder_close(all[i]);
    assert_int_equal(clients.n, 0);
    assert_null(clients.tree);
}

static void an_ipv6_network_is_one_client(void **state)
{
    (void)state;
    struct clients clients = {.tree = NULL};
    struct holder a = holder(&clients, "2001:db8::1", NULL),
                  b = holder(&clients, "2001:db8::2", NULL),
                  c = holder(&clients, "2001:db8:0:1::1", NULL);
    assert_ptr_equal(a.address, b.address);
    assert_ptr_not_equal(a.address, c.address);
    assert_int_equal(clients.n, 2);
    holder_close(&a);
    assert_int_equal(clients.n, 2);
    holder_close(&b);
    holder_close(&b);
    assert_int_equal(clients.n, 1);
    holder_copy(&a, &c);
    holder_close(&c);
    assert_int_equal(clients.n, 1);
    holder_close(&a);
    assert_int_equal(clients.n, 0);
}

static void nobody_is_not_counted(void **state)
{
    (void)state;
    struct holder nobody = {NULL, NULL}, copy;
    holder_copy(&copy, &nobody);
    holder_take(&copy, SHARE_UPLOADS, 5);
    assert_false(holder_is_over(&copy, SHARE_UPLOADS));
    assert_false(holder_gives_way(&copy, &nobody, SHARE_UPLOADS, 1));
    holder_give(&copy, SHARE_UPLOADS, 5);
    holder_close(&copy);
}

/* Whatever is counted in any order, in the end nobody is left. */
static void the_table_is_empty_in_the_end(void **state)
{
    (void)state;
    enum { N = 2000 };
    static struct holder held[N];
    struct clients clients = {.tree = NULL};
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++) {
            char text[32];
            snprintf(text, sizeof text, "10.0.%zu.%zu", i * 7919 % 61, i * 104729 % 251);
            held[i] = holder(&clients, text, i % 3 == 0 ? "Bearer k" : NULL);
            holder_take(&held[i], SHARE_UPLOADS, i + 1);
        }
        assert_true(clients.n > 1000 && clients.n <= N + 1);
        for (size_t k = 0; k < N; k++) {
            const size_t i = k * 1237 % N;
            holder_give(&held[i], SHARE_UPLOADS, i + 1);
            holder_close(&held[i]);
        }
        assert_int_equal(clients.n, 0);
        assert_null(clients.tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_parts_of_the_whole),
        cmocka_unit_test(who_is_over_gives_way_to_who_is_within),
        cmocka_unit_test(keys_count_before_addresses),
        cmocka_unit_test(an_ipv6_network_is_one_client),
        cmocka_unit_test(nobody_is_not_counted),
        cmocka_unit_test(the_table_is_empty_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
