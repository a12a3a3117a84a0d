/* What is read from a request's head and query without a connection. */
#include "unit.h"

#include "config/keys.h"
#include "http/cors.h"
#include "http/head.h"
#include "http/query.h"
#include "request/upload.h"

static void a_line_is_plain_or_it_is_not(void **state)
{
    (void)state;
    /* name NUL blanks value NUL NUL, as the library leaves `Name: value` CR LF */
    static const char plain[] = "Name\0 \t value\0\0next";
    static const char bare[] = "Name\0value\0next";
    static const char with_nul[] = "Name\0va\0lue\0\0";
    static const char folded[] = "Nameblabla\0\0";
    assert_true(head_line_is_plain(plain, plain + 8, 5));
    assert_false(head_line_is_plain(bare, bare + 5, 5));
    assert_false(head_line_is_plain(with_nul, with_nul + 5, 2));
    assert_false(head_line_is_plain(folded, folded + 5, 4)); /* the value lies inside the name */
    assert_false(head_line_is_plain(plain + 8, plain, 4));   /* and here before it */
}

static void traceparents(void **state)
{
    (void)state;
    char id[TRACE_ID_ROOM];
    assert_true(
        head_parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", id));
    assert_string_equal(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_true(
        head_parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", id));
    static const char *const bad[] = {"",
                                      "00",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
                                      "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                      "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(head_parse_traceparent(bad[i], id));
        assert_string_equal(id, "");
    }
    assert_false(head_parse_traceparent(NULL, id));
}

static void queries(void **state)
{
    (void)state;
    struct query query;
    struct problem problem;
    const unsigned all = QUERY_NORMALIZE | QUERY_ENCODING | QUERY_THRESHOLD;
    assert_true(query_parse(NULL, 0, &query, &problem));
    assert_true(query.normalize && !query.base64 && !query.has_threshold);
    assert_true(query_parse("", 0, &query, &problem));
    assert_true(
        query_parse("normalize=f%61lse&encoding=base64&threshold=-5e-1", all, &query, &problem));
    assert_true(!query.normalize && query.base64 && query.threshold == -0.5);
    static const char *const bad[] = {
        "x=1",
        "normalize",
        "normalize=",
        "normalize=TRUE",
        "normalize=true&",
        "&normalize=true",
        "normalize=true&normalize=true",
        "encoding=float%00",
        "encoding=%",
        "encoding=%4",
        "encoding=%gg",
        "encoding=%0a",
        "threshold=nan",
        "threshold=infinity",
        "threshold=0x0",
        "threshold=1.0001",
        "threshold=",
        "threshold=1 ",
        "threshold=0.5.5",
        "=",
        "==",
        "threshold=1e999",
        "normalize=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool trailing = strcmp(bad[i], "normalize=true&") == 0;
        assert_int_equal(query_parse(bad[i], all, &query, &problem), trailing);
        if (!trailing)
            assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
    }
    assert_false(query_parse("threshold=0.5", QUERY_NORMALIZE, &query, &problem));
    assert_string_equal(problem.field, "threshold");
}

static void origins(void **state)
{
    (void)state;
    assert_true(cors_allows("*", "http://any"));
    assert_true(cors_allows("http://a,http://b", "http://b"));
    assert_true(cors_allows(" http://a , http://b ", "http://a"));
    assert_false(cors_allows("http://a,http://b", "http://"));
    assert_false(cors_allows("http://a,http://b", "http://ab"));
    assert_false(cors_allows("", "http://a"));
    assert_false(cors_allows("*", NULL));
    assert_false(cors_allows("http://a", ""));
}

static void media_types(void **state)
{
    (void)state;
    char type[32];
    upload_media_type("  Audio/X-WAV ; rate=1", type, sizeof type);
    assert_string_equal(type, "audio/x-wav");
    upload_media_type(NULL, type, sizeof type);
    assert_string_equal(type, "");
    assert_false(upload_is_guess(""));
    assert_false(upload_is_guess("audio/flac"));
    assert_false(upload_is_guess("application/octet-stream"));
    assert_true(upload_is_guess("application/x-www-form-urlencoded"));
    assert_true(upload_is_guess("audio"));
}

static void keys_are_all_compared(void **state)
{
    (void)state;
    char path[] = "/tmp/voiceprint-keys-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs("# comment\nfirst\n\nsecond key\n", file);
    fclose(file);
    struct keys *keys = NULL;
    struct vp_err err;
    assert_int_equal(keys_load(path, &keys, &err), VP_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "line 4"));
    assert_null(strstr(err.message, "second"));
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("first\nsecond", file);
    fclose(file);
    assert_int_equal(keys_load(path, &keys, &err), VP_OK);
    assert_non_null(keys_find(keys, "Bearer first"));
    assert_non_null(keys_find(keys, "BEARER second"));
    assert_null(keys_find(keys, "Bearer firs"));
    assert_null(keys_find(keys, "Bearer firstx"));
    assert_null(keys_find(keys, "Bearer "));
    assert_null(keys_find(keys, "Bearer"));
    assert_null(keys_find(keys, NULL));
    keys_free(keys);
    remove(path);
    assert_int_equal(keys_load(path, &keys, &err), VP_ERR_IO);
    keys_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_plain_or_it_is_not),
        cmocka_unit_test(traceparents),
        cmocka_unit_test(queries),
        cmocka_unit_test(origins),
        cmocka_unit_test(media_types),
        cmocka_unit_test(keys_are_all_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
