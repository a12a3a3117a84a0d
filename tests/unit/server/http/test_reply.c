/* Every answer has the headers of the contract, whole or not at all. */
#include "unit.h"

#include "http/reply.h"
#include "http/response.h"

static const struct reply plain = {
    .request_id = "id-1", .server_timing = "total;dur=1", .methods = "POST", .origins = ""};

static const char *header(struct MHD_Response *response, const char *name)
{
    return MHD_get_response_header(response, name);
}

static struct MHD_Response *answer(const struct reply *reply)
{
    struct MHD_Response *response = reply_text(reply, "text/plain", strdup("body"), 4);
    assert_non_null(response);
    assert_string_equal(header(response, "X-Request-Id"), "id-1");
    assert_string_equal(header(response, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(header(response, "Server-Timing"), "total;dur=1");
    return response;
}

static void a_good_answer(void **state)
{
    (void)state;
    struct MHD_Response *response = answer(&plain);
    assert_string_equal(header(response, "Content-Type"), "text/plain");
    assert_string_equal(header(response, "Cache-Control"), "no-store");
    static const char *const absent[] = {
        "Retry-After", "WWW-Authenticate", "Allow", "Connection", "Vary", "ETag"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_null(header(response, absent[i]));
    MHD_destroy_response(response);
}

static void each_problem_brings_its_headers(void **state)
{
    (void)state;
    for (int kind = 1; kind < N_PROBLEMS; kind++) {
        struct reply reply = plain;
        reply.problem = (enum problem_kind)kind;
        reply.retry_after_s = 7;
        struct MHD_Response *response = answer(&reply);
        const char *retry_after = header(response, "Retry-After");
        assert_int_equal(retry_after != NULL, problem_rule(reply.problem)->retry);
        if (retry_after != NULL)
            assert_string_equal(retry_after, "7");
        assert_int_equal(header(response, "WWW-Authenticate") != NULL,
                         kind == PROBLEM_UNAUTHORIZED);
        assert_int_equal(header(response, "Allow") != NULL, kind == PROBLEM_METHOD_NOT_ALLOWED);
        MHD_destroy_response(response);
    }
}

static void the_last_answer_of_a_connection_says_so(void **state)
{
    (void)state;
    struct reply reply = plain;
    reply.close = true;
    struct MHD_Response *response = answer(&reply);
    assert_string_equal(header(response, "Connection"), "close");
    MHD_destroy_response(response);
}

static void origins(void **state)
{
    (void)state;
    struct reply reply = plain;
    reply.origins = "https://a";
    reply.origin = "https://b";
    struct MHD_Response *response = answer(&reply);
    assert_string_equal(header(response, "Vary"), "Origin");
    assert_null(header(response, "Access-Control-Allow-Origin"));
    MHD_destroy_response(response);
    reply.origin = "https://a";
    response = answer(&reply);
    assert_string_equal(header(response, "Access-Control-Allow-Origin"), "https://a");
    assert_non_null(header(response, "Access-Control-Expose-Headers"));
    assert_null(header(response, "Access-Control-Allow-Methods"));
    MHD_destroy_response(response);
    reply.is_preflight = true;
    response = answer(&reply);
    assert_string_equal(header(response, "Access-Control-Allow-Methods"), "POST");
    MHD_destroy_response(response);
}

static void an_asset_has_its_tag_and_is_asked_for_again(void **state)
{
    (void)state;
    static const struct reply_header extra[] = {{"X-Extra", "1"}, {NULL, NULL}};
    static const unsigned char bytes[] = "page";
    const struct asset asset = {
        .type = "text/html", .plain = {"\"tag\"", bytes, 4}, .gzip = {"\"tag-gzip\"", bytes, 3}};
    struct MHD_Response *response = reply_asset(&plain, &asset, &asset.gzip, false, extra);
    assert_non_null(response);
    assert_string_equal(header(response, "ETag"), "\"tag-gzip\"");
    assert_string_equal(header(response, "Content-Encoding"), "gzip");
    assert_string_equal(header(response, "Vary"), "Accept-Encoding");
    MHD_destroy_response(response);
    response = reply_asset(&plain, &asset, &asset.plain, false, extra);
    assert_non_null(response);
    assert_string_equal(header(response, "ETag"), "\"tag\"");
    assert_null(header(response, "Content-Encoding"));
    assert_string_equal(header(response, "Cache-Control"), "no-cache");
    assert_string_equal(header(response, "X-Extra"), "1");
    MHD_destroy_response(response);
}

static void without_memory_there_is_no_answer(void **state)
{
    (void)state;
    struct MHD_Response *response = NULL;
    assert_null(reply_text(&plain, "text/plain", NULL, 0));
    response_add(&response, "Name", "value"); /* legal on none */
    assert_null(response);
    response = response_of_text(strdup("x"), 1);
    assert_non_null(response);
    response_add(&response, "Name", "a\nb"); /* what libmicrohttpd refuses: no half answer */
    assert_null(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer),
        cmocka_unit_test(each_problem_brings_its_headers),
        cmocka_unit_test(the_last_answer_of_a_connection_says_so),
        cmocka_unit_test(origins),
        cmocka_unit_test(an_asset_has_its_tag_and_is_asked_for_again),
        cmocka_unit_test(without_memory_there_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
