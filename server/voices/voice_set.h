/*
 * All known voices at one moment: an immutable, counted list of galleries, ordered by collection
 * and model. A voice is in one gallery only. A change makes another set, which shares all galleries
 * but the one it touches.
 */
#ifndef VP_VOICE_SET_H
#define VP_VOICE_SET_H

#include "voices/gallery.h"

struct voice_set {
    atomic_size_t n_references;
    size_t n_voices, n_galleries, n_room;
    struct gallery *galleries[]; /* references [n_galleries], none of them empty */
};

/* Each that makes one returns it with one reference, NULL when memory is short. [any] */
struct voice_set *voice_set_new(void);
/* With that voice, in place of the one of the same id in the collection, whatever its model. */
struct voice_set *voice_set_with(const struct voice_set *set, const char *collection,
                                 const char *digest, size_t dim, struct voice *voice,
                                 const float *row);
/* Without the voice of that id, if it is there. */
struct voice_set *voice_set_without(const struct voice_set *set, const char *collection,
                                    const char *id);
struct voice_set *voice_set_without_collection(const struct voice_set *set, const char *collection);
/* For loading, in the order of ids, into a set that nobody else has seen. Takes set and returns it,
 * perhaps elsewhere; NULL: memory is short, and it is gone. */
struct voice_set *voice_set_append(struct voice_set *set, const char *collection,
                                   const char *digest, size_t dim, struct voice *voice,
                                   const float *row);
struct voice_set *voice_set_hold(struct voice_set *set);
void voice_set_release(struct voice_set *set); /* takes a reference; NULL is legal */

/* The collection's voices of that model; NULL: none. Borrowed. [any], as all that follow */
const struct gallery *voice_set_gallery(const struct voice_set *set, const char *collection,
                                        const char *digest);
bool voice_set_find(const struct voice_set *set, const char *collection, const char *id,
                    struct place *place);
/* The collection's next voices after `after`, by id, whatever their models: up to n_places, and
 * places has room for twice as many. Returns how many. */
size_t voice_set_page(const struct voice_set *set, const char *collection, const char *after,
                      struct place *places, size_t n_places);
size_t voice_set_count(const struct voice_set *set, const char *collection);

#endif
