/* Keys: what is accepted, and that the way to the answer tells nothing about them. */
#include "unit.h"

#include "config/keys.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static enum vp_status try(const char *text, struct keys **keys, struct vp_err *err)
{
    char path[] = "/tmp/vp-keys-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const enum vp_status status = keys_load(path, keys, err);
    unlink(path);
    return status;
}

static struct keys *load(const char *text)
{
    struct keys *keys = NULL;
    struct vp_err err;
    assert_int_equal(try(text, &keys, &err), VP_OK);
    return keys;
}

static void whole_keys_are_accepted_and_nothing_else(void **state)
{
    (void)state;
    char longest[300] = "Bearer ";
    memset(longest + 7, 'k', 255);
    struct keys *keys = load("# staff\r\n\nfirst-key\n  \nsecond-key \r\n"
                             "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
    assert_non_null(keys_find(keys, "Bearer first-key"));
    assert_non_null(keys_find(keys, "BEARER   second-key"));
    assert_null(keys_find(keys, "Bearer first-ke"));
    assert_null(keys_find(keys, "Bearer first-keyy"));
    assert_null(keys_find(keys, "Bearer first-key "));
    assert_null(keys_find(keys, "Bearer # staff"));
    assert_null(keys_find(keys, "Bearer "));
    assert_null(keys_find(keys, "Basic first-key"));
    assert_null(keys_find(keys, ""));
    assert_null(keys_find(keys, NULL));
    for (size_t n = 60; n <= 255; n++) { /* 64 of them are a key */
        longest[7 + n] = 0;
        assert_int_equal(keys_find(keys, longest) != NULL, n == 64);
        longest[7 + n] = 'k';
    }
    longest[7 + 255] = 0;
    keys_free(keys);
}

static void a_line_says_what_its_key_may_do(void **state)
{
    (void)state;
    static const struct {
        const char *authorization;
        unsigned scopes;
        const char *collection;
    } rows[] = {
        {"Bearer old", ALL_SCOPES, ""},
        {"Bearer with:colon", ALL_SCOPES, ""},
        {"Bearer reader", SCOPE_EMBED | SCOPE_IDENTIFY, "acme"},
        {"Bearer tenant", ALL_SCOPES, "b.2"},
        {"Bearer clerk", SCOPE_ENROL | SCOPE_ADMIN, ""},
    };
    struct keys *keys = load("old\nwith:colon\n"
                             "reader \t embed,identify  collection=acme \r\n"
                             "tenant collection=b.2\nclerk\tadmin,enrol\n"
                             "old\nreader collection=acme identify,embed\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct key_rights *rights = keys_find(keys, rows[i].authorization);
        assert_non_null(rights);
        assert_int_equal(rights->scopes, rows[i].scopes);
        assert_string_equal(rights->collection, rows[i].collection);
    }
    assert_null(keys_find(keys, "Bearer reader embed,identify"));
    assert_null(keys_find(keys, "Bearer embed,identify"));
    assert_string_equal(key_scope_name(SCOPE_ENROL | SCOPE_ADMIN), "enrol");
    assert_string_equal(key_scope_name(SCOPE_ADMIN), "admin");
    keys_free(keys);
}

static void a_line_that_is_not_understood_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"all", "behind a key"},
        {"embed,", "behind a key"},
        {"Embed", "behind a key"},
        {"embed identify", "behind a key"},
        {"embed, identify", "behind a key"},
        {"embed collection=", "one collection"},
        {"collection=.a", "one collection"},
        {"collection=a,b", "one collection"},
        {"collection=a collection=a", "one collection"},
        {"embed \001", "control character"},
        {"enrol", "other rights"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128];
        struct keys *keys = NULL;
        struct vp_err err;
        snprintf(text, sizeof text, "a-secret\n%s %s\n", i == 10 ? "a-secret" : "b-secret",
                 rows[i][0]);
        assert_int_equal(try(text, &keys, &err), VP_ERR_ARGUMENT);
        assert_null(keys);
        assert_non_null(strstr(err.message, "line 2"));
        assert_non_null(strstr(err.message, rows[i][1]));
        assert_null(strstr(err.message, "secret"));
    }
}

