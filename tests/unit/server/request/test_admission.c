/* Who is let in, judged from the head alone, and what is looked at first. */
#include "unit.h"

#include "request/admission.h"

#include <unistd.h>

static struct config config;
static struct service service;
static struct engine engine;

static void fresh_service(void)
{
    config_defaults(&config);
    config.queue_size = 4;
    memset(&service, 0, sizeof service);
    service.config = &config;
    service.engine = &engine;
    service.uploads.max_bytes = config.max_buffered_bytes;
    service.conversations.max_bytes = config.diarize_max_body_bytes;
    snprintf(service.not_ready_reason, sizeof service.not_ready_reason, "it loads");
}

static struct request request_for(const char *method, const char *path)
{
    static struct connection connection;
    struct request request = {
        .service = &service, .uploads = &service.uploads, .connection = &connection};
    snprintf(request.method, sizeof request.method, "%s", method);
    request.path = path;
    request.route = routes_find(path);
    return request;
}

static enum problem_kind judge(const char *method, const char *path)
{
    struct request request = request_for(method, path);
    admission_judge(&request);
    return request.problem.kind;
}

static void paths_and_methods(void **state)
{
    (void)state;
    fresh_service();
    assert_int_equal(judge("POST", "/embed"), PROBLEM_NONE);
    assert_int_equal(judge("GET", "/embed"), PROBLEM_METHOD_NOT_ALLOWED);
    assert_int_equal(judge("HEAD", "/livez"), PROBLEM_NONE);
    assert_int_equal(judge("POST", "/livez"), PROBLEM_METHOD_NOT_ALLOWED);
    assert_int_equal(judge("PUT", "/nowhere"), PROBLEM_NOT_FOUND);
    assert_int_equal(judge("GET", "/metrics"), PROBLEM_NONE);
    config.metrics = config.docs = false;
    assert_int_equal(judge("GET", "/metrics"), PROBLEM_NOT_FOUND);
    assert_int_equal(judge("GET", "/docs"), PROBLEM_NOT_FOUND);
    assert_int_equal(judge("GET", "/openapi.yaml"), PROBLEM_NOT_FOUND);
}

