/*
 * The file that voices are kept in, by SQLite: opened, made or migrated, with transactions. One
 * thread uses it, the store's. Nobody else may open the file meanwhile (the lock is exclusive),
 * because what is in memory would no longer be what is in it.
 */
#ifndef VP_DATABASE_H
#define VP_DATABASE_H

#include "voiceprint.h"

#include <sqlite3.h>

enum { DATABASE_VERSION = 1, FAULT_ROOM = 256 };

struct database {
    sqlite3 *handle;        /* NULL: it is closed */
    int code;               /* SQLite's, of the last fault */
    char fault[FAULT_ROOM]; /* the last one, as a sentence without paths */
};

/* Each that can fail returns false, and database->fault says why. [worker] of the store */

/* Opens path, or makes it (0600), and brings its schema to DATABASE_VERSION. */
bool database_open(struct database *database, const char *path) VP_MUST_CHECK;
void database_close(struct database *database); /* legal on one that is closed */
bool database_begin(struct database *database) VP_MUST_CHECK;
bool database_commit(struct database *database) VP_MUST_CHECK;
/* Ends a transaction that failed, unless SQLite did already. */
void database_roll_back(struct database *database);
/* Moves what was written into the file itself and empties the log beside it, so that deleted bytes
 * are in neither. */
bool database_checkpoint(struct database *database) VP_MUST_CHECK;
/* Keeps SQLite's own words for the last fault, or a sentence of ours. Return false. */
bool database_fail(struct database *database);
bool database_fail_with(struct database *database, const char *sentence);
/* Does the fault call for opening the file anew? A full disk does not. */
bool database_is_ill(const struct database *database);

#endif
