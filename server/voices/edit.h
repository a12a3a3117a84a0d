/*
 * One change on its way to the disk: what the voice, its rows and the set will be. Made by the
 * store's thread from what is there now; nothing that others see changes by it.
 */
#ifndef VP_EDIT_H
#define VP_EDIT_H

#include "voices/database.h"
#include "voices/enrol.h"
#include "voices/voice_set.h"

struct edit {
    struct change *change;
    const struct voice_set *set; /* borrowed: as it is now */
    struct database *database;   /* borrowed */
    double min_speech_s;
    size_t max_voices;

    char digest[DIGEST_ROOM]; /* of the voice's model */
    size_t dim;
    struct clips clips;     /* that it will have */
    float *row;             /* owned [dim]: its embedding */
    struct voice *voice;    /* a reference; NULL: it goes */
    struct voice_set *next; /* a reference */
    bool forgets;           /* bytes are to be gone from the file */
};

/* False: change->problem says why, or the database's fault when that is still empty. [store] */
bool edit_plan(struct edit *edit) VP_MUST_CHECK;
/* Writes it, within a transaction. False: the database's fault says why. [store] */
bool edit_write(struct edit *edit) VP_MUST_CHECK;
void edit_close(struct edit *edit);

#endif
