/* Each kind of change, from what is there to what will be. */
#include "voices/edit.h"

#include "voices/identify.h"
#include "voices/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool no_memory(struct edit *edit)
{
    problem_set_no_memory(&edit->change->problem);
    return false;
}

static bool not_found(struct edit *edit, const char *what)
{
    problem_set(&edit->change->problem, PROBLEM_NOT_FOUND, "there is no such %s", what);
    return false;
}

static bool fail(struct edit *edit, enum problem_kind kind, const char *sentence)
{
    problem_set(&edit->change->problem, kind, "%s", sentence);
    return false;
}

static void make_etag(char etag[ETAG_ROOM])
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        bits ^= (uint64_t)time(NULL); /* 8 bytes are never cut short */
    snprintf(etag, ETAG_ROOM, "%016llx", (unsigned long long)bits);
}

/* ---- clips ---------------------------------------------------------------------------------- */

static bool begin_clips(struct edit *edit, const char *digest, size_t dim)
{
    snprintf(edit->digest, sizeof edit->digest, "%s", digest);
    edit->dim = dim;
    edit->clips.n = 0;
    edit->clips.embeddings = calloc(VOICE_MAX_CLIPS * dim, sizeof(float));
    edit->row = calloc(dim, sizeof(float));
    return (edit->clips.embeddings != NULL && edit->row != NULL) || no_memory(edit);
}

/* Those of the change, numbered from `number` on. */
static bool add_clips(struct edit *edit, unsigned number)
{
    const struct change *change = edit->change;
    struct clips *clips = &edit->clips;
    if (change->n_clips > VOICE_MAX_CLIPS - clips->n)
        return fail(edit, PROBLEM_VOICES_FULL,
                    "a voice has at most 64 clips: remove some, or enrol it anew");
    memcpy(clips->embeddings + clips->n * edit->dim, change->embeddings,
           change->n_clips * edit->dim * sizeof(float));
    for (size_t i = 0; i < change->n_clips; i++)
        clips->clip[clips->n++] = (struct voice_clip){number++, change->speech_s[i]};
    return true;
}

static bool remove_clip(struct edit *edit, unsigned number)
{
    struct clips *clips = &edit->clips;
    size_t at = 0;
    while (at < clips->n && clips->clip[at].number != number)
        at++;
    if (at == clips->n)
        return not_found(edit, "clip");
    if (clips->n == 1)
        return fail(edit, PROBLEM_VOICE_UNUSABLE,
                    "this is the voice's only clip: delete the voice instead");
    clips->n--;
    memmove(clips->clip + at, clips->clip + at + 1, (clips->n - at) * sizeof clips->clip[0]);
    memmove(clips->embeddings + at * edit->dim, clips->embeddings + (at + 1) * edit->dim,
            (clips->n - at) * edit->dim * sizeof(float));
    return true;
}

/* ---- what becomes of it --------------------------------------------------------------------- */

/* Another voice of the same collection and model that may be the same person. */
static void find_similar(struct edit *edit)
{
    struct change *change = edit->change;
    struct candidate nearest;
    if (change->likeness.has_threshold &&
        identify_nearest(voice_set_gallery(edit->set, change->collection, edit->digest), edit->row,
                         change->id, &nearest) &&
        nearest.score >= change->likeness.threshold)
        snprintf(change->similar, sizeof change->similar, "%s", nearest.voice->id);
}

/* The voice of the clips as they are now; old: what it was, NULL for nothing. */
static bool make_voice(struct edit *edit, const struct voice *old, unsigned next_clip,
                       const char *metadata)
{
    struct change *change = edit->change;
    struct voice *voice = enrol_make(change->id, &edit->clips, edit->dim, edit->min_speech_s,
                                     edit->row, &change->problem);
    edit->voice = voice;
    if (voice == NULL)
        return false;
    voice->changed_s = time(NULL);
    voice->created_s = old != NULL ? old->created_s : voice->changed_s;
    voice->next_clip = next_clip;
    make_etag(voice->etag);
    if (metadata != NULL && (voice->metadata = strdup(metadata)) == NULL)
        return no_memory(edit);
    find_similar(edit);
    edit->next =
        voice_set_with(edit->set, change->collection, edit->digest, edit->dim, voice, edit->row);
    return edit->next != NULL || no_memory(edit);
}

