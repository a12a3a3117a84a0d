/* One mutex guards `next`, `results` and `stopped`; workers draw the next item, the caller waits
 * for the result that is due. */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

struct pool {
    const struct pool_calls *calls;
    void *ctx;
    size_t n_items;
    pthread_mutex_t mutex;
    pthread_cond_t finished;
    size_t next;    /* item that nobody has drawn yet */
    void **results; /* [n_items], NULL until finished */
    bool stopped;
};

struct worker {
    struct pool *pool;
    unsigned number;
    pthread_t thread;
};

static void *run_worker(void *user)
{
    const struct worker *worker = user;
    struct pool *pool = worker->pool;
    pthread_mutex_lock(&pool->mutex);
    while (pool->next < pool->n_items && !pool->stopped) {
        const size_t i = pool->next++;
        pthread_mutex_unlock(&pool->mutex);
        void *result = pool->calls->work(pool->ctx, worker->number, i);
        pthread_mutex_lock(&pool->mutex);
        pool->results[i] = result;
        pthread_cond_signal(&pool->finished);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static bool take_all(struct pool *pool)
{
    bool good = true;
    for (size_t i = 0; good && i < pool->n_items; i++) {
        pthread_mutex_lock(&pool->mutex);
        while (pool->results[i] == NULL)
            pthread_cond_wait(&pool->finished, &pool->mutex);
        void *result = pool->results[i];
        pool->results[i] = NULL;
        pthread_mutex_unlock(&pool->mutex);
        good = pool->calls->take(pool->ctx, i, result);
    }
    return good;
}

bool pool_run(const struct pool_calls *calls, void *ctx, size_t n_items, unsigned n_workers)
{
    struct pool pool = {.calls = calls, .ctx = ctx, .n_items = n_items};
    struct worker *workers = calloc(n_workers, sizeof *workers);
    pool.results = calloc(n_items + 1, sizeof *pool.results);
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.finished, NULL);
    unsigned n_started = 0;
    bool good = workers != NULL && pool.results != NULL;
    while (good && n_started < n_workers) {
        workers[n_started] = (struct worker){.pool = &pool, .number = n_started};
        good =
            pthread_create(&workers[n_started].thread, NULL, run_worker, &workers[n_started]) == 0;
        n_started += good;
    }
    good = good && take_all(&pool);
    pthread_mutex_lock(&pool.mutex);
    pool.stopped = true;
    pthread_mutex_unlock(&pool.mutex);
    for (unsigned w = 0; w < n_started; w++)
        pthread_join(workers[w].thread, NULL);
    for (size_t i = 0; pool.results != NULL && i < n_items; i++)
        free(pool.results[i]);
    pthread_cond_destroy(&pool.finished);
    pthread_mutex_destroy(&pool.mutex);
    free(pool.results);
    free(workers);
    return good;
}
