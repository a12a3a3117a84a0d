/* Who waits, in which order they go to workers, and what becomes of whoever waits too long or
 * leaves. */
#include "unit.h"

#include "request/queue.h"
#include "util/clock.h"

enum { N_TICKETS = 6, SIZE = 3 };

/* The queue over a pool of `n_workers` that is handed nothing but to make it busy. */
struct bench {
    uv_loop_t loop;
    struct mailbox mailbox;
    struct workers *workers;
    struct queue queue;
    struct ticket tickets[N_TICKETS];
};

/* What the queue told last, and how often. */
static struct {
    const struct ticket *expired, *gone;
    const struct ticket *left; /* whose client has gone */
    enum problem_kind kind;
    bool had_begun;
    size_t n_expired, n_gone, n_ticks;
} told;

static bool has_left(const struct ticket *ticket)
{
    return ticket == told.left;
}

static void on_expired(struct ticket *ticket, enum problem_kind kind, bool had_begun)
{
    assert_int_equal(ticket->place, TICKET_OUT);
    assert_null(ticket->job);
    told.expired = ticket;
    told.kind = kind;
    told.had_begun = had_begun;
    told.n_expired++;
}

static void on_gone(struct ticket *ticket)
{
    assert_int_equal(ticket->place, TICKET_OUT);
    assert_null(ticket->job);
    told.gone = ticket;
    told.n_gone++;
}

static void on_tick(struct ticket *ticket, uint64_t now_ns)
{
    (void)now_ns;
    assert_int_not_equal(ticket->place, TICKET_OUT);
    told.n_ticks++;
}

static const struct queue_calls calls = {
    .has_left = has_left, .on_expired = on_expired, .on_gone = on_gone, .on_tick = on_tick};

static void no_mail(uv_async_t *wake_up)
{
    (void)wake_up;
}

static void open_bench(struct bench *bench, size_t n_workers)
{
    struct vp_err err;
    memset(bench, 0, sizeof *bench);
    memset(&told, 0, sizeof told);
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_true(mailbox_open(&bench->mailbox, &bench->loop, no_mail, NULL));
    bench->workers = workers_start(n_workers, 1, &bench->mailbox, &err);
    assert_non_null(bench->workers);
    queue_init(&bench->queue, SIZE, bench->workers, &calls);
}

static void close_bench(struct bench *bench)
{
    for (size_t i = 0; i < N_TICKETS; i++) {
        struct ticket *ticket = &bench->tickets[i];
        if (ticket->place == TICKET_RUNNING) /* as if its worker had just been done */
            assert_ptr_equal(queue_take_back(&bench->queue, ticket->job), ticket);
        queue_drop(&bench->queue, ticket);
    }
    assert_true(workers_stop(bench->workers, 20));
    mailbox_close(&bench->mailbox);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
}

/* A job without an engine: the queue never looks at what it does. */
static struct job *new_job(enum job_kind kind)
{
    struct job *job = job_new_open(NULL);
    assert_non_null(job);
    job->kind = kind;
    job->is_large = kind == JOB_DIARIZE;
    return job;
}

static struct ticket *submit_for(struct bench *bench, size_t i, enum job_kind kind,
                                 const struct holder *holder)
{
    struct ticket *ticket = &bench->tickets[i];
    ticket->deadline_ns = clock_now_ns() + clock_from_seconds(100);
    ticket->start_deadline_ns = clock_now_ns() + clock_from_seconds(10);
    struct job *job = new_job(kind);
    holder_copy(&job->holder, holder);
    queue_submit(&bench->queue, ticket, job);
    return ticket;
}

static struct ticket *submit(struct bench *bench, size_t i, enum job_kind kind)
{
    return submit_for(bench, i, kind, &(struct holder){NULL, NULL});
}

static void the_oldest_clip_goes_first(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    assert_null(queue_next(&bench.queue));
    for (size_t i = 0; i < 3; i++)
        submit(&bench, i, JOB_EMBED);
    assert_int_equal(queue_depth(&bench.queue), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(queue_next(&bench.queue), &bench.tickets[i]);
        assert_int_equal(bench.tickets[i].place, TICKET_RUNNING);
    }
    assert_int_equal(queue_depth(&bench.queue), 0);
    assert_null(queue_next(&bench.queue));
    /* They come back in any order, and own their jobs again. */
    for (size_t i = 3; i-- > 0;) {
        struct job *job = bench.tickets[i].job;
        job->ended_ns = 1;
        assert_null(ticket_result(&bench.tickets[i]));
        assert_ptr_equal(queue_take_back(&bench.queue, job), &bench.tickets[i]);
        assert_ptr_equal(ticket_result(&bench.tickets[i]), job);
    }
    close_bench(&bench);
}