static void each_listener_serves_its_own(void **state)
{
    (void)state;
    fresh_service();
    service.has_admin = true;
    static const struct {
        const char *method, *path;
        bool on_main, on_admin;
    } rows[] = {{"POST", "/embed", true, false},
                {"GET", "/info", true, false},
                {"GET", "/metrics", false, true},
                {"GET", "/livez", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct request request = request_for(rows[i].method, rows[i].path);
        admission_judge(&request);
        assert_int_equal(request.problem.kind == PROBLEM_NONE, rows[i].on_main);
        request = request_for(rows[i].method, rows[i].path);
        request.came_to_admin = true;
        admission_judge(&request);
        assert_int_equal(request.problem.kind == PROBLEM_NONE, rows[i].on_admin);
    }
}

static struct keys *one_key(const char *line)
{
    char path[] = "/tmp/vp-admission-XXXXXX";
    struct keys *keys = NULL;
    struct vp_err err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    close(fd);
    assert_int_equal(keys_load(path, &keys, &err), VP_OK);
    unlink(path);
    return keys;
}

static void keys_are_asked_before_anything_is_told(void **state)
{
    (void)state;
    fresh_service();
    service.keys = one_key("secret\n");
    service.engine = NULL; /* nobody without a key hears of it */
    struct request request = request_for("POST", "/embed");
    request.query_text = "unknown=1";
    admission_judge(&request);
    assert_int_equal(request.problem.kind, PROBLEM_UNAUTHORIZED);
    request.problem.kind = PROBLEM_NONE;
    request.head.authorization = "Bearer secret";
    admission_judge(&request);
    assert_int_equal(request.problem.kind, PROBLEM_BAD_REQUEST);
    request.problem.kind = PROBLEM_NONE;
    request.query_text = NULL;
    admission_judge(&request);
    assert_int_equal(request.problem.kind, PROBLEM_NOT_READY);
    assert_string_equal(request.problem.detail, "it loads");
    assert_int_equal(judge("GET", "/livez"), PROBLEM_NONE);
    keys_free(service.keys);
}

/* What a key with those rights hears that asks for this; on_body is never reached. */
static struct request ask_with(const char *rights, const char *method, const char *path,
                               const char *query)
{
    char line[128];
    snprintf(line, sizeof line, "secret %s\n", rights);
    service.keys = one_key(line);
    struct request request = request_for(method, path);
    request.head.authorization = "Bearer secret";
    request.query_text = query;
    admission_judge(&request);
    keys_free(service.keys);
    return request;
}

static void each_endpoint_wants_its_scope(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"POST", "/embed", "embed"},
        {"POST", "/compare", "embed"},
        {"POST", "/diarize", "embed"},
        {"POST", "/identify", "identify"},
        {"POST", "/voices/a/verify", "identify"},
        {"PUT", "/voices/a", "enrol"},
        {"GET", "/voices/a", "enrol"},
        {"DELETE", "/voices/a", "enrol"},
        {"POST", "/voices/a/clips", "enrol"},
        {"DELETE", "/voices/a/clips/0", "enrol"},
        {"GET", "/voices", "admin"},
        {"DELETE", "/voices", "admin"},
    };
    static const char *const scopes[] = {"embed", "identify", "enrol", "admin"};
    fresh_service();
    service.store = (struct store *)&service; /* only looked at for being there */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t j = 0; j < N_SCOPES; j++) {
            struct request request = ask_with(scopes[j], rows[i][0], rows[i][1], NULL);
            const bool is_it = strcmp(scopes[j], rows[i][2]) == 0;
            assert_int_equal(request.problem.kind, is_it ? PROBLEM_NONE : PROBLEM_FORBIDDEN_SCOPE);
            assert_string_equal(request.problem.field, is_it ? "" : rows[i][2]);
            assert_int_equal(strstr(request.problem.detail, rows[i][2]) != NULL, !is_it);
        }
        assert_int_equal(ask_with("", rows[i][0], rows[i][1], NULL).problem.kind, PROBLEM_NONE);
    }
    assert_int_equal(ask_with("admin", "GET", "/info", NULL).problem.kind, PROBLEM_NONE);
}

static void a_key_of_a_collection_names_no_other(void **state)
{
    (void)state;
    static const char rights[] = "admin collection=acme";
    fresh_service();
    service.store = (struct store *)&service;
    assert_string_equal(ask_with("", "GET", "/voices", NULL).query.collection, "default");
    assert_string_equal(ask_with(rights, "GET", "/voices", NULL).query.collection, "acme");
    assert_int_equal(ask_with(rights, "GET", "/voices", "collection=acme").problem.kind,
                     PROBLEM_NONE);
    struct request request = ask_with(rights, "GET", "/voices", "limit=2&collection=default");
    assert_int_equal(request.problem.kind, PROBLEM_FORBIDDEN_COLLECTION);
    assert_string_equal(request.problem.field, "collection");
    assert_null(strstr(request.problem.detail, "acme"));
    assert_int_equal(ask_with(rights, "GET", "/voices", "collection=acm").problem.kind,
                     PROBLEM_FORBIDDEN_COLLECTION);
    assert_string_equal(ask_with("admin", "GET", "/voices", "collection=default").query.collection,
                        "default");
}

static void an_expectation_that_cannot_be_met(void **state)
{
    (void)state;
    fresh_service();
    struct request request = request_for("POST", "/embed");
    request.head.expect = "200-maybe";
    admission_judge(&request);
    assert_int_equal(request.problem.kind, PROBLEM_EXPECTATION_FAILED);
    request.problem.kind = PROBLEM_NONE;
    request.head.expects_continue = true;
    admission_judge(&request);
    assert_int_equal(request.problem.kind, PROBLEM_NONE);
}

