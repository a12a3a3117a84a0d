/* Answers carry float32 exactly; stored embeddings are read strictly. */
#include "unit.h"

#include "http/json.h"

#include <math.h>

static const char digest[] = "sha256:00";

static bool read_stored(const char *text, size_t dim, float *embedding, struct problem *problem)
{
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    bool good = json_read_stored(object, "a", digest, dim, embedding, problem);
    json_decref(object);
    return good;
}

static void float32_survives_text_and_base64(void **state)
{
    (void)state;
    static const float values[] = {0.1F,         -3.4028235e38F, 1.17549435e-38F, 1.4e-45F,
                                   0.333333343F, 16777217.0F,    -0.0F,           123456.789F};
    enum { N = sizeof values / sizeof values[0] };
    size_t n_bytes = 0;
    struct json_build root = json_begin_object();
    json_put_embedding(&root, "e", values, N, false);
    char *text = json_take_text(root, &n_bytes);
    assert_non_null(text);
    assert_int_equal(strlen(text), n_bytes);
    json_t *again = json_loads(text, 0, NULL);
    assert_non_null(again);
    assert_int_equal(json_array_size(json_object_get(again, "e")), N);
    for (size_t i = 0; i < N; i++)
        assert_true((float)json_real_value(json_array_get(json_object_get(again, "e"), i)) ==
                    values[i]);
    json_decref(again);
    free(text);
}

static void base64_round_trips_for_every_padding(void **state)
{
    (void)state;
    for (size_t dim = 1; dim <= 7; dim++) {
        float values[7], got[7];
        double norm = 0;
        struct problem problem;
        for (size_t i = 0; i < dim; i++) {
            values[i] = (float)(i + 1) * 0.37F - 1.0F;
            norm += (double)values[i] * (double)values[i];
        }
        struct json_build root = json_begin_object();
        json_put_embedding(&root, "embedding", values, dim, true);
        json_t *object = root.root;
        assert_true(json_read_stored(object, "a", digest, dim, got, &problem));
        for (size_t i = 0; i < dim; i++)
            assert_true(fabs((double)got[i] - (double)values[i] / sqrt(norm)) < 1e-6);
        json_decref(object);
    }
}

/* A number that JSON cannot carry is not a shortage of memory: its member is named. */
static void what_is_not_finite_is_named(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    size_t n_bytes = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json_build root = json_begin_object(), inner = json_begin_object();
        json_put_number(&root, "fine", 1);
        json_put_number(&inner, "score", bad[i]);
        json_put_text(&inner, "after", "is not put in any more");
        json_put_build(&root, "inner", inner);
        json_put_count(&root, "later", 3);
        assert_int_equal(root.fault, JSON_NOT_FINITE);
        assert_string_equal(root.member, "score");
        assert_null(json_take_text(root, &n_bytes));
    }
    const float values[] = {1, NAN};
    struct json_build root = json_begin_object();
    json_put_embedding(&root, "embedding", values, 2, false);
    assert_int_equal(root.fault, JSON_NOT_FINITE);
    assert_string_equal(root.member, "embedding");
    root = json_begin_object();
    json_put(&root, "gone", NULL); /* what a constructor of jansson leaves when memory is short */
    assert_int_equal(root.fault, JSON_NO_MEMORY);
    json_put_number(&root, "later", NAN);
    assert_int_equal(root.fault, JSON_NO_MEMORY); /* the first fault stays */
}

static void broken_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "AAAAA===", "AAAA",           "AAAAgD=A", "AAAAgD8",
        "AAAAgD8==", "AAA gD8=", "AAAA\\u0000D8=", "A-AAgD8="};
    float value = 0;
    struct problem problem;
    char text[100];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{\"embedding\":\"%s\"}", bad[i]);
        json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert_non_null(object);
        assert_false(json_read_stored(object, "a", digest, 1, &value, &problem));
        assert_string_equal(problem.field, "a.embedding");
        json_decref(object);
    }
    assert_true(read_stored("{\"embedding\":\"AACAPw==\"}", 1, &value, &problem));
    assert_true(value == 1.0F);
}

static void numbers_are_judged(void **state)
{
    (void)state;
    float got[2];
    struct problem problem;
    assert_true(read_stored("{\"embedding\":[3,4.0],\"norm\":5,\"model_digest\":\"sha256:00\"}", 2,
                            got, &problem));
    assert_true(fabs((double)got[0] - 0.6) < 1e-6 && fabs((double)got[1] - 0.8) < 1e-6);
    static const char *const bad[] = {"{\"embedding\":[1]}",       "{\"embedding\":[1,2,3]}",
                                      "{\"embedding\":[0,0]}",     "{\"embedding\":[1e39,0]}",
                                      "{\"embedding\":[1,\"2\"]}", "{\"embedding\":[1,null]}",
                                      "{\"embedding\":[1e-30,0]}", "{\"embedding\":{}}",
                                      "{\"embedding\":null}",      "{}",
                                      "{\"embedding\":[1,true]}",  "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(read_stored(bad[i], 2, got, &problem));
        assert_string_equal(problem.field, "a.embedding");
    }
    assert_false(
        read_stored("{\"embedding\":[1,2],\"model_digest\":\"sha256:01\"}", 2, got, &problem));
    assert_string_equal(problem.field, "a.model_digest");
}

