/* Addresses and networks: what is one, and what belongs together. */
#include "unit.h"

#include "util/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct address address(const char *text)
{
    struct address found;
    assert_true(address_parse(text, strlen(text), &found));
    return found;
}

static void forms(void **state)
{
    (void)state;
    static const char *const same[] = {"192.0.2.1", "192.0.2.1:80", "::ffff:192.0.2.1",
                                       "[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]:65535"};
    static const char *const wrong[] = {
        "",         "unknown",       "_hidden",          "192.0.2",           "192.0.2.1:",
        "192.0.2.", "192.0.2.1:x",   "192.0.2.1:123456", "[192.0.2.1]",       "[2001:db8::1",
        "[]",       "2001:db8::1::", "[2001:db8::1]x",   "[2001:db8::1]:",    "2001:db8::1]",
        ":80",      "192.0.2.256",   " 192.0.2.1",       "[fe80::1%eth0]:80", "192.0.2.1 "};
    const struct address first = address(same[0]);
    struct address found;
    for (size_t i = 1; i < sizeof same / sizeof same[0]; i++) {
        found = address(same[i]);
        assert_memory_equal(&found, &first, sizeof first);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(address_parse(wrong[i], strlen(wrong[i]), &found));
    assert_false(address_parse("192.0.2.1\0.5", 11, &found));
    char longest[200];
    memset(longest, '1', sizeof longest);
    assert_false(address_parse(longest, sizeof longest, &found));
}

static void sockets_of_both_families(void **state)
{
    (void)state;
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const struct address mapped = address("192.0.2.1");
    struct address found;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr), 1);
    assert_true(address_of_socket((const struct sockaddr *)(const void *)&v4, &found));
    assert_memory_equal(&found, &mapped, sizeof found);
    assert_true(address_of_socket((const struct sockaddr *)(const void *)&v6, &found));
    assert_memory_equal(&found, &mapped, sizeof found);
    assert_false(address_of_socket(&(const struct sockaddr){.sa_family = AF_UNIX}, &found));
    assert_false(address_of_socket(NULL, &found));
}

static bool are_one_client(const char *a, const char *b)
{
    const struct address first = address(a), second = address(b);
    const struct address one = address_of_client(&first), other = address_of_client(&second);
    return memcmp(&one, &other, sizeof one) == 0;
}

static void an_ipv6_client_has_64_bits(void **state)
{
    (void)state;
    assert_true(are_one_client("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_false(are_one_client("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_false(are_one_client("192.0.2.1", "192.0.2.2")); /* also as ::ffff:192.0.2.2 */
    assert_false(are_one_client("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_false(are_one_client("::1", "127.0.0.1"));
}

static void networks(void **state)
{
    (void)state;
    struct networks list;
    const char *wrong = NULL;
    size_t n_wrong = 0;
    static const struct {
        const char *list, *address;
        bool have;
    } rows[] = {{"", "10.0.0.1", false},
                {"10.0.0.0/8", "10.255.255.255", true},
                {"10.0.0.0/8", "11.0.0.0", false},
                {"10.0.0.0/8", "::ffff:10.1.2.3", true},
                {"192.0.2.7", "192.0.2.7", true},
                {"192.0.2.7", "192.0.2.6", false},
                {"192.0.2.128/25", "192.0.2.127", false},
                {"192.0.2.128/25", "192.0.2.255", true},
                {"0.0.0.0/0", "203.0.113.9", true},
                {"0.0.0.0/0", "2001:db8::1", false},
                {"fd00::/8, 10.0.0.0/8", "fdff::1", true},
                {"fd00::/8,10.0.0.0/8", "10.0.0.1", true},
                {"::/0", "10.0.0.1", true},
                {"2001:db8::1", "2001:db8::2", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(networks_parse(rows[i].list, &list, &wrong, &n_wrong));
        const struct address one = address(rows[i].address);
        assert_int_equal(networks_have(&list, &one), rows[i].have);
    }
    static const char *const refused[] = {"10.0.0.0/33", "10.0.0.0/",   "10.0.0/8",
                                          "balancer",    "10.0.0.0/8x", "2001:db8::/129",
                                          "10.0.0.1:80", "10.0.0.0/-1", "[::1]"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "192.0.2.1, %s ,192.0.2.2", refused[i]);
        assert_false(networks_parse(text, &list, &wrong, &n_wrong));
        assert_int_equal(n_wrong, strlen(refused[i]));
        assert_memory_equal(wrong, refused[i], n_wrong);
    }
    char many[16 * (MAX_NETWORKS + 1)] = "";
    for (int i = 0; i < MAX_NETWORKS; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "10.0.0.%d,", i);
    assert_true(networks_parse(many, &list, &wrong, &n_wrong));
    snprintf(many + strlen(many), sizeof many - strlen(many), "10.0.1.0");
    assert_false(networks_parse(many, &list, &wrong, &n_wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(sockets_of_both_families),
        cmocka_unit_test(an_ipv6_client_has_64_bits),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