static void only_busy_workers_make_it_full(void **state)
{
    (void)state;
    struct bench bench;
    struct config config = {.model = "/no/such/model"};
    open_bench(&bench, 1);
    for (size_t i = 0; i < SIZE; i++)
        submit(&bench, i, JOB_EMBED);
    assert_false(queue_is_full(&bench.queue, JOB_EMBED, false));
    struct job *job = job_new_open(&config);
    assert_non_null(job);
    workers_give(bench.workers, job); /* busy until the loop takes it back */
    assert_true(queue_is_full(&bench.queue, JOB_EMBED, false));
    assert_false(
        queue_is_full(&bench.queue, JOB_DIARIZE, true)); /* those have places of their own */
    for (size_t i = 0; i < SIZE; i++)
        submit(&bench, SIZE + i, JOB_DIARIZE);
    assert_true(queue_is_full(&bench.queue, JOB_DIARIZE, true));
    queue_drop(&bench.queue, &bench.tickets[SIZE]);
    assert_false(queue_is_full(&bench.queue, JOB_DIARIZE, true));
    assert_true(workers_stop(bench.workers, 20)); /* joins: the job is in the mailbox now */
    job_free(mailbox_take(&bench.mailbox));
    bench.workers = workers_start(1, 1, &bench.mailbox, &(struct vp_err){0});
    close_bench(&bench);
}

static void who_waits_too_long_is_told(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    struct ticket *first = submit(&bench, 0, JOB_EMBED), *second = submit(&bench, 1, JOB_EMBED);
    queue_tick(&bench.queue, clock_now_ns());
    assert_int_equal(told.n_expired, 0);
    assert_int_equal(told.n_ticks, 2);
    queue_tick(&bench.queue, first->start_deadline_ns);
    assert_ptr_equal(told.expired, first);
    assert_int_equal(told.kind, PROBLEM_QUEUE_TIMEOUT);
    assert_false(told.had_begun);
    /* Also when its turn comes before the next tick. */
    second->start_deadline_ns = clock_now_ns();
    assert_null(queue_next(&bench.queue));
    assert_ptr_equal(told.expired, second);
    close_bench(&bench);
}

static void a_late_result_is_dropped(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    struct ticket *ticket = submit(&bench, 0, JOB_EMBED);
    struct job *job = ticket->job;
    assert_ptr_equal(queue_next(&bench.queue), ticket);
    queue_tick(&bench.queue,
               clock_now_ns() + clock_from_seconds(50)); /* it had its worker in time */
    assert_int_equal(told.n_expired, 0);
    queue_tick(&bench.queue, ticket->deadline_ns);
    assert_ptr_equal(told.expired, ticket);
    assert_true(told.had_begun);
    assert_null(job->ticket);
    assert_true(atomic_load(&job->is_cancelled));    /* its worker need not finish it */
    assert_null(queue_take_back(&bench.queue, job)); /* freed: LeakSanitizer would tell */
    close_bench(&bench);
}

static void whose_client_left_gets_no_worker(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    told.left = submit(&bench, 0, JOB_EMBED);
    struct ticket *second = submit(&bench, 1, JOB_EMBED);
    assert_ptr_equal(queue_next(&bench.queue), second);
    assert_ptr_equal(told.gone, &bench.tickets[0]);
    told.left = submit(&bench, 2, JOB_DIARIZE);
    queue_tick(&bench.queue, clock_now_ns());
    assert_ptr_equal(told.gone, &bench.tickets[2]);
    assert_int_equal(told.n_gone, 2);
    close_bench(&bench);
}

static void one_worker_is_left_to_clips(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 3);
    for (size_t i = 0; i < 3; i++)
        submit(&bench, i, JOB_DIARIZE);
    assert_non_null(queue_next(&bench.queue));
    assert_non_null(queue_next(&bench.queue));
    assert_null(queue_next(&bench.queue)); /* two of three */
    assert_int_equal(queue_diarizations(&bench.queue), 3);
    struct ticket *clip = submit(&bench, 3, JOB_EMBED);
    assert_ptr_equal(queue_next(&bench.queue), clip);
    /* A slice whose request has gone keeps its worker until it is back. */
    struct job *orphan = bench.tickets[0].job;
    queue_drop(&bench.queue, &bench.tickets[0]);
    assert_null(queue_next(&bench.queue));
    assert_int_equal(queue_diarizations(&bench.queue), 3);
    assert_null(queue_take_back(&bench.queue, orphan));
    assert_ptr_equal(queue_next(&bench.queue), &bench.tickets[2]);
    close_bench(&bench);
}

