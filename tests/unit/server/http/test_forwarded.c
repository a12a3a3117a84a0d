/* For whom a proxy asks: the right-most address that is not trusted, or nobody. */
#include "unit.h"

#include "http/forwarded.h"

static struct networks trusted;

static int trust(void **state)
{
    (void)state;
    const char *wrong = NULL;
    size_t n_wrong = 0;
    return networks_parse("10.0.0.0/8, fd00::/8", &trusted, &wrong, &n_wrong) ? 0 : -1;
}

typedef void read_line(struct forwarded *, const char *, const struct networks *);

/* `expected` NULL: nobody is said; "?": it is unclear. */
static void assert_says(read_line *read, const char *const *lines, size_t n, const char *expected)
{
    struct forwarded forwarded = {.says = FORWARDED_NOBODY};
    for (size_t i = 0; i < n; i++)
        read(&forwarded, lines[i], &trusted);
    if (expected == NULL) {
        assert_int_equal(forwarded.says, FORWARDED_NOBODY);
    } else if (*expected == '?') {
        assert_int_equal(forwarded.says, FORWARDED_UNCLEAR);
    } else {
        struct address address;
        assert_true(address_parse(expected, strlen(expected), &address));
        assert_int_equal(forwarded.says, FORWARDED_ADDRESS);
        assert_memory_equal(&forwarded.address, &address, sizeof address);
    }
}

static const struct row {
    const char *line, *expected;
} lists[] = {{"192.0.2.1", "192.0.2.1"},
             {"203.0.113.5, 192.0.2.1", "192.0.2.1"},
             {"192.0.2.1, 10.1.2.3, fd00::1", "192.0.2.1"},
             {"192.0.2.1:4711,10.1.2.3:80", "192.0.2.1"},
             {"[2001:db8::1]:80", "2001:db8::1"},
             {"2001:db8::1", "2001:db8::1"},
             {"garbage, 192.0.2.1", "192.0.2.1"},
             {"192.0.2.1, garbage", "?"},
             {"192.0.2.1, unknown, 10.1.2.3", "?"},
             {" , ,192.0.2.1 ,", "192.0.2.1"},
             {"10.1.2.3", NULL},
             {"", NULL},
             {" ,, ", NULL}},
  elements[] = {
      {"for=192.0.2.1", "192.0.2.1"},
      {"For=\"192.0.2.1:80\";proto=http;by=10.0.0.1", "192.0.2.1"},
      {"proto=https;FOR=192.0.2.1", "192.0.2.1"},
      {"for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
      {"for=203.0.113.5, for=192.0.2.1;by=10.0.0.1, for=10.1.2.3", "192.0.2.1"},
      {"for=\"192\\.0.2.1\"", "192.0.2.1"},
      {"for=unknown", "?"},
      {"for=_hidden, for=10.1.2.3", "?"},
      {"for=_hidden, for=192.0.2.1", "192.0.2.1"},
      {"proto=http;by=10.0.0.1", NULL},
      {"", NULL},
      {" , ,", NULL},
      {"for=192.0.2.1;for=192.0.2.2", "?"},
      {"for=", "?"},
      {"for", "?"},
      {"=192.0.2.1", "?"},
      {"for=\"192.0.2.1", "?"},
      {"for=\"192.0.2.1\\", "?"},
      {"for=\"192.0.2.1\"x", "?"},
      {"for=192.0.2.1 for=192.0.2.2", "?"},
      /* A quote that the client opens, for the proxy's own to close: */
      {"for=203.0.113.5;x=\", for=\"192.0.2.1\"", "?"},
      {"for=203.0.113.5;x=\", for=192.0.2.1", "?"},
      {"for=203.0.113.5;x=\", for=\"[2001:db8::1]\";by=\"a\"", "?"},
};

static void one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_says(forwarded_read_list, &lists[i].line, 1, lists[i].expected);
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
        assert_says(forwarded_read_elements, &elements[i].line, 1, elements[i].expected);
}

static void lines_go_on_where_the_last_one_ended(void **state)
{
    (void)state;
    const char *const list[] = {"203.0.113.5", "192.0.2.1, 10.0.0.9", "10.0.0.8"};
    assert_says(forwarded_read_list, list, 3, "192.0.2.1");
    const char *const broken_first[] = {"for=\"203.0.113.5", "for=192.0.2.1"};
    assert_says(forwarded_read_elements, broken_first, 2, "192.0.2.1");
    const char *const broken_last[] = {"for=192.0.2.1", "for=\""};
    assert_says(forwarded_read_elements, broken_last, 2, "?");
}

static void no_line_is_too_long_or_too_odd(void **state)
{
    (void)state;
    static char line[30000];
    for (int c = 1; c < 256; c++) {
        memset(line, c, sizeof line - 1);
        struct forwarded forwarded = {.says = FORWARDED_NOBODY};
        forwarded_read_list(&forwarded, line, &trusted);
        assert_int_not_equal(forwarded.says, FORWARDED_ADDRESS);
        memcpy(line, "for=", 4);
        forwarded_read_elements(&forwarded, line, &trusted);
        memcpy(line, "for=\"", 5);
        forwarded_read_elements(&forwarded, line, &trusted);
        assert_int_not_equal(forwarded.says, FORWARDED_ADDRESS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),
        cmocka_unit_test(lines_go_on_where_the_last_one_ended),
        cmocka_unit_test(no_line_is_too_long_or_too_odd),
    };
    return cmocka_run_group_tests(tests, trust, NULL);
}
