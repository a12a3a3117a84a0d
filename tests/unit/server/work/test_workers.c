/* The pool: who gets a job, what the watchdog sees, who may help, and the end. */
#include "unit.h"

#include "util/clock.h"
#include "work/workers.h"

struct bench {
    uv_loop_t loop;
    struct mailbox mailbox;
    struct workers *workers;
    struct engine *engine; /* nothing in it: jobs have no clips */
};

static void no_mail(uv_async_t *wake_up)
{
    (void)wake_up;
}

static void open_bench(struct bench *bench, size_t n_workers, size_t n_sharing)
{
    struct vp_err err;
    memset(bench, 0, sizeof *bench);
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_true(mailbox_open(&bench->mailbox, &bench->loop, no_mail, NULL));
    bench->workers = workers_start(n_workers, n_sharing, &bench->mailbox, &err);
    assert_non_null(bench->workers);
    bench->engine = calloc(1, sizeof *bench->engine + n_workers * sizeof(vp_scratch *));
    assert_non_null(bench->engine);
    bench->engine->n_workers = n_workers;
}

static void close_bench(struct bench *bench)
{
    mailbox_close(&bench->mailbox);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    free(bench->engine);
}

static struct job *new_job(struct bench *bench)
{
    struct job *job = job_new_open(NULL);
    assert_non_null(job);
    job->kind = JOB_EMBED; /* of no side */
    job->engine = bench->engine;
    return job;
}

static void free_job(struct job *job)
{
    job->engine = NULL;
    job_free(job);
}

/* Waits until n jobs are back. */
static void collect(struct bench *bench, size_t n)
{
    const uint64_t until_ns = clock_now_ns() + clock_from_seconds(20);
    while (n > 0 && clock_now_ns() < until_ns)
        for (struct job *job = mailbox_take(&bench->mailbox); job != NULL; job = job->next, n--)
            assert_true(job->started_ns > 0 && job->ended_ns >= job->started_ns);
    assert_int_equal(n, 0);
}

static void a_job_goes_to_an_idle_worker(void **state)
{
    (void)state;
    struct bench bench;
    struct job *jobs[3];
    open_bench(&bench, 3, 1);
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = new_job(&bench);
        workers_give(bench.workers, jobs[i]);
        assert_int_equal(jobs[i]->worker, i);
        assert_int_equal(workers_busy(bench.workers), i + 1);
    }
    collect(&bench, 3);
    assert_int_equal(workers_busy(bench.workers), 3); /* until the loop takes them back */
    workers_take_back(bench.workers, jobs[1]);
    assert_int_equal(workers_busy(bench.workers), 2);
    struct job *next = new_job(&bench);
    workers_give(bench.workers, next);
    assert_int_equal(next->worker, 1);
    assert_true(workers_stop(bench.workers, 20)); /* after what they run */
    assert_ptr_equal(mailbox_take(&bench.mailbox), next);
    free_job(next);
    for (size_t i = 0; i < 3; i++)
        free_job(jobs[i]);
    close_bench(&bench);
}

static void the_watchdog_counts_the_oldest(void **state)
{
    (void)state;
    struct bench bench;
    struct config config = {.model = "/no/such/model"};
    open_bench(&bench, 2, 1);
    const uint64_t start_ns = clock_now_ns();
    assert_int_equal(workers_longest_ns(bench.workers, start_ns), 0);
    struct job *opening = job_new_open(&config); /* a slow disk is not a stuck worker */
    assert_non_null(opening);
    workers_give(bench.workers, opening);
    assert_int_equal(workers_longest_ns(bench.workers, start_ns + 1000000000), 0);
    struct job *job = new_job(&bench);
    workers_give(bench.workers, job);
    const uint64_t given_ns = clock_now_ns();
    const uint64_t longest_ns = workers_longest_ns(bench.workers, given_ns + 1000000000);
    assert_true(longest_ns >= 1000000000 && longest_ns <= given_ns - start_ns + 1000000000);
    workers_take_back(bench.workers, job);
    assert_int_equal(workers_longest_ns(bench.workers, given_ns + 1000000000), 0);
    assert_true(workers_stop(bench.workers, 20));
    for (struct job *at = mailbox_take(&bench.mailbox), *after; at != NULL; at = after) {
        after = at->next;
        free_job(at);
    }
    close_bench(&bench);
}

static void helpers_come_with_more_than_one_thread_a_clip(void **state)
{
    (void)state;
    for (size_t n_sharing = 1; n_sharing <= 2; n_sharing++) {
        struct bench bench;
        open_bench(&bench, 2, n_sharing);
        struct job *job = new_job(&bench);
        workers_give(bench.workers, job);
        collect(&bench, 1);
        assert_int_equal(job->helpers.begin != NULL, n_sharing > 1);
        assert_int_equal(job->helpers.end != NULL, n_sharing > 1);
        workers_take_back(bench.workers, job);
        free_job(job);
        assert_true(workers_stop(bench.workers, 20));
        close_bench(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_goes_to_an_idle_worker),
        cmocka_unit_test(the_watchdog_counts_the_oldest),
        cmocka_unit_test(helpers_come_with_more_than_one_thread_a_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
