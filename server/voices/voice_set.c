/* Galleries by collection and model. */
#include "voices/voice_set.h"

#include <stdlib.h>
#include <string.h>

static struct voice_set *new_set(size_t n_room)
{
    struct voice_set *set = calloc(1, sizeof *set + n_room * sizeof set->galleries[0]);
    if (set == NULL)
        return NULL;
    atomic_init(&set->n_references, 1);
    set->n_room = n_room;
    return set;
}

struct voice_set *voice_set_new(void)
{
    return new_set(0);
}

struct voice_set *voice_set_hold(struct voice_set *set)
{
    atomic_fetch_add_explicit(&set->n_references, 1, memory_order_relaxed);
    return set;
}

void voice_set_release(struct voice_set *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->n_references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->n_galleries; i++)
        gallery_release(set->galleries[i]);
    free(set);
}

static int order(const struct gallery *gallery, const char *collection, const char *digest)
{
    const int by_collection = strcmp(gallery->collection, collection);
    return by_collection != 0 ? by_collection : strcmp(gallery->digest, digest);
}

/* How many galleries come before that one; with digest "" before the collection's first. */
static size_t place_of(const struct voice_set *set, const char *collection, const char *digest)
{
    size_t low = 0, high = set->n_galleries;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (order(set->galleries[middle], collection, digest) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The end of the collection's galleries, which begin at `first`. */
static size_t end_of(const struct voice_set *set, const char *collection, size_t first)
{
    while (first < set->n_galleries && strcmp(set->galleries[first]->collection, collection) == 0)
        first++;
    return first;
}

static bool is_at(const struct voice_set *set, size_t at, const char *collection,
                  const char *digest)
{
    return at < set->n_galleries && order(set->galleries[at], collection, digest) == 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

/* The same set with room for one gallery more, for its maker to change. */
static struct voice_set *copy_set(const struct voice_set *from)
{
    struct voice_set *set = new_set(from->n_galleries + 1);
    if (set == NULL)
        return NULL;
    for (size_t i = 0; i < from->n_galleries; i++)
        set->galleries[i] = gallery_hold(from->galleries[i]);
    set->n_galleries = from->n_galleries;
    set->n_voices = from->n_voices;
    return set;
}

static void drop(struct voice_set *set, size_t at)
{
    set->n_voices -= set->galleries[at]->n_voices;
    gallery_release(set->galleries[at]);
    set->n_galleries--;
    memmove(set->galleries + at, set->galleries + at + 1,
            (set->n_galleries - at) * sizeof set->galleries[0]);
}

/* Takes gallery; NULL: memory was short. */
static bool replace(struct voice_set *set, size_t at, struct gallery *gallery)
{
    if (gallery == NULL)
        return false;
    set->n_voices += gallery->n_voices;
    set->n_voices -= set->galleries[at]->n_voices;
    gallery_release(set->galleries[at]);
    set->galleries[at] = gallery;
    if (gallery->n_voices == 0)
        drop(set, at);
    return true;
}

/* Takes gallery; NULL: memory was short. */
static bool insert(struct voice_set *set, size_t at, struct gallery *gallery)
{
    if (gallery == NULL)
        return false;
    memmove(set->galleries + at + 1, set->galleries + at,
            (set->n_galleries - at) * sizeof set->galleries[0]);
    set->galleries[at] = gallery;
    set->n_galleries++;
    set->n_voices += gallery->n_voices;
    return true;
}

/* Takes the voice out of all galleries of the collection but the one of that digest. */
static bool remove_elsewhere(struct voice_set *set, const char *collection, const char *digest,
                             const char *id)
{
    struct place place;
    for (size_t at = place_of(set, collection, "");
         at < set->n_galleries && strcmp(set->galleries[at]->collection, collection) == 0; at++)
        if (strcmp(set->galleries[at]->digest, digest) != 0 &&
            gallery_find(set->galleries[at], id, &place))
            return replace(set, at, gallery_without(set->galleries[at], id));
    return true;
}

static bool put(struct voice_set *set, const char *collection, const char *digest, size_t dim,
                struct voice *voice, const float *row)
{
    const size_t at = place_of(set, collection, digest);
    if (is_at(set, at, collection, digest))
        return replace(set, at, gallery_with(set->galleries[at], voice, row));
    struct gallery *gallery = gallery_new(collection, digest, dim);
    return gallery != NULL && insert(set, at, gallery_append(gallery, voice, row));
}

/* The set if it is good; else it is released, and memory was short. */
static struct voice_set *finish(struct voice_set *set, bool is_good)
{
    if (is_good)
        return set;
    voice_set_release(set);
    return NULL;
}

struct voice_set *voice_set_with(const struct voice_set *from, const char *collection,
                                 const char *digest, size_t dim, struct voice *voice,
                                 const float *row)
{
    struct voice_set *set = copy_set(from);
    return finish(set, set != NULL && remove_elsewhere(set, collection, digest, voice->id) &&
                           put(set, collection, digest, dim, voice, row));
}

struct voice_set *voice_set_without(const struct voice_set *from, const char *collection,
                                    const char *id)
{
    struct voice_set *set = copy_set(from);
    return finish(set, set != NULL && remove_elsewhere(set, collection, "", id));
}

struct voice_set *voice_set_without_collection(const struct voice_set *from, const char *collection)
{
    struct voice_set *set = copy_set(from);
    if (set == NULL)
        return NULL;
    const size_t first = place_of(set, collection, "");
    while (end_of(set, collection, first) > first)
        drop(set, first);
    return set;
}

/* Takes set and returns one with room for a gallery more; NULL: memory was short, and it is gone.
 */
static struct voice_set *with_room(struct voice_set *set)
{
    const size_t n_room = 2 * set->n_galleries + 1;
    if (set->n_galleries < set->n_room)
        return set;
    struct voice_set *longer = realloc(set, sizeof *set + n_room * sizeof set->galleries[0]);
    if (longer == NULL)
        return finish(set, false);
    longer->n_room = n_room;
    return longer;
}

struct voice_set *voice_set_append(struct voice_set *set, const char *collection,
                                   const char *digest, size_t dim, struct voice *voice,
                                   const float *row)
{
    const size_t at = place_of(set, collection, digest);
    if (!is_at(set, at, collection, digest)) {
        struct gallery *gallery = gallery_new(collection, digest, dim);
        set = with_room(set);
        if (set == NULL || !insert(set, at, gallery)) {
            if (set == NULL)
                gallery_release(gallery);
            return finish(set, false);
        }
    }
    struct gallery *longer = gallery_append(set->galleries[at], voice, row);
    if (longer == NULL) {
        set->n_galleries = at; /* those behind it are lost: memory is short at the start */
        return finish(set, false);
    }
    set->galleries[at] = longer;
    set->n_voices++;
    return set;
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct gallery *voice_set_gallery(const struct voice_set *set, const char *collection,
                                        const char *digest)
{
    const size_t at = place_of(set, collection, digest);
    return is_at(set, at, collection, digest) ? set->galleries[at] : NULL;
}

bool voice_set_find(const struct voice_set *set, const char *collection, const char *id,
                    struct place *place)
{
    const size_t first = place_of(set, collection, ""), end = end_of(set, collection, first);
    for (size_t i = first; i < end; i++)
        if (gallery_find(set->galleries[i], id, place))
            return true;
    return false;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *first = a, *second = b;
    return strcmp(first->voice->id, second->voice->id);
}

size_t voice_set_page(const struct voice_set *set, const char *collection, const char *after,
                      struct place *places, size_t n_places)
{
    const size_t first = place_of(set, collection, ""), end = end_of(set, collection, first);
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
        n += gallery_page(set->galleries[i], after, places + n, n_places);
        if (i > first)
            qsort(places, n, sizeof *places, compare_places);
        if (n > n_places)
            n = n_places;
    }
    return n;
}

size_t voice_set_count(const struct voice_set *set, const char *collection)
{
    const size_t first = place_of(set, collection, ""), end = end_of(set, collection, first);
    size_t n = 0;
    for (size_t i = first; i < end; i++)
        n += set->galleries[i]->n_voices;
    return n;
}
