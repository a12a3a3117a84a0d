/* The thread that has the file. */
#include "voices/store.h"

#include "util/clock.h"
#include "util/thread.h"
#include "voices/edit.h"
#include "voices/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RETRY_S = 1 };

struct store {
    struct store_setup setup;
    char *path; /* owned */
    pthread_t thread;
    pthread_cond_t wanted; /* signalled under the mutex: a change came, or stop was set */
    pthread_mutex_t mutex; /* guards what follows up to the empty line */
    struct change *first, *last;
    bool stop;
    struct voice_set *set; /* a reference; written by the thread alone */
    char fault[FAULT_ROOM];
    bool has_news;

    struct database database; /* the thread's, as the next */
    bool owes_checkpoint;     /* deleted bytes may still be in the log beside the file */
};

/* ---- what others see ------------------------------------------------------------------------ */

static void set_fault(struct store *store, const char *fault)
{
    pthread_mutex_lock(&store->mutex);
    if (strcmp(store->fault, fault) != 0) {
        snprintf(store->fault, sizeof store->fault, "%s", fault);
        store->has_news = true;
    }
    pthread_mutex_unlock(&store->mutex);
}

/* Takes set. */
static void publish(struct store *store, struct voice_set *set)
{
    pthread_mutex_lock(&store->mutex);
    struct voice_set *old = store->set;
    store->set = set;
    pthread_mutex_unlock(&store->mutex);
    voice_set_release(old);
}

struct voice_set *store_hold_set(struct store *store)
{
    pthread_mutex_lock(&store->mutex);
    struct voice_set *set = store->set != NULL ? voice_set_hold(store->set) : NULL;
    pthread_mutex_unlock(&store->mutex);
    return set;
}

bool store_take_news(struct store *store, char fault[FAULT_ROOM])
{
    ON_LOOP();
    pthread_mutex_lock(&store->mutex);
    const bool has_news = store->has_news;
    store->has_news = false;
    memcpy(fault, store->fault, FAULT_ROOM);
    pthread_mutex_unlock(&store->mutex);
    return has_news;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Opens the file if it is closed, and reads it. */
static bool be_open(struct store *store)
{
    struct voice_set *set = NULL;
    if (store->database.handle != NULL)
        return true;
    if (!database_open(&store->database, store->path))
        return false;
    if (!rows_load(&store->database, store->setup.min_speech_s, &set)) {
        database_close(&store->database);
        return false;
    }
    publish(store, set);
    return true;
}

/* After a fault the file may not hold what we think: it is opened and read anew, unless it was
 * nothing but full. */
static void take_fault(struct store *store)
{
    if (store->database.handle != NULL && database_is_ill(&store->database))
        database_close(&store->database);
    set_fault(store, store->database.fault);
}

/* What is owed: an open file, and a log without deleted bytes. */
static void catch_up(struct store *store)
{
    if (!be_open(store) || (store->owes_checkpoint && !database_checkpoint(&store->database))) {
        take_fault(store);
        return;
    }
    store->owes_checkpoint = false;
    set_fault(store, "");
}

static bool is_cancelled(const struct change *change)
{
    return atomic_load_explicit(change->is_cancelled, memory_order_relaxed);
}

/* From the plan to the disk, all or nothing. */
static bool commit(struct store *store, struct edit *edit)
{
    struct database *database = &store->database;
    if (!database_begin(database))
        return false;
    if (!edit_write(edit)) {
        database_roll_back(database);
        return false;
    }
    if (is_cancelled(edit->change)) { /* nobody waits any more: as if never asked */
        database_roll_back(database);
        problem_set(&edit->change->problem, PROBLEM_QUEUE_TIMEOUT, "the client has left");
        return false;
    }
    return database_commit(database);
}

static void hand_over(struct store *store, struct edit *edit)
{
    struct change *change = edit->change;
    publish(store, edit->next);
    change->voice = edit->voice;
    edit->next = NULL;
    edit->voice = NULL;
    store->owes_checkpoint = store->owes_checkpoint || edit->forgets;
    catch_up(store);
}

static void carry_out(struct store *store, struct change *change)
{
    const uint64_t start_ns = clock_now_ns();
    const bool is_open = be_open(store);
    struct edit edit = {.change = change,
                        .set = store->set,
                        .database = &store->database,
                        .min_speech_s = store->setup.min_speech_s,
                        .max_voices = store->setup.max_voices};
    if (is_open && edit_plan(&edit) && commit(store, &edit))
        hand_over(store, &edit);
    else if (change->problem.kind == PROBLEM_NONE) { /* the file's fault */
        take_fault(store);
        problem_set(&change->problem, PROBLEM_STORE_UNAVAILABLE,
                    "known voices cannot be changed now, and nothing was: %.200s",
                    store->database.fault);
    }
    edit_close(&edit);
    change->seconds = 1e-3 * clock_ms_since(start_ns, clock_now_ns());
}

/* Waits for a change, or until something owed is to be tried again. NULL: neither came. */
static struct change *wait_for_change(struct store *store, bool *stop)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    const bool owes = store->database.handle == NULL || store->owes_checkpoint;
    int status = 0;
    pthread_mutex_lock(&store->mutex);
    while (store->first == NULL && !store->stop && status != ETIMEDOUT)
        status = owes ? pthread_cond_timedwait(&store->wanted, &store->mutex, &until)
                      : pthread_cond_wait(&store->wanted, &store->mutex);
    struct change *change = store->first;
    if (change != NULL)
        store->first = change->next;
    *stop = store->stop;
    pthread_mutex_unlock(&store->mutex);
    return change;
}

