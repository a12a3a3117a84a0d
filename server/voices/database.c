/* SQLite, set up so that what was committed is on disk, and what was deleted is not. */
#include "voices/database.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * EXCLUSIVE: two processes with one file would each miss what the other enrolled, so the second is
 * refused; it also keeps the index of the log in memory instead of in a third file. FULL: a commit
 * is on disk when it returns. secure_delete: deleted bytes are overwritten.
 */
static const char set_up[] = "PRAGMA locking_mode = EXCLUSIVE;"
                             "PRAGMA journal_mode = WAL;"
                             "PRAGMA synchronous = FULL;"
                             "PRAGMA secure_delete = ON;"
                             "PRAGMA temp_store = MEMORY;"
                             "PRAGMA foreign_keys = ON;"
                             "PRAGMA cell_size_check = ON;";

/* What brings a file from the version before to that of the index; 0 is an empty file. */
static const char *const migrations[DATABASE_VERSION + 1] = {
    [1] = "CREATE TABLE model (key INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
          " dim INTEGER NOT NULL);"
          "CREATE TABLE voice (key INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL,"
          " model INTEGER NOT NULL REFERENCES model, etag TEXT NOT NULL, metadata TEXT,"
          " next_clip INTEGER NOT NULL, created_s INTEGER NOT NULL, changed_s INTEGER NOT NULL,"
          " UNIQUE (collection, id));"
          "CREATE TABLE clip (voice INTEGER NOT NULL REFERENCES voice ON DELETE CASCADE,"
          " number INTEGER NOT NULL, speech_s REAL NOT NULL, embedding BLOB NOT NULL,"
          " PRIMARY KEY (voice, number)) WITHOUT ROWID;",
};

bool database_fail(struct database *database)
{
    database->code = sqlite3_errcode(database->handle) & 0xff;
    snprintf(database->fault, sizeof database->fault, "%s (SQLite %d)",
             sqlite3_errmsg(database->handle), sqlite3_extended_errcode(database->handle));
    return false;
}

bool database_fail_with(struct database *database, const char *sentence)
{
    database->code = SQLITE_ERROR;
    snprintf(database->fault, sizeof database->fault, "%s", sentence);
    return false;
}

static bool execute(struct database *database, const char *sql)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
           database_fail(database);
}

/* The one number that a pragma answers; -1: it failed. */
static int ask(struct database *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int answer = -1;
    if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        answer = sqlite3_column_int(statement, 0);
    if (sqlite3_finalize(statement) != SQLITE_OK || answer < 0)
        (void)database_fail(database);
    return answer;
}

static bool migrate(struct database *database)
{
    char stamp[48];
    const int version = ask(database, "PRAGMA user_version");
    if (version < 0)
        return false;
    if (version > DATABASE_VERSION)
        return database_fail_with(database, "the file is of a newer version of voiceprintd");
    if (!database_begin(database)) /* also when there is nothing to do: a file that is read-only
                                      shows it now */
        return false;
    for (int i = version + 1; i <= DATABASE_VERSION; i++) {
        snprintf(stamp, sizeof stamp, "PRAGMA user_version = %d", i);
        if (!execute(database, migrations[i]) || !execute(database, stamp)) {
            database_roll_back(database);
            return false;
        }
    }
    return database_commit(database);
}

/* For its owner alone, whatever the umask. */
static bool make_private(struct database *database, const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
    struct stat facts;
    const bool good =
        fd >= 0 && fstat(fd, &facts) == 0 &&
        ((facts.st_mode & (S_IRWXG | S_IRWXO)) == 0 || fchmod(fd, S_IRUSR | S_IWUSR) == 0);
    if (!good)
        snprintf(database->fault, sizeof database->fault,
                 "the file of voices cannot be opened for writing, or not kept to its owner: %m");
    if (fd >= 0)
        close(fd); /* before SQLite has it: closing lets go of all locks of the process */
    return good;
}

bool database_open(struct database *database, const char *path)
{
    enum { FLAGS = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE };
    if (!make_private(database, path))
        return false;
    database->code = SQLITE_OK;
    bool good = sqlite3_open_v2(path, &database->handle, FLAGS, NULL) == SQLITE_OK;
    if (!good)
        (void)database_fail(database);
    good = good && execute(database, set_up) && migrate(database) && database_checkpoint(database);
    if (!good)
        database_close(database);
    return good;
}

void database_close(struct database *database)
{
    sqlite3_close(database->handle); /* NULL is legal; every statement was finalized */
    database->handle = NULL;
}

bool database_begin(struct database *database)
{
    int has_moved = 0;
    (void)sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (has_moved != 0) /* what would be written now nobody would find again */
        return database_fail_with(database, "the file of voices was moved or replaced");
    return execute(database, "BEGIN IMMEDIATE");
}

bool database_commit(struct database *database)
{
    if (execute(database, "COMMIT"))
        return true;
    database_roll_back(database);
    return false;
}

void database_roll_back(struct database *database)
{
    if (sqlite3_get_autocommit(database->handle) == 0)
        (void)sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool database_checkpoint(struct database *database)
{
    return sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                     NULL) == SQLITE_OK ||
           database_fail(database);
}

bool database_is_ill(const struct database *database)
{
    return (database->code != SQLITE_FULL && database->code != SQLITE_NOMEM) ||
           sqlite3_get_autocommit(database->handle) == 0;
}
