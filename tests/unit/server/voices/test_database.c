/* The file of voices: what a full disk, a file that is read-only and a newer version do to it. */
#include "unit.h"

#include "voices/rows.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 64 };
static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-database-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/voices.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Writes a voice of eight clips within a transaction. */
static bool write_one(struct database *database, const char *id)
{
    static float embeddings[VOICE_MAX_CLIPS * DIM];
    struct clips clips = {.n = 8, .embeddings = embeddings};
    struct voice *voice = voice_new(id, clips.n);
    for (size_t i = 0; i < clips.n; i++) {
        clips.clip[i] = (struct voice_clip){(unsigned)i, 2.0};
        embeddings[i * DIM] = 1;
    }
    bool good = database_begin(database);
    if (good && !rows_write(database, "default", "sha256:a", DIM, voice, &clips)) {
        database_roll_back(database);
        good = false;
    }
    good = good && database_commit(database);
    voice_release(voice);
    return good;
}

static size_t count(struct database *database)
{
    struct voice_set *set = NULL;
    assert_true(rows_load(database, 3, &set));
    const size_t n = set->n_voices;
    voice_set_release(set);
    return n;
}

static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    struct database database = {.handle = NULL};
    char id[16];
    size_t n = 0;
    assert_true(database_open(&database, path));
    assert_int_equal(sqlite3_exec(database.handle, "PRAGMA max_page_count = 24", NULL, NULL, NULL),
                     SQLITE_OK);
    do
        snprintf(id, sizeof id, "v%zu", n);
    while (write_one(&database, id) && n++ < 1000);
    assert_in_range(n, 2, 999);
    assert_false(database_is_ill(&database));
    assert_string_not_equal(database.fault, "");
    assert_int_equal(count(&database), n);
    assert_int_equal(
        sqlite3_exec(database.handle, "PRAGMA max_page_count = 1000", NULL, NULL, NULL), SQLITE_OK);
    assert_true(write_one(&database, id));
    assert_int_equal(count(&database), n + 1);
    database_close(&database);
}

/* As for a client that leaves before the commit: SQLite undoes what failed by itself, and not this.
 */
static void what_is_rolled_back_was_never_there(void **state)
{
    (void)state;
    struct database database = {.handle = NULL};
    assert_true(database_open(&database, path));
    assert_true(write_one(&database, "a"));
    assert_true(database_begin(&database));
    assert_int_equal(sqlite3_exec(database.handle, "DELETE FROM voice", NULL, NULL, NULL),
                     SQLITE_OK);
    database_roll_back(&database);
    assert_true(write_one(&database, "b"));
    assert_int_equal(count(&database), 2);
    database_close(&database);
}

static void a_file_that_may_not_be_written_is_not_taken(void **state)
{
    (void)state;
    struct database database = {.handle = NULL};
    assert_true(database_open(&database, path));
    database_close(&database);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    const bool is_root = geteuid() == 0; /* whom no mode holds up */
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    assert_false(database_open(&database, path));
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_non_null(strstr(database.fault, "cannot be opened for writing"));
    assert_int_equal(chmod(folder, 0755), 0);
}

static void the_file_is_its_owners(void **state)
{
    (void)state;
    struct database database = {.handle = NULL};
    struct stat facts;
    umask(0);
    assert_int_equal(close(creat(path, 0666)), 0);
    assert_true(database_open(&database, path));
    assert_true(write_one(&database, "a"));
    char log[112];
    snprintf(log, sizeof log, "%s-wal", path);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(stat(log, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    database_close(&database);
}

static void nobody_else_opens_it(void **state)
{
    (void)state;
    struct database first = {.handle = NULL}, second = {.handle = NULL};
    assert_true(database_open(&first, path));
    /* Within one process the lock of the first would not hold up the file's own descriptor. */
    const pid_t child = fork();
    if (child == 0)
        _exit(database_open(&second, path) ? 1 : 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(write_one(&first, "a"));
    database_close(&first);
}

static void a_newer_version_is_left_alone(void **state)
{
    (void)state;
    struct database database = {.handle = NULL};
    assert_true(database_open(&database, path));
    assert_int_equal(sqlite3_exec(database.handle, "PRAGMA user_version = 2", NULL, NULL, NULL),
                     SQLITE_OK);
    database_close(&database);
    assert_false(database_open(&database, path));
    assert_non_null(strstr(database.fault, "newer version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_rolled_back_was_never_there, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_may_not_be_written_is_not_taken, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_file_is_its_owners, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(nobody_else_opens_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_newer_version_is_left_alone, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