static bool judge_clips(struct edit *edit, size_t first)
{
    const struct likeness *likeness = &edit->change->likeness;
    return !likeness->has_agreement ||
           enrol_judge(&edit->clips, edit->dim, first, likeness->agreement, &edit->change->problem);
}

static bool plan_replace(struct edit *edit)
{
    struct change *change = edit->change;
    struct place place = {.voice = NULL};
    (void)voice_set_find(edit->set, change->collection, change->id, &place);
    if (!change_is_allowed(change, place.voice != NULL ? place.voice->etag : NULL))
        return false;
    if (place.voice == NULL && edit->set->n_voices >= edit->max_voices)
        return fail(edit, PROBLEM_VOICES_FULL,
                    "as many voices are known as voices_max allows: delete some");
    change->was_created = place.voice == NULL;
    edit->forgets = place.voice != NULL;
    return begin_clips(edit, change->digest, change->dim) && add_clips(edit, 0) &&
           judge_clips(edit, 0) &&
           make_voice(edit, place.voice, (unsigned)edit->clips.n, change->metadata);
}

/* The voice with the clips it has; a change of its own model's or of none. */
static bool begin_existing(struct edit *edit, struct place *place)
{
    struct change *change = edit->change;
    if (!voice_set_find(edit->set, change->collection, change->id, place))
        return not_found(edit, "voice");
    return change_is_allowed(change, place->voice->etag);
}

static bool read_existing(struct edit *edit, const struct place *place)
{
    const struct gallery *gallery = place->gallery;
    return begin_clips(edit, gallery->digest, gallery->dim) &&
           rows_read_clips(edit->database, place->voice->key, gallery->dim, &edit->clips);
}

static bool plan_add(struct edit *edit)
{
    struct change *change = edit->change;
    struct place place;
    if (!begin_existing(edit, &place))
        return false;
    if (strcmp(place.gallery->digest, change->digest) != 0)
        return fail(edit, PROBLEM_VOICE_UNUSABLE,
                    "the voice was enrolled with another model than the one loaded: enrol it "
                    "anew (PUT)");
    if (!read_existing(edit, &place))
        return false;
    const struct voice *old = place.voice;
    const size_t n_before = edit->clips.n;
    const unsigned next_clip = old->next_clip + (unsigned)change->n_clips;
    return add_clips(edit, old->next_clip) && judge_clips(edit, n_before) &&
           make_voice(edit, old, next_clip,
                      change->metadata != NULL ? change->metadata : old->metadata);
}

static bool plan_remove_clip(struct edit *edit)
{
    struct place place;
    edit->forgets = true;
    return begin_existing(edit, &place) && read_existing(edit, &place) &&
           remove_clip(edit, edit->change->clip) &&
           make_voice(edit, place.voice, place.voice->next_clip, place.voice->metadata);
}

static bool plan_remove(struct edit *edit)
{
    struct change *change = edit->change;
    struct place place;
    if (!begin_existing(edit, &place))
        return false;
    edit->forgets = true;
    change->n_removed = 1;
    edit->next = voice_set_without(edit->set, change->collection, change->id);
    return edit->next != NULL || no_memory(edit);
}

static bool plan_clear(struct edit *edit)
{
    struct change *change = edit->change;
    edit->forgets = true;
    change->n_removed = voice_set_count(edit->set, change->collection);
    edit->next = voice_set_without_collection(edit->set, change->collection);
    return edit->next != NULL || no_memory(edit);
}

bool edit_plan(struct edit *edit)
{
    switch (edit->change->kind) {
    case CHANGE_REPLACE:
        return plan_replace(edit);
    case CHANGE_ADD:
        return plan_add(edit);
    case CHANGE_REMOVE_CLIP:
        return plan_remove_clip(edit);
    case CHANGE_REMOVE:
        return plan_remove(edit);
    case CHANGE_CLEAR:
        return plan_clear(edit);
    }
    return false;
}

bool edit_write(struct edit *edit)
{
    const struct change *change = edit->change;
    if (edit->voice != NULL)
        return rows_write(edit->database, change->collection, edit->digest, edit->dim, edit->voice,
                          &edit->clips);
    if (change->kind == CHANGE_CLEAR)
        return rows_clear(edit->database, change->collection);
    return rows_remove(edit->database, change->collection, change->id);
}

void edit_close(struct edit *edit)
{
    free(edit->clips.embeddings);
    free(edit->row);
    voice_release(edit->voice);
    voice_set_release(edit->next);
}