static void objects_are_parsed_within_bounds(void **state)
{
    (void)state;
    struct problem problem;
    static const char *const bad[] = {"",      "[]",   "{",           "{}x", "{\"a\":1,\"a\":2}",
                                      "\"x\"", "null", "{\"a\":NaN}", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(json_read_object(bad[i], strlen(bad[i]), "body", &problem));
        assert_string_equal(problem.field, "body");
    }
    char *deep = malloc(100000);
    assert_non_null(deep);
    memset(deep, '[', 100000);
    assert_null(json_read_object(deep, 100000, "body", &problem));
    free(deep);
    assert_null(json_read_object("{}", JSON_MAX_BYTES + 1, "body", &problem));
    json_t *good = json_read_object("{\"a\":{}}", 8, "body", &problem);
    assert_non_null(good);
    json_decref(good);
}

static void what_comes_from_outside_is_made_plain(void **state)
{
    (void)state;
    struct problem problem;
    problem_set_field(&problem, "f\xff\n\"", "d\x80 %s", "x\x7f");
    problem.side = 'b';
    problem.has_clip = true;
    problem.clip = 3;
    size_t n_bytes = 0;
    char *text = json_take_text(json_problem(&problem, "id-1", 4), &n_bytes);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"field\":\"f??\\\"\""));
    assert_non_null(strstr(text, "\"detail\":\"d? x?\""));
    assert_non_null(strstr(text, "\"side\":\"b\",\"clip\":3"));
    assert_non_null(strstr(text, "urn:voiceprintd:request:id-1"));
    free(text);
    struct vp_clip_info info = {.container = "wav",
                                .codec = "x",
                                .rms_dbfs = -INFINITY,
                                .peak_dbfs = -300,
                                .warnings = 0x1ff};
    text = json_take_text(json_quality(&info), &n_bytes);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"rms_dbfs\":-200"));
    assert_non_null(strstr(text, "dc_offset"));
    free(text);
}

/* ---- short of memory ------------------------------------------------------------------------ */

/* n_failing of them from first_failing on; 0: none does. The linker puts this in malloc's place. */
static size_t n_allocations, first_failing, n_failing;

extern void *__real_malloc(size_t n);
extern void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
    const size_t i = n_allocations++;
    return i >= first_failing && i - first_failing < n_failing ? NULL : __real_malloc(n);
}

static struct json_build make_embedding(void)
{
    static const float values[] = {0.25F, -1.5F, 3e-9F, 7.0F};
    struct json_build root = json_begin_object();
    json_put_embedding(&root, "numbers", values, 4, false);
    json_put_embedding(&root, "base64", values, 4, true);
    return root;
}

static struct json_build make_quality(void)
{
    return json_quality(&(struct vp_clip_info){.rms_dbfs = -20, .warnings = 0x155});
}

static struct json_build make_audio(void)
{
    return json_audio(&(struct vp_clip_info){.container = "wav", .codec = "pcm_16"});
}

static struct json_build make_problem(void)
{
    static unsigned kind; /* another one each time, in turn */
    struct problem problem;
    kind = first_failing == SIZE_MAX ? (kind + 1) % N_PROBLEMS : kind;
    problem_set_field(&problem, "field", "detail");
    problem.kind = kind;
    problem.side = 'a';
    problem.has_clip = true;
    return json_problem(&problem, "id", 1);
}

/* Whichever allocations fail, one or all from there on: a whole text or none. */
static void assert_whole_or_none(struct json_build (*make)(void))
{
    size_t n_whole = 0, n = 0;
    first_failing = SIZE_MAX;
    n_allocations = 0;
    char *whole = json_take_text(make(), &n_whole), *text;
    assert_non_null(whole);
    const size_t n_all = n_allocations;
    assert_true(n_all > 2);
    for (n_failing = 1; n_failing <= n_all; n_failing += n_all - 1) {
        for (first_failing = 0; first_failing < n_all; first_failing++) {
            n_allocations = 0;
            text = json_take_text(make(), &n);
            if (text != NULL) {
                assert_int_equal(n, n_whole);
                assert_string_equal(text, whole);
            }
            assert_true(text != NULL || n == 0);
            free(text);
        }
    }
    free(whole);
}

static void an_answer_is_whole_or_there_is_none(void **state)
{
    (void)state;
    assert_whole_or_none(make_embedding);
    assert_whole_or_none(make_audio);
    assert_whole_or_none(make_quality);
    for (size_t i = 0; i < N_PROBLEMS; i++)
        assert_whole_or_none(make_problem);
    n_failing = 0;
}

/* Nobody is told that his JSON is wrong because ours has no room. Nor is it read otherwise than it
 * was written: without memory for its last digits jansson takes the number for another one. */
static void a_shortage_is_not_blamed_on_the_client(void **state)
{
    (void)state;
    static const char body[] = "{\"a\":{\"embedding\":[1,-0.12345678901234567e-05],"
                               "\"other\":\"text that is longer than sixteen bytes\"},\"b\":null}";
    struct problem problem = {.kind = PROBLEM_NONE};
    first_failing = SIZE_MAX;
    n_failing = 1;
    n_allocations = 0;
    json_decref(json_read_object(body, sizeof body - 1, "body", &problem));
    const size_t n_all = n_allocations;
    assert_true(n_all > 5);
    for (first_failing = 0; first_failing < n_all; first_failing++) {
        n_allocations = 0;
        problem.kind = PROBLEM_NONE;
        assert_null(json_read_object(body, sizeof body - 1, "body", &problem));
        assert_int_equal(problem.kind, PROBLEM_OVERLOADED_MEMORY);
    }
    n_failing = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_survives_text_and_base64),
        cmocka_unit_test(base64_round_trips_for_every_padding),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(broken_base64_is_refused),
        cmocka_unit_test(numbers_are_judged),
        cmocka_unit_test(objects_are_parsed_within_bounds),
        cmocka_unit_test(what_comes_from_outside_is_made_plain),
        cmocka_unit_test(an_answer_is_whole_or_there_is_none),
        cmocka_unit_test(a_shortage_is_not_blamed_on_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
