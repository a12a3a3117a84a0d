/*
 * Voices to rows of the database and back. What changes rows is called within a transaction. All by
 * the store's thread; false: database->fault says why.
 */
#ifndef VP_ROWS_H
#define VP_ROWS_H

#include "voices/database.h"
#include "voices/enrol.h"
#include "voices/voice_set.h"

/* Every voice that is kept, in a set with one reference. */
bool rows_load(struct database *database, double min_speech_s, struct voice_set **out);
/* The clips of the voice with that key, into clips->embeddings, which has its room. */
bool rows_read_clips(struct database *database, int64_t key, size_t dim, struct clips *clips);
/* Keeps a voice of the model `digest` with its clips in place of the one of that id; sets its key.
 */
bool rows_write(struct database *database, const char *collection, const char *digest, size_t dim,
                struct voice *voice, const struct clips *clips);
bool rows_remove(struct database *database, const char *collection, const char *id);
bool rows_clear(struct database *database, const char *collection); /* all of a collection */

#endif
