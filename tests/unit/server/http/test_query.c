/* Options of /diarize, and who asks for an answer in lines. */
#include "unit.h"

#include "http/ndjson.h"
#include "http/query.h"

static bool parse(const char *text, struct query *query, struct problem *problem)
{
    memset(problem, 0, sizeof *problem);
    return query_parse(text, QUERY_DIARIZE, query, problem);
}

static void options_are_read(void **state)
{
    (void)state;
    struct query query;
    struct problem problem;
    assert_true(parse(NULL, &query, &problem));
    assert_true(query.num_speakers == 0 && query.engine == VP_DIARIZE_AUTO &&
                query.format == FORMAT_JSON);
    assert_false(query.has_min_on || query.has_min_off || query.has_threshold || query.embeddings);
    assert_string_equal(query.uri, "audio");
    assert_true(parse("min_speakers=2&max_speakers=2&threshold=-0.5&engine=segmentation&min_on=0&"
                      "min_off=5&embeddings=true&format=rttm&uri=a%2Eb&encoding=base64",
                      &query, &problem));
    assert_true(query.min_speakers == 2 && query.max_speakers == 2 && query.threshold == -0.5);
    assert_true(query.engine == VP_DIARIZE_SEGMENTATION && query.has_min_on && query.min_on_s == 0);
    assert_true(query.has_min_off && query.min_off_s == 5 && query.embeddings &&
                query.format == FORMAT_RTTM);
    assert_true(query.base64);
    assert_string_equal(query.uri, "a.b");
    assert_true(parse("num_speakers=20", &query, &problem));
    assert_int_equal(query.num_speakers, 20);
    assert_false(query.has_speech_only);
    assert_true(query_parse("speech_only=False", QUERY_SPEECH_ONLY, &query, &problem));
    assert_true(query.has_speech_only && !query.speech_only);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"num_speakers=0", "num_speakers"},
        {"num_speakers=21", "num_speakers"},
        {"num_speakers=+2", "num_speakers"},
        {"num_speakers=002", "num_speakers"},
        {"min_speakers=3&max_speakers=2", "min_speakers"},
        {"num_speakers=2&min_speakers=2", "num_speakers"},
        {"max_speakers=2&num_speakers=2", "num_speakers"},
        {"min_on=-0.1", "min_on"},
        {"min_off=5.01", "min_off"},
        {"min_off=0x1", "min_off"},
        {"engine=AUTO", "engine"},
        {"speech_only=maybe", "speech_only"},
        {"uri=a+b", "uri"},
        {"uri=", "uri"},
        {"format=JSON", "format"},
        {"normalize=true", "normalize"},
        {"min_on=1&min_on=1", "min_on"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct query query;
        struct problem problem;
        assert_false(parse(bad[i][0], &query, &problem));
        assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
        assert_string_equal(problem.field, bad[i][1]);
    }
}

static void lines_are_for_who_asks(void **state)
{
    (void)state;
    static const char *const yes[] = {"application/x-ndjson", "text/html, application/x-NDJSON",
                                      "application/x-ndjson ;q=0.1", "a/b;q=0,application/x-ndjson",
                                      "application/x-ndjson;q=1, a/b;q=0"};
    static const char *const no[] = {"",
                                     "*/*",
                                     "application/json",
                                     "application/x-ndjson;q=0",
                                     "application/x-ndjson;q=0.000, a/b;q=1",
                                     "application/x-ndjsons",
                                     "xapplication/x-ndjson",
                                     ",,,",
                                     "application/x-ndjso"};
    assert_false(ndjson_accepted(NULL));
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(ndjson_accepted(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(ndjson_accepted(no[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(lines_are_for_who_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
