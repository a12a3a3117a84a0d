/* The bounded pool of inference threads. */
#include "work/workers.h"

#include "util/clock.h"
#include "util/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than the gap between begin_sharing and the forward pass, and from its end to end_sharing.
 */
enum { PAUSE_NS = 100 * 1000 };

struct worker {
    struct workers *pool;
    pthread_t thread;
    pthread_cond_t
        given;       /* signalled under the pool's mutex: job, stop or somebody's shared is set */
    struct box *box; /* owned: where its clips are decoded; NULL: here */
    struct job *job; /* guarded by the mutex: handed over, not yet picked up */
    atomic_bool wanted; /* job or stop is set: what a helper looks at between two pieces of work */

    /* Of the clip that this worker has in the network; guarded by the mutex. */
    vp_scratch *shared; /* others may help; NULL: nothing to share */
    const char *request_id;
    size_t n_helpers;       /* who are inside vp_clip_help */
    pthread_cond_t is_left; /* signalled under the mutex: n_helpers is 0 */

    bool busy;         /* the loop's: between workers_give and workers_take_back */
    bool watched;      /* the loop's: the job counts for the watchdog */
    uint64_t given_ns; /* the loop's */
};

struct workers {
    pthread_mutex_t mutex; /* guards what worker[] says, and stop */
    bool stop;
    struct mailbox *mailbox;
    struct sandbox *sandbox; /* borrowed; NULL: jobs decode on their thread */
    size_t n, n_started, n_busy;
    size_t n_sharing; /* most threads at one clip, its owner included */
    struct worker worker[];
};

/* ---- helping -------------------------------------------------------------------------------- */

static bool is_wanted(void *context)
{
    struct worker *worker = context;
    return atomic_load_explicit(&worker->wanted,
                                memory_order_relaxed); /* the mutex orders the job */
}

/* Who shares a clip and has room for one more, and the fewest helpers; NULL: nobody. */
static struct worker *find_sharing(struct workers *pool)
{
    struct worker *found = NULL;
    for (size_t i = 0; i < pool->n; i++) {
        struct worker *at = &pool->worker[i];
        if (at->shared != NULL && at->n_helpers + 1 < pool->n_sharing &&
            (found == NULL || at->n_helpers < found->n_helpers))
            found = at;
    }
    return found;
}

static void wake_all(struct workers *pool)
{
    for (size_t i = 0; i < pool->n; i++)
        pthread_cond_signal(&pool->worker[i].given);
}

/* Called, and returns, with the mutex held. */
static void help(struct worker *worker, struct worker *owner)
{
    struct workers *pool = worker->pool;
    vp_scratch *scratch = owner->shared;
    const char *request_id = owner->request_id;
    owner->n_helpers++;
    pthread_mutex_unlock(&pool->mutex);
    crash_set_request(request_id);
    vp_clip_help(scratch, is_wanted, worker);
    crash_set_request(NULL);
    pthread_mutex_lock(&pool->mutex);
    if (--owner->n_helpers == 0)
        pthread_cond_signal(&owner->is_left);
    if (worker->job != NULL) { /* another idle one may take the seat */
        wake_all(pool);
        return;
    }
    /* The clip has just ended, or not quite begun: out of its way. */
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); /* the clock of `given` */
    until.tv_nsec += PAUSE_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!pool->stop)
        pthread_cond_timedwait(&worker->given, &pool->mutex, &until);
}

static void begin_sharing(void *context, const struct job *job, vp_scratch *scratch)
{
    ON_WORKER();
    struct workers *pool = context;
    struct worker *worker = &pool->worker[job->worker];
    pthread_mutex_lock(&pool->mutex);
    worker->shared = scratch;
    worker->request_id = job->request_id;
    wake_all(pool);
    pthread_mutex_unlock(&pool->mutex);
}

static void end_sharing(void *context, const struct job *job)
{
    ON_WORKER();
    struct workers *pool = context;
    struct worker *worker = &pool->worker[job->worker];
    pthread_mutex_lock(&pool->mutex);
    worker->shared = NULL;
    while (worker->n_helpers > 0)
        pthread_cond_wait(&worker->is_left, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    struct workers *pool = worker->pool;
    thread_set_role(THREAD_WORKER);
    /* Gives this thread a heap of its own now, 64 MiB of address space: libvorbis and libsoxr do
     * not survive an allocation that fails, so they must not compete for the last bytes with
     * uploads. */
    void *volatile first = malloc(1);
    free(first);
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        while (worker->job == NULL && !pool->stop) {
            struct worker *owner = find_sharing(pool);
            if (owner != NULL)
                help(worker, owner);
            else
                pthread_cond_wait(&worker->given, &pool->mutex);
        }
        struct job *job = worker->job;
        worker->job = NULL;
        atomic_store_explicit(&worker->wanted, pool->stop, memory_order_relaxed);
        pthread_mutex_unlock(&pool->mutex);
        if (job == NULL)
            return NULL;
        job_run(job);
        mailbox_post(pool->mailbox, job);
    }
}