static void a_drain_begins_nothing_long(void **state)
{
    (void)state;
    fresh_service();
    service.drain = DRAIN_ANNOUNCED;
    assert_int_equal(judge("POST", "/embed"), PROBLEM_NONE);
    assert_int_equal(judge("POST", "/diarize"), PROBLEM_DRAINING);
    service.drain = DRAIN_CLOSED;
    assert_int_equal(judge("POST", "/embed"), PROBLEM_DRAINING);
    assert_int_equal(judge("GET", "/livez"), PROBLEM_NONE);
    service.drain = DRAIN_NOT;
    service.engine_is_ill = true;
    assert_int_equal(judge("POST", "/embed"), PROBLEM_NOT_READY);
}

static void no_mail(uv_async_t *wake_up)
{
    (void)wake_up;
}

/* Length, then the queue, then memory: each before the body comes. */
static void bodies(void **state)
{
    (void)state;
    fresh_service();
    uv_loop_t loop;
    struct mailbox mailbox;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(mailbox_open(&mailbox, &loop, no_mail, NULL));
    service.workers = workers_start(1, 1, &mailbox, &(struct vp_err){0});
    assert_non_null(service.workers);
    queue_init(&service.queue, config.queue_size, service.workers, NULL);

    static const struct {
        uint64_t declared;
        enum problem_kind kind;
    } rows[] = {{0, PROBLEM_EMPTY_BODY},
                {16 << 20, PROBLEM_NONE},
                {(16 << 20) + 1, PROBLEM_BODY_TOO_LARGE},
                {BODY_LENGTH_UNKNOWN, PROBLEM_NONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct request request = request_for("POST", "/embed");
        request.head.declared_bytes = rows[i].declared;
        admission_open_body(&request);
        assert_int_equal(request.problem.kind, rows[i].kind);
        assert_int_equal(service.uploads.used_bytes > 0, rows[i].kind == PROBLEM_NONE);
        body_close(&request.body);
        holder_close(&request.holder);
        assert_int_equal(service.clients.n, 0);
    }
    service.uploads.used_bytes = service.uploads.max_bytes - 9;
    struct request request = request_for("POST", "/embed");
    request.head.declared_bytes = 10;
    admission_open_body(&request);
    assert_int_equal(request.problem.kind, PROBLEM_OVERLOADED_MEMORY);
    body_close(&request.body);
    holder_close(&request.holder);
    assert_true(service.uploads.was_short);

    /* Diarizations have memory and places of their own. */
    service.queue.n_long[JOB_DIARIZE] = config.queue_size;
    request = request_for("POST", "/diarize");
    request.head.declared_bytes = 10;
    admission_open_body(&request);
    assert_int_equal(request.problem.kind, PROBLEM_OVERLOADED);
    holder_close(&request.holder);
    service.queue.n_long[JOB_DIARIZE] = 0;
    request = request_for("POST", "/diarize");
    request.head.declared_bytes = 10;
    admission_open_body(&request);
    assert_int_equal(request.problem.kind, PROBLEM_NONE);
    assert_int_equal(service.conversations.used_bytes, 10);

    /* What changed while the body came counts. */
    admission_judge_body(&request);
    assert_int_equal(request.problem.kind, PROBLEM_EMPTY_BODY);
    body_append(&request.body, "0123456789", 10);
    service.drain = DRAIN_ANNOUNCED;
    request.problem.kind = PROBLEM_NONE;
    admission_judge_body(&request);
    assert_int_equal(request.problem.kind, PROBLEM_DRAINING);
    body_close(&request.body);
    holder_close(&request.holder);

    assert_true(workers_stop(service.workers, 20));
    mailbox_close(&mailbox);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods),
        cmocka_unit_test(each_listener_serves_its_own),
        cmocka_unit_test(keys_are_asked_before_anything_is_told),
        cmocka_unit_test(each_endpoint_wants_its_scope),
        cmocka_unit_test(a_key_of_a_collection_names_no_other),
        cmocka_unit_test(an_expectation_that_cannot_be_met),
        cmocka_unit_test(a_drain_begins_nothing_long),
        cmocka_unit_test(bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
