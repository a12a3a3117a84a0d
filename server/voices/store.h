/*
 * Known voices: on disk, and in memory for everybody to read. One thread of its own has the file;
 * the loop hands it changes, one after the other, and gets each back when it is on disk or was
 * refused. What it last committed is a set that loop and workers hold as long as they look at it: a
 * change makes the next one. A file that cannot be used now is tried again each second, and with
 * each change; what was read of it before stays readable.
 */
#ifndef VP_STORE_H
#define VP_STORE_H

#include "voices/change.h"
#include "voices/database.h"
#include "voices/voice_set.h"

struct store;

struct store_setup {
    const char *path;    /* copied */
    double min_speech_s; /* from which a voice is enrolled */
    size_t max_voices;
    void (*on_done)(void *context, struct change *change); /* [store] a change is over */
    void *context;
};

/* Opens the file, or finds that it cannot be now, and starts the thread. NULL: err is set. [start]
 */
struct store *store_open(const struct store_setup *setup, struct vp_err *err);
/* Lends it a change until on_done. [loop] */
void store_submit(struct store *store, struct change *change);
/* What was committed last, one reference; NULL: the file could not be read yet. [any] */
struct voice_set *store_hold_set(struct store *store);
/* Has the state of the file changed since the last call? Then fault is what is wrong with it, ""
 * for nothing. [loop] */
bool store_take_news(struct store *store, char fault[FAULT_ROOM]);
/* Finishes what it was lent, all of which is cancelled, and closes the file. False: it is still at
 * it when the clock says until_ns. NULL is legal. [loop] */
bool store_close(struct store *store, uint64_t until_ns);

#endif