static void a_slice_rests_while_clips_wait(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    struct ticket *call = submit(&bench, 0, JOB_DIARIZE);
    assert_ptr_equal(queue_next(&bench.queue), call);
    struct job *job = call->job;
    job->turn_ms = 1000;
    assert_ptr_equal(queue_take_back(&bench.queue, job), call);
    assert_true(queue_again(&bench.queue, call));
    assert_true(call->turn_ns > clock_now_ns() + clock_from_seconds(3.9)); /* four slices long */
    struct ticket *clip = submit(&bench, 1, JOB_EMBED);
    assert_ptr_equal(queue_next(&bench.queue), clip);
    assert_ptr_equal(queue_next(&bench.queue), call); /* nobody else waits: at once */
    /* It has begun: only its deadline counts from now on. */
    assert_true(call->start_deadline_ns == UINT64_MAX);
    close_bench(&bench);
}

/* Two clips need two turns, and no second wait. */
static void a_small_comparison_keeps_its_place(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 2);
    struct ticket *pair = submit(&bench, 0, JOB_COMPARE);
    submit(&bench, 1, JOB_EMBED);
    assert_ptr_equal(queue_next(&bench.queue), pair);
    assert_ptr_equal(queue_take_back(&bench.queue, pair->job), pair);
    assert_true(queue_again(&bench.queue, pair));
    assert_int_equal(pair->place, TICKET_CLIPS);
    assert_ptr_equal(queue_next(&bench.queue), pair);
    /* Between the two its client is looked at. */
    assert_ptr_equal(queue_take_back(&bench.queue, pair->job), pair);
    assert_true(queue_again(&bench.queue, pair));
    told.left = pair;
    assert_ptr_equal(queue_next(&bench.queue), &bench.tickets[1]);
    assert_ptr_equal(told.gone, pair);
    close_bench(&bench);
}

/* What its body is like is seen in its first turn; then it is long work, if there is room for that.
 */
static void a_job_that_turns_out_large_becomes_long(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 2);
    for (size_t i = 0; i <= SIZE; i++) {
        struct ticket *ticket = submit(&bench, i, JOB_COMPARE);
        assert_int_equal(ticket->place, TICKET_CLIPS);
        assert_ptr_equal(queue_next(&bench.queue), ticket);
        ticket->job->is_large = true;
        ticket->job->turn_ms = 1000; /* those before it rest */
        assert_ptr_equal(queue_take_back(&bench.queue, ticket->job), ticket);
        assert_int_equal(queue_again(&bench.queue, ticket), i < SIZE);
        assert_int_equal(ticket->place, i < SIZE ? TICKET_LONG : TICKET_OUT);
    }
    assert_ptr_equal(told.expired, &bench.tickets[SIZE]);
    assert_int_equal(told.kind, PROBLEM_OVERLOADED);
    assert_int_equal(bench.queue.n_long[JOB_COMPARE], SIZE);
    struct ticket *next = queue_next(&bench.queue);
    assert_int_equal(bench.queue.n_long_turns, 1); /* its turns count as long from now on */
    assert_ptr_equal(queue_take_back(&bench.queue, next->job), next);
    assert_int_equal(bench.queue.n_long_turns, 0);
    assert_true(queue_again(&bench.queue, next)); /* it has its place */
    close_bench(&bench);
}

static void the_wait_follows_the_pace(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 2);
    assert_true(queue_wait_s(&bench.queue) == 0); /* nothing is known yet */
    submit(&bench, 0, JOB_EMBED);
    assert_non_null(queue_next(&bench.queue));
    struct job *job = bench.tickets[0].job;
    job->turn_ms = 4000;
    assert_non_null(queue_take_back(&bench.queue, job));
    assert_true(queue_wait_s(&bench.queue) == 2); /* 4 s on one of two workers */
    submit(&bench, 1, JOB_EMBED);
    assert_true(queue_wait_s(&bench.queue) == 4);
    close_bench(&bench);
}

static void the_end_of_the_drain_ends_all(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    submit(&bench, 0, JOB_EMBED);
    struct ticket *running = queue_next(&bench.queue);
    assert_non_null(running);
    struct job *job = running->job;
    submit(&bench, 1, JOB_EMBED);
    submit(&bench, 2, JOB_DIARIZE);
    queue_expire_all(&bench.queue, PROBLEM_DRAINING);
    assert_int_equal(told.n_expired, 3);
    assert_int_equal(told.kind, PROBLEM_DRAINING);
    assert_null(queue_take_back(&bench.queue, job));
    close_bench(&bench);
}

