/* The statements. Embeddings are kept as they lie in memory: float32, little-endian on every
 * processor that this runs on. */
#include "voices/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3_stmt *prepare(struct database *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        (void)database_fail(database);
    return statement;
}

/* Runs a statement that answers no rows, and ends it. NULL: it could not be prepared. */
static bool run(struct database *database, sqlite3_stmt *statement)
{
    bool good = statement != NULL;
    if (good && sqlite3_step(statement) != SQLITE_DONE)
        good = database_fail(database);
    sqlite3_finalize(statement);
    return good;
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char select_clips[] =
    "SELECT number, speech_s, embedding FROM clip WHERE voice = ?1 ORDER BY number";

static bool take_clip(struct database *database, sqlite3_stmt *row, size_t dim, struct clips *clips)
{
    const size_t n_bytes = dim * sizeof(float);
    if (clips->n == VOICE_MAX_CLIPS || (size_t)sqlite3_column_bytes(row, 2) != n_bytes)
        return database_fail_with(database, "the file of voices is damaged: a clip is none");
    clips->clip[clips->n] = (struct voice_clip){.number = (unsigned)sqlite3_column_int64(row, 0),
                                                .speech_s = sqlite3_column_double(row, 1)};
    memcpy(clips->embeddings + clips->n * dim, sqlite3_column_blob(row, 2), n_bytes);
    clips->n++;
    return true;
}

/* By a prepared select_clips, which can be used again. */
static bool read_clips(struct database *database, sqlite3_stmt *select, int64_t key, size_t dim,
                       struct clips *clips)
{
    int step = SQLITE_DONE;
    bool good = true;
    clips->n = 0;
    sqlite3_bind_int64(select, 1, key);
    while (good && (step = sqlite3_step(select)) == SQLITE_ROW)
        good = take_clip(database, select, dim, clips);
    if (good && step != SQLITE_DONE)
        good = database_fail(database);
    sqlite3_reset(select);
    return good;
}

bool rows_read_clips(struct database *database, int64_t key, size_t dim, struct clips *clips)
{
    sqlite3_stmt *select = prepare(database, select_clips);
    const bool good = select != NULL && read_clips(database, select, key, dim, clips);
    sqlite3_finalize(select);
    return good;
}

/* ---- loading -------------------------------------------------------------------------------- */

static const char select_voices[] =
    "SELECT voice.key, collection, id, digest, dim, etag, metadata, next_clip, created_s, changed_s"
    " FROM voice JOIN model ON model.key = voice.model ORDER BY collection, id";

struct loading {
    struct database *database;
    sqlite3_stmt *voices, *clips;
    double min_speech_s;
    struct voice_set *set;
    struct clips held;
    float *row;  /* owned [dim] */
    size_t room; /* of a row, in numbers */
};

static const char *column(sqlite3_stmt *row, int at)
{
    const char *text = (const char *)sqlite3_column_text(row, at);
    return text != NULL ? text : "";
}

/* Room for clips and for their mean. */
static bool make_room(struct loading *loading, size_t dim)
{
    if (dim <= loading->room)
        return true;
    free(loading->held.embeddings);
    free(loading->row);
    loading->held.embeddings = calloc(VOICE_MAX_CLIPS * dim, sizeof(float));
    loading->row = calloc(dim, sizeof(float));
    loading->room = dim;
    return loading->held.embeddings != NULL && loading->row != NULL;
}

/* The voice of a row, its clips read; NULL: the fault is set. */
static struct voice *read_voice(struct loading *loading, size_t dim)
{
    sqlite3_stmt *row = loading->voices;
    struct problem problem;
    const int64_t key = sqlite3_column_int64(row, 0);
    if (!read_clips(loading->database, loading->clips, key, dim, &loading->held))
        return NULL;
    struct voice *voice = enrol_make(column(row, 2), &loading->held, dim, loading->min_speech_s,
                                     loading->row, &problem);
    if (voice == NULL) {
        (void)database_fail_with(loading->database, "the file of voices is damaged, or memory is "
                                                    "short: a voice has no embedding");
        return NULL;
    }
    voice->key = key;
    snprintf(voice->etag, sizeof voice->etag, "%s", column(row, 5));
    voice->next_clip = (unsigned)sqlite3_column_int64(row, 7);
    voice->created_s = sqlite3_column_int64(row, 8);
    voice->changed_s = sqlite3_column_int64(row, 9);
    if (sqlite3_column_type(row, 6) == SQLITE_NULL ||
        (voice->metadata = strdup(column(row, 6))) != NULL)
        return voice;
    voice_release(voice);
    (void)database_fail_with(loading->database, "memory is short");
    return NULL;
}

static bool load_voice(struct loading *loading)
{
    enum { MOST_NUMBERS = 1 << 16 };
    sqlite3_stmt *row = loading->voices;
    const size_t dim = (size_t)sqlite3_column_int64(row, 4);
    if (!name_is_good(column(row, 1), COLLECTION_ROOM) ||
        !name_is_good(column(row, 2), VOICE_ID_ROOM) || dim < 1 || dim > MOST_NUMBERS)
        return database_fail_with(loading->database, "the file of voices is damaged: a name");
    if (!make_room(loading, dim))
        return database_fail_with(loading->database, "memory is short");
    struct voice *voice = read_voice(loading, dim);
    if (voice == NULL)
        return false;
    loading->set =
        voice_set_append(loading->set, column(row, 1), column(row, 3), dim, voice, loading->row);
    voice_release(voice);
    return loading->set != NULL || database_fail_with(loading->database, "memory is short");
}

bool rows_load(struct database *database, double min_speech_s, struct voice_set **out)
{
    struct loading loading = {.database = database,
                              .voices = prepare(database, select_voices),
                              .clips = prepare(database, select_clips),
                              .min_speech_s = min_speech_s,
                              .set = voice_set_new()};
    int step = SQLITE_DONE;
    bool good = loading.voices != NULL && loading.clips != NULL;
    if (good && loading.set == NULL)
        good = database_fail_with(database, "memory is short");
    while (good && (step = sqlite3_step(loading.voices)) == SQLITE_ROW)
        good = load_voice(&loading);
    if (good && step != SQLITE_DONE)
        good = database_fail(database);
    sqlite3_finalize(loading.voices);
    sqlite3_finalize(loading.clips);
    free(loading.held.embeddings);
    free(loading.row);
    if (!good)
        voice_set_release(loading.set);
    *out = good ? loading.set : NULL;
    return good;
}

/* ---- changing ------------------------------------------------------------------------------- */

static bool write_model(struct database *database, const char *digest, size_t dim)
{
    sqlite3_stmt *insert =
        prepare(database, "INSERT OR IGNORE INTO model (digest, dim) VALUES (?1, ?2)");
    bind_text(insert, 1, digest);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)dim);
    return run(database, insert);
}