static void *run_store(void *argument)
{
    struct store *store = argument;
    bool stop = false;
    thread_set_role(THREAD_STORE);
    for (;;) {
        struct change *change = wait_for_change(store, &stop);
        if (change != NULL) {
            carry_out(store, change);
            store->setup.on_done(store->setup.context, change);
        } else if (stop) {
            break;
        } else {
            catch_up(store);
        }
    }
    database_close(&store->database);
    return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------ */

void store_submit(struct store *store, struct change *change)
{
    ON_LOOP();
    change->next = NULL;
    pthread_mutex_lock(&store->mutex);
    if (store->first == NULL)
        store->first = change;
    else
        store->last->next = change;
    store->last = change;
    pthread_cond_signal(&store->wanted);
    pthread_mutex_unlock(&store->mutex);
}

static struct store *fail(struct store *store, struct vp_err *err)
{
    *err = (struct vp_err){.status = VP_ERR_NO_MEMORY};
    snprintf(err->message, sizeof err->message, "the store of voices cannot be started");
    if (store != NULL) {
        database_close(&store->database);
        voice_set_release(store->set);
        free(store->path);
    }
    free(store);
    return NULL;
}

struct store *store_open(const struct store_setup *setup, struct vp_err *err)
{
    struct store *store = calloc(1, sizeof *store);
    pthread_condattr_t by_clock;
    if (store == NULL || (store->path = strdup(setup->path)) == NULL)
        return fail(store, err);
    store->setup = *setup;
    pthread_mutex_init(&store->mutex, NULL); /* neither fails on Linux */
    pthread_condattr_init(&by_clock);
    pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
    pthread_cond_init(&store->wanted, &by_clock);
    pthread_condattr_destroy(&by_clock);
    catch_up(store); /* here, so that the first request finds what is kept */
    return thread_start(&store->thread, run_store, store) == 0 ? store : fail(store, err);
}

bool store_close(struct store *store, uint64_t until_ns)
{
    ON_LOOP();
    if (store == NULL)
        return true;
    pthread_mutex_lock(&store->mutex);
    store->stop = true;
    pthread_cond_signal(&store->wanted);
    pthread_mutex_unlock(&store->mutex);
    if (!thread_join(store->thread, until_ns))
        return false;
    pthread_cond_destroy(&store->wanted);
    pthread_mutex_destroy(&store->mutex);
    voice_set_release(store->set);
    free(store->path);
    free(store);
    return true;
}