static void open_holders(struct clients *clients, struct holder *many, struct holder *few)
{
    const struct address a = {.bytes = {1}}, b = {.bytes = {2}};
    clients_set_share(clients, SHARE_CLIPS, SIZE, 34);
    clients_set_share(clients, SHARE_DIARIZATIONS, SIZE, 34);
    assert_true(holder_open(many, clients, &a, NULL) && holder_open(few, clients, &b, NULL));
}

/* One place each is the share here. The last that came goes, and only for somebody within his. */
static void long_work_beyond_a_share_gives_way(void **state)
{
    (void)state;
    struct bench bench;
    struct clients clients = {.tree = NULL};
    struct holder many, few;
    open_bench(&bench, 1);
    open_holders(&clients, &many, &few);
    for (size_t i = 0; i < SIZE; i++)
        submit_for(&bench, i, JOB_DIARIZE, &many);
    assert_true(queue_is_full(&bench.queue, JOB_DIARIZE, true));
    assert_false(queue_has_place(&bench.queue, JOB_DIARIZE, true, &many));
    assert_false(queue_make_place(&bench.queue, JOB_DIARIZE, true, &many));
    assert_int_equal(told.n_expired, 0);
    assert_true(queue_has_place(&bench.queue, JOB_DIARIZE, true, &few));
    assert_int_equal(told.n_expired, 0); /* asking alone changes nothing */
    assert_true(queue_make_place(&bench.queue, JOB_DIARIZE, true, &few));
    assert_ptr_equal(told.expired, &bench.tickets[SIZE - 1]);
    assert_int_equal(told.kind, PROBLEM_SHARE_USED_UP);
    submit_for(&bench, SIZE - 1, JOB_DIARIZE, &few);
    assert_false(queue_has_place(&bench.queue, JOB_DIARIZE, true, &few));
    assert_false(queue_make_place(&bench.queue, JOB_DIARIZE, true, &few));
    assert_int_equal(told.n_expired, 1);
    /* What is with a worker keeps its place until it is back, dropped or not. */
    struct ticket *running = queue_next(&bench.queue);
    assert_non_null(running);
    struct job *job = running->job;
    assert_true(job->is_long);
    for (size_t i = 0; i < SIZE; i++)
        queue_drop(&bench.queue, &bench.tickets[i]);
    holder_close(&many);
    holder_close(&few);
    assert_int_equal(clients.n, 1);
    assert_null(queue_take_back(&bench.queue, job));
    assert_int_equal(clients.n, 0);
    close_bench(&bench);
}

static void clips_beyond_a_share_give_way(void **state)
{
    (void)state;
    struct bench bench;
    struct config config = {.model = "/no/such/model"};
    struct clients clients = {.tree = NULL};
    struct holder many, few;
    open_bench(&bench, 1);
    open_holders(&clients, &many, &few);
    struct job *busy = job_new_open(&config);
    assert_non_null(busy);
    workers_give(bench.workers, busy); /* busy until the loop takes it back */
    for (size_t i = 0; i < SIZE; i++)
        submit_for(&bench, i, JOB_EMBED, &many);
    assert_false(queue_make_place(&bench.queue, JOB_EMBED, false, &many));
    assert_true(queue_make_place(&bench.queue, JOB_EMBED, false, &few));
    assert_ptr_equal(told.expired, &bench.tickets[SIZE - 1]);
    submit_for(&bench, SIZE - 1, JOB_EMBED, &few);
    for (size_t i = 0; i < SIZE; i++)
        queue_drop(&bench.queue, &bench.tickets[i]);
    holder_close(&many);
    holder_close(&few);
    assert_int_equal(clients.n, 0);
    assert_true(workers_stop(bench.workers, 20)); /* joins: the job is in the mailbox now */
    job_free(mailbox_take(&bench.mailbox));
    bench.workers = workers_start(1, 1, &bench.mailbox, &(struct vp_err){0});
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_clip_goes_first),
        cmocka_unit_test(only_busy_workers_make_it_full),
        cmocka_unit_test(who_waits_too_long_is_told),
        cmocka_unit_test(a_late_result_is_dropped),
        cmocka_unit_test(whose_client_left_gets_no_worker),
        cmocka_unit_test(one_worker_is_left_to_clips),
        cmocka_unit_test(a_slice_rests_while_clips_wait),
        cmocka_unit_test(a_small_comparison_keeps_its_place),
        cmocka_unit_test(a_job_that_turns_out_large_becomes_long),
        cmocka_unit_test(the_wait_follows_the_pace),
        cmocka_unit_test(the_end_of_the_drain_ends_all),
        cmocka_unit_test(long_work_beyond_a_share_gives_way),
        cmocka_unit_test(clips_beyond_a_share_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
