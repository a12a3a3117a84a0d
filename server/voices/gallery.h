/*
 * The voices of one collection that were made with one model, in the order of their ids, each with
 * its mean embedding. Immutable and counted. They lie in blocks of up to 256 that successive
 * galleries share: a change copies the block it falls into and the list of blocks, whatever the
 * number of voices, and whoever reads the gallery before goes on reading it.
 */
#ifndef VP_GALLERY_H
#define VP_GALLERY_H

#include "voices/voice.h"

enum { BLOCK_VOICES = 256 };

struct block {
    atomic_size_t n_references;
    size_t n;
    struct voice *voices[BLOCK_VOICES]; /* references [n], by id */
    float rows[];                       /* [BLOCK_VOICES, dim], normalised */
};

struct gallery {
    atomic_size_t n_references;
    char collection[COLLECTION_ROOM];
    char digest[DIGEST_ROOM]; /* of the model */
    size_t dim;
    size_t n_voices, n_blocks;
    struct block *blocks[]; /* references; none of them is empty */
};

/* A voice in its gallery, both borrowed from it. */
struct place {
    const struct gallery *gallery;
    struct voice *voice;
    const float *row; /* [dim] */
};

/* Each that makes one returns it with one reference, NULL when memory is short. [any] */
struct gallery *gallery_new(const char *collection, const char *digest, size_t dim);
/* With that voice, in place of the one of the same id; row [dim] is copied. */
struct gallery *gallery_with(const struct gallery *gallery, struct voice *voice, const float *row);
/* Without the voice of that id, which is there. */
struct gallery *gallery_without(const struct gallery *gallery, const char *id);
/* For loading: puts a voice behind all others into a gallery that nobody else has seen. Takes
 * gallery and returns it, perhaps elsewhere; NULL: memory is short, and it is gone. */
struct gallery *gallery_append(struct gallery *gallery, struct voice *voice, const float *row);
struct gallery *gallery_hold(struct gallery *gallery);
void gallery_release(struct gallery *gallery); /* takes a reference; NULL is legal */

/* False: there is none of that id. */
bool gallery_find(const struct gallery *gallery, const char *id, struct place *place);
/* The first voices whose ids come after `after` ("" for the very first), up to n_places of them.
 * Returns how many. */
size_t gallery_page(const struct gallery *gallery, const char *after, struct place *places,
                    size_t n_places);
/* The cosines of probe [dim], normalised, with the voices of a block: scores [block->n]. */
void gallery_scores(const struct gallery *gallery, const struct block *block, const float *probe,
                    float scores[BLOCK_VOICES]);

#endif