static void digests_tell_keys_apart(void **state)
{
    (void)state;
    unsigned char one[KEY_DIGEST_BYTES], same[KEY_DIGEST_BYTES], other[KEY_DIGEST_BYTES];
    keys_digest("Bearer first-key", one);
    keys_digest("BEARER   first-key", same);
    keys_digest("Bearer second-key", other);
    assert_memory_equal(one, same, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
    assert_null(memmem(one, sizeof one, "first", 5));
}

/* Every instruction from one stop of the child to the next. */
struct trace {
    size_t n_instructions;
    uint64_t hash; /* FNV-1a of their addresses */
};

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void follow(pid_t child, struct trace *trace)
{
    int status = 0;
    *trace = (struct trace){.hash = 14695981039346656037U};
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    for (;;) {
        struct user_regs_struct registers;
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSTOPPED(status));
        if (WSTOPSIG(status) != SIGTRAP)
            break;
        assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &registers), 0);
        trace->hash = (trace->hash ^ registers.rip) * 1099511628211U;
        trace->n_instructions++;
    }
    ptrace(PTRACE_KILL, child, NULL, NULL);
    waitpid(child, &status, 0);
}

/* keys_find, step by step. The guess lies at the same place whatever it is. */
static void trace_accept(const struct keys *keys, const char *guess, struct trace *trace)
{
    static char authorization[64];
    snprintf(authorization, sizeof authorization, "Bearer %s", guess);
    (void)keys_find(keys, authorization); /* binds the functions it calls */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(1);
        raise(SIGSTOP);
        volatile bool accepted = keys_find(keys, authorization) != NULL;
        (void)accepted;
        raise(SIGSTOP);
        _exit(0);
    }
    follow(child, trace);
}

static bool can_trace(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void assert_same_way(const struct keys *keys, const char *const *guesses, size_t n)
{
    struct trace first, other;
    trace_accept(keys, guesses[0], &first);
    assert_true(first.n_instructions > 256); /* it was there at all */
    for (size_t i = 1; i < n; i++) {
        trace_accept(keys, guesses[i], &other);
        assert_int_equal(other.n_instructions, first.n_instructions);
        assert_int_equal(other.hash, first.hash);
    }
}

/* Guesses of one length take the very same instructions in the same order, however much of a key
 * they share: there is nothing to measure. */
static void the_way_to_the_answer_is_always_the_same(void **state)
{
    (void)state;
    static const char *const wrong[] = {"xlpha-key-000000001", "alpha-key-00000000x",
                                        "alphaxkey-000000001", "gamma-key-00000003x",
                                        "-------------------"};
    static const char *const right[] = {"alpha-key-000000001", "betas-key-000000002",
                                        "gamma-key-000000003"};
    if (!can_trace()) {
        print_message("left out: ptrace is not permitted here\n");
        skip();
    }
    struct keys *keys = load("alpha-key-000000001\nbetas-key-000000002\ngamma-key-000000003\n");
    assert_same_way(keys, wrong, sizeof wrong / sizeof wrong[0]);
    assert_same_way(keys, right, sizeof right / sizeof right[0]);
    keys_free(keys);
}
#else
static void the_way_to_the_answer_is_always_the_same(void **state)
{
    (void)state;
    print_message("left out: single steps are counted in plain x86-64 builds\n");
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_keys_are_accepted_and_nothing_else),
        cmocka_unit_test(a_line_says_what_its_key_may_do),
        cmocka_unit_test(a_line_that_is_not_understood_is_refused),
        cmocka_unit_test(digests_tell_keys_apart),
        cmocka_unit_test(the_way_to_the_answer_is_always_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
