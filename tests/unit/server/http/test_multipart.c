/* multipart/form-data: what is well formed, and what each malformation is called. */
#include "unit.h"

#include "http/multipart.h"

static const char type[] = "multipart/form-data; boundary=XX";

static bool split(const char *content_type, const char *body, size_t n, struct part *parts,
                  size_t *n_parts, struct problem *problem)
{
    /* An exact copy on the heap, so that the sanitizer sees a read beyond it. */
    unsigned char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, body, n);
    bool good = multipart_split(content_type, copy, n, parts, 4, n_parts, problem);
    for (size_t i = 0; good && i < *n_parts; i++) {
        assert_true(parts[i].bytes >= copy && parts[i].bytes + parts[i].n_bytes <= copy + n);
        parts[i].bytes = (const unsigned char *)body + (parts[i].bytes - copy);
    }
    free(copy);
    return good;
}

static void two_parts(void **state)
{
    (void)state;
    static const char body[] =
        "--XX\r\nContent-Disposition: form-data; name=\"a\"; "
        "filename=\"x;y=\\\"z\\\".wav\"\r\nContent-Type: Audio/WAV; a=b\r\n\r\n"
        "one\r\n--YY\r\n--XXX is content\r\n--XX  \r\ncontent-disposition:"
        "form-data; filename=n; name=b\r\n\r\n\r\n--XX--epilogue";
    struct part parts[4];
    struct problem problem;
    size_t n = 0;
    /* "--XXX" begins with the delimiter: by RFC 2046 it is one, followed by what it may not be. */
    assert_false(split(type, body, sizeof body - 1, parts, &n, &problem));
    static const char good[] =
        "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"; "
        "filename=\"x;y=\\\"z\\\".wav\"\r\nContent-Type: Audio/WAV; a=b\r\n\r\n"
        "one\r\n--YY\r\n- -XX\r\n--XX  \r\ncontent-disposition:"
        "form-data; filename=n; name=b\r\n\r\n\r\n--XX--epilogue";
    assert_true(split(type, good, sizeof good - 1, parts, &n, &problem));
    assert_int_equal(n, 2);
    assert_string_equal(parts[0].name, "a");
    assert_string_equal(parts[0].content_type, "audio/wav");
    assert_int_equal(parts[0].n_bytes, strlen("one\r\n--YY\r\n- -XX"));
    assert_memory_equal(parts[0].bytes, "one\r\n--YY", 9);
    assert_string_equal(parts[1].name, "b");
    assert_string_equal(parts[1].content_type, "");
    assert_int_equal(parts[1].n_bytes, 0);
}

static void an_empty_part_may_lack_its_own_line(void **state)
{
    (void)state;
    static const char body[] = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n--XX--\r\n";
    struct part parts[4];
    struct problem problem;
    size_t n = 0;
    assert_true(split(type, body, sizeof body - 1, parts, &n, &problem));
    assert_int_equal(n, 1);
    assert_int_equal(parts[0].n_bytes, 0);
}

static void binary_content_is_kept_whole(void **state)
{
    (void)state;
    char body[2000];
    int head =
        snprintf(body, sizeof body, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n");
    size_t n = (size_t)head;
    for (size_t i = 0; i < 1024; i++)
        body[n++] = (char)(i * 7);
    memcpy(body + n, "\r\n--XX--\r\n", 10);
    struct part parts[4];
    struct problem problem;
    size_t n_parts = 0;
    assert_true(split(type, body, n + 10, parts, &n_parts, &problem));
    assert_int_equal(parts[0].n_bytes, 1024);
    assert_memory_equal(parts[0].bytes, body + head, 1024);
}

static void boundaries(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"XX",
        "multipart/form-data; boundary=\"X X \"",
        "multipart/form-data; boundary=X\x01X",
        "multipart/form-data; boundary=\"X\\\"X\"",
        "multipart/form-data; xboundary=XX",
        "multipart/form-data; boundary",
        "multipart/form-data; "
        "boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaa"};
    static const char body[] = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--";
    struct part parts[4];
    struct problem problem;
    size_t n = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(split(bad[i], body, sizeof body - 1, parts, &n, &problem));
        assert_string_equal(problem.field, "content-type");
    }
    assert_true(split("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"XX\"; x=y", body,
                      sizeof body - 1, parts, &n, &problem));
    assert_true(multipart_is_type("multipart/form-data"));
    assert_true(multipart_is_type("MULTIPART/form-data ;boundary=x"));
    assert_false(multipart_is_type("multipart/form-datax"));
    assert_false(multipart_is_type("multipart/mixed; boundary=x"));
    assert_false(multipart_is_type(NULL));
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    static const char body[] =
        "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--XX\r\n"
        "Content-Disposition: form-data; name=\"b\"\r\n\r\ntwo\r\n--XX--";
    struct part parts[4];
    struct problem problem;
    size_t n = 0;
    assert_true(split(type, body, sizeof body - 1, parts, &n, &problem));
    for (size_t cut = 0; cut < sizeof body - 1; cut++) {
        assert_false(split(type, body, cut, parts, &n, &problem));
        assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
        assert_true(problem.detail[0] != 0 && problem.field[0] != 0);
    }
}

static void malformed_parts_are_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "\r\n",                                                         /* no headers, no name */
        "Content-Type: audio/wav\r\n\r\n",                              /* no disposition */
        "Content-Disposition: form-data\r\n\r\n",                       /* no name */
        "Content-Disposition: form-data; name=\r\n\r\n",                /* an empty one */
        "Content-Disposition: attachment; name=a\r\n\r\n",              /* not a form */
        "Content-Disposition: form-data; filename=\"x; name=a\r\n\r\n", /* open quote */
        "Content-Disposition: form-data; name=a\r\nno colon\r\n\r\n",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n",
        "Content-Disposition: form-data; name=a\n\n", /* bare line feeds */
        "Content-Disposition: form-data; name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"};
    struct part parts[4];
    struct problem problem;
    size_t n = 0;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char body[600];
        int length = snprintf(body, sizeof body, "--XX\r\n%sone\r\n--XX--", heads[i]);
        assert_false(split(type, body, (size_t)length, parts, &n, &problem));
        assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
    }
}

static void parts_and_headers_are_capped(void **state)
{
    (void)state;
    enum { ROOM = 20000 };
    char *body = malloc(ROOM);
    assert_non_null(body);
    struct part parts[4];
    struct problem problem;
    size_t n = 0, at = 0;
    for (int i = 0; i < 5; i++)
        at += (size_t)snprintf(body + at, ROOM - at,
                               "%s--XX\r\nContent-Disposition: form-data; "
                               "name=a\r\n\r\n1",
                               i > 0 ? "\r\n" : "");
    at += (size_t)snprintf(body + at, ROOM - at, "\r\n--XX--");
    assert_false(split(type, body, at, parts, &n, &problem));
    assert_non_null(strstr(problem.detail, "more than 4"));

    at = (size_t)snprintf(body, ROOM, "--XX\r\nContent-Disposition: form-data; name=a\r\nX: ");
    memset(body + at, 'x', MULTIPART_MAX_HEADER_BYTES);
    at += MULTIPART_MAX_HEADER_BYTES;
    at += (size_t)snprintf(body + at, ROOM - at, "\r\n\r\n1\r\n--XX--");
    assert_false(split(type, body, at, parts, &n, &problem));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_parts),
        cmocka_unit_test(an_empty_part_may_lack_its_own_line),
        cmocka_unit_test(binary_content_is_kept_whole),
        cmocka_unit_test(boundaries),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(malformed_parts_are_refused),
        cmocka_unit_test(parts_and_headers_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