static bool write_voice(struct database *database, const char *collection, const char *digest,
                        struct voice *voice)
{
    sqlite3_stmt *insert =
        prepare(database, "INSERT INTO voice (collection, id, model, etag, metadata, next_clip,"
                          " created_s, changed_s) SELECT ?1, ?2, key, ?4, ?5, ?6, ?7, ?8"
                          " FROM model WHERE digest = ?3");
    bind_text(insert, 1, collection);
    bind_text(insert, 2, voice->id);
    bind_text(insert, 3, digest);
    bind_text(insert, 4, voice->etag);
    bind_text(insert, 5, voice->metadata);
    sqlite3_bind_int64(insert, 6, voice->next_clip);
    sqlite3_bind_int64(insert, 7, voice->created_s);
    sqlite3_bind_int64(insert, 8, voice->changed_s);
    if (!run(database, insert))
        return false;
    voice->key = sqlite3_last_insert_rowid(database->handle);
    return true;
}

static bool write_clip(struct database *database, int64_t key, const struct voice_clip *clip,
                       const float *embedding, size_t dim)
{
    sqlite3_stmt *insert = prepare(
        database, "INSERT INTO clip (voice, number, speech_s, embedding) VALUES (?1, ?2, ?3, ?4)");
    sqlite3_bind_int64(insert, 1, key);
    sqlite3_bind_int64(insert, 2, clip->number);
    sqlite3_bind_double(insert, 3, clip->speech_s);
    sqlite3_bind_blob(insert, 4, embedding, (int)(dim * sizeof(float)), SQLITE_STATIC);
    return run(database, insert);
}

bool rows_write(struct database *database, const char *collection, const char *digest, size_t dim,
                struct voice *voice, const struct clips *clips)
{
    if (!rows_remove(database, collection, voice->id) || !write_model(database, digest, dim) ||
        !write_voice(database, collection, digest, voice))
        return false;
    for (size_t i = 0; i < clips->n; i++)
        if (!write_clip(database, voice->key, &clips->clip[i], clips->embeddings + i * dim, dim))
            return false;
    return true;
}

bool rows_remove(struct database *database, const char *collection, const char *id)
{
    sqlite3_stmt *remove = prepare(database, "DELETE FROM voice WHERE collection = ?1 AND id = ?2");
    bind_text(remove, 1, collection);
    bind_text(remove, 2, id);
    return run(database, remove);
}

bool rows_clear(struct database *database, const char *collection)
{
    sqlite3_stmt *remove = prepare(database, "DELETE FROM voice WHERE collection = ?1");
    bind_text(remove, 1, collection);
    return run(database, remove);
}