bool workers_give_boxes(struct workers *workers, struct sandbox *sandbox, size_t n_bytes,
                        size_t n_samples, struct vp_err *err)
{
    workers->sandbox = sandbox;
    for (size_t i = 0; i < workers->n; i++)
        if (box_new(sandbox, n_bytes, n_samples, &workers->worker[i].box, err) != VP_OK)
            return false;
    return true;
}

struct workers *workers_start(size_t n, size_t n_sharing, struct mailbox *mailbox,
                              struct vp_err *err)
{
    struct workers *workers = calloc(1, sizeof *workers + n * sizeof(struct worker));
    if (workers == NULL) {
        *err = (struct vp_err){.status = VP_ERR_NO_MEMORY, .message = "no memory for the workers"};
        return NULL;
    }
    pthread_mutex_init(&workers->mutex, NULL);
    workers->mailbox = mailbox;
    workers->n_sharing = n_sharing;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    /* A thread looks at all of them as soon as it runs: whole before the first one starts. */
    for (size_t i = 0; i < n; i++) {
        struct worker *worker = &workers->worker[i];
        worker->pool = workers;
        atomic_init(&worker->wanted, false);
        pthread_cond_init(&worker->given, &monotonic);
        pthread_cond_init(&worker->is_left, NULL);
    }
    pthread_condattr_destroy(&monotonic);
    workers->n = n;
    for (; workers->n_started < n; workers->n_started++) {
        struct worker *worker = &workers->worker[workers->n_started];
        int error = thread_start(&worker->thread, run_worker, worker);
        if (error != 0) {
            *err = (struct vp_err){.status = VP_ERR_NO_MEMORY};
            snprintf(err->message, sizeof err->message, "worker %zu cannot be started: %s",
                     workers->n_started + 1, strerror(error));
            (void)!workers_stop(workers, 1); /* they have nothing to do */
            return NULL;
        }
    }
    return workers;
}

size_t workers_count(const struct workers *workers)
{
    return workers->n;
}

size_t workers_busy(const struct workers *workers)
{
    return workers->n_busy;
}

void workers_give(struct workers *workers, struct job *job)
{
    ON_LOOP();
    size_t i = 0;
    while (i < workers->n && workers->worker[i].busy)
        i++;
    VP_BUG_IF(i == workers->n);
    struct worker *worker = &workers->worker[i];
    worker->busy = true;
    worker->watched = job->kind != JOB_OPEN_ENGINE; /* a slow disk is not a stuck worker */
    worker->given_ns = clock_now_ns();
    workers->n_busy++;
    job->worker = i;
    job->box = worker->box;
    job->sandbox = workers->sandbox;
    job->helpers = (struct job_helpers){0};
    if (workers->n_sharing > 1)
        job->helpers =
            (struct job_helpers){.begin = begin_sharing, .end = end_sharing, .context = workers};
    pthread_mutex_lock(&workers->mutex);
    worker->job = job;
    atomic_store_explicit(&worker->wanted, true, memory_order_relaxed);
    pthread_cond_signal(&worker->given);
    pthread_mutex_unlock(&workers->mutex);
}

void workers_take_back(struct workers *workers, const struct job *job)
{
    ON_LOOP();
    VP_BUG_IF(job->worker >= workers->n || !workers->worker[job->worker].busy);
    workers->worker[job->worker].busy = false;
    workers->n_busy--;
}

uint64_t workers_longest_ns(const struct workers *workers, uint64_t now_ns)
{
    ON_LOOP();
    uint64_t longest = 0;
    for (size_t i = 0; i < workers->n; i++) {
        const struct worker *worker = &workers->worker[i];
        if (worker->busy && worker->watched && now_ns - worker->given_ns > longest)
            longest = now_ns - worker->given_ns;
    }
    return longest;
}

bool workers_stop(struct workers *workers, double timeout_s)
{
    ON_LOOP();
    const uint64_t until_ns = clock_now_ns() + clock_from_seconds(timeout_s);
    pthread_mutex_lock(&workers->mutex);
    workers->stop = true;
    for (size_t i = 0; i < workers->n; i++)
        atomic_store_explicit(&workers->worker[i].wanted, true, memory_order_relaxed);
    wake_all(workers);
    pthread_mutex_unlock(&workers->mutex);
    for (size_t i = 0; i < workers->n_started; i++)
        if (!thread_join(workers->worker[i].thread, until_ns))
            return false;
    for (size_t i = 0; i < workers->n; i++) {
        box_free(workers->worker[i].box);
        pthread_cond_destroy(&workers->worker[i].given);
        pthread_cond_destroy(&workers->worker[i].is_left);
    }
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
    return true;
}
