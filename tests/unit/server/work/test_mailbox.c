/* Workers and loop: jobs come back in order, no wake-up is lost, the pool ends cleanly. */
#include "unit.h"

#include "config/config.h"
#include "util/clock.h"
#include "work/workers.h"

enum { N_JOBS = 2000, N_WORKERS = 3 };

struct bench {
    uv_loop_t loop;
    struct mailbox mailbox;
    struct workers *workers;
    struct config config;
    size_t n_given, n_back, deepest;
};

static void give(struct bench *bench)
{
    while (bench->n_given < N_JOBS && workers_busy(bench->workers) < N_WORKERS) {
        struct job *job = job_new_open(&bench->config);
        assert_non_null(job);
        workers_give(bench->workers, job);
        bench->n_given++;
    }
}

static void on_mail(uv_async_t *wake_up)
{
    struct bench *bench = wake_up->data;
    size_t n = 0;
    for (struct job *job = mailbox_take(&bench->mailbox), *next; job != NULL; job = next, n++) {
        next = job->next;
        workers_take_back(bench->workers, job);
        assert_int_equal(job->status, VP_ERR_IO); /* the model does not exist */
        assert_true(job->ended_ns >= job->started_ns && job->started_ns > 0);
        job_free(job);
        bench->n_back++;
    }
    if (n > bench->deepest)
        bench->deepest = n;
    give(bench);
    if (bench->n_back == N_JOBS)
        uv_stop(&bench->loop);
}

static void every_job_comes_back(void **state)
{
    (void)state;
    struct bench bench = {0};
    struct vp_err err;
    config_defaults(&bench.config);
    bench.config.workers = 1;
    assert_true(config_set(&bench.config, "model", "/no/such/model", &(struct config_error){""}));
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    assert_true(mailbox_open(&bench.mailbox, &bench.loop, on_mail, &bench));
    bench.workers = workers_start(N_WORKERS, N_WORKERS, &bench.mailbox, &err);
    assert_non_null(bench.workers);
    assert_int_equal(workers_count(bench.workers), N_WORKERS);
    give(&bench);
    /* A model that opens is not a stuck worker, however long it takes. */
    assert_int_equal(workers_longest_ns(bench.workers, clock_now_ns() + 1000000000), 0);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(bench.n_back, N_JOBS);
    assert_int_equal(workers_busy(bench.workers), 0);
    assert_true(workers_stop(bench.workers, 20));
    mailbox_close(&bench.mailbox);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench.loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
