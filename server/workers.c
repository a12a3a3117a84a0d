/* The bounded pool of inference threads. */
#include "workers.h"

#include "clock.h"
#include "thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct workers *pool;
    size_t index;
    pthread_t thread;
    pthread_cond_t given; /* signalled under the pool's mutex: job or stop is set */
    struct job *job;      /* guarded by the mutex: handed over, not yet picked up */
    bool busy;            /* the loop's: between workers_give and workers_take_back */
    bool watched;         /* the loop's: the job counts for the watchdog */
    uint64_t given_ns;    /* the loop's */
};

struct workers {
    pthread_mutex_t mutex; /* guards worker[].job and stop */
    bool stop;
    struct mailbox *mailbox;
    size_t n, n_busy;
    struct worker worker[];
};

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    struct workers *pool = worker->pool;
    thread_set_role(THREAD_WORKER);
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        while (worker->job == NULL && !pool->stop)
            pthread_cond_wait(&worker->given, &pool->mutex);
        struct job *job = worker->job;
        worker->job = NULL;
        pthread_mutex_unlock(&pool->mutex);
        if (job == NULL)
            return NULL;
        job_run(job, worker->index);
        mailbox_post(pool->mailbox, job);
    }
}

/* Signals go to the loop's thread alone. */
static int start_thread(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    /* A crash is the worker's own: those stay deliverable. */
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, run_worker, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct workers *workers_start(size_t n, struct mailbox *mailbox, struct vp_err *err)
{
    struct workers *workers = calloc(1, sizeof *workers + n * sizeof(struct worker));
    if (workers == NULL) {
        *err = (struct vp_err){.status = VP_ERR_NO_MEMORY, .message = "no memory for the workers"};
        return NULL;
    }
    pthread_mutex_init(&workers->mutex, NULL);
    workers->mailbox = mailbox;
    for (size_t i = 0; i < n; i++) {
        struct worker *worker = &workers->worker[i];
        worker->pool = workers;
        worker->index = i;
        pthread_cond_init(&worker->given, NULL);
        int error = start_thread(worker);
        if (error != 0) {
            *err = (struct vp_err){.status = VP_ERR_NO_MEMORY};
            snprintf(err->message, sizeof err->message, "worker %zu cannot be started: %s", i + 1,
                     strerror(error));
            pthread_cond_destroy(&worker->given);
            workers_stop(workers);
            return NULL;
        }
        workers->n = i + 1;
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
    pthread_mutex_lock(&workers->mutex);
    worker->job = job;
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

void workers_stop(struct workers *workers)
{
    ON_LOOP();
    pthread_mutex_lock(&workers->mutex);
    workers->stop = true;
    for (size_t i = 0; i < workers->n; i++)
        pthread_cond_signal(&workers->worker[i].given);
    pthread_mutex_unlock(&workers->mutex);
    for (size_t i = 0; i < workers->n; i++) {
        pthread_join(workers->worker[i].thread, NULL);
        pthread_cond_destroy(&workers->worker[i].given);
    }
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}
