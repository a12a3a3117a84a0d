/* Voices in shared blocks. */
#include "voices/gallery.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- blocks --------------------------------------------------------------------------------- */

static struct block *block_hold(struct block *block)
{
    atomic_fetch_add_explicit(&block->n_references, 1, memory_order_relaxed);
    return block;
}

static void block_release(struct block *block)
{
    if (block == NULL ||
        atomic_fetch_sub_explicit(&block->n_references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < block->n; i++)
        voice_release(block->voices[i]);
    free(block);
}

static struct block *block_new(size_t dim)
{
    struct block *block = malloc(sizeof *block + BLOCK_VOICES * dim * sizeof(float));
    if (block == NULL)
        return NULL;
    atomic_init(&block->n_references, 1);
    block->n = 0;
    return block;
}

/* The voices [first, first + n) of a block, in one of their own. */
static struct block *block_copy(const struct block *from, size_t dim, size_t first, size_t n)
{
    struct block *block = block_new(dim);
    if (block == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        block->voices[i] = voice_hold(from->voices[first + i]);
    memcpy(block->rows, from->rows + first * dim, n * dim * sizeof(float));
    block->n = n;
    return block;
}

/* Into a block that nobody else has, which has room. */
static void block_insert(struct block *block, size_t dim, size_t at, struct voice *voice,
                         const float *row)
{
    memmove(block->voices + at + 1, block->voices + at, (block->n - at) * sizeof *block->voices);
    memmove(block->rows + (at + 1) * dim, block->rows + at * dim,
            (block->n - at) * dim * sizeof(float));
    block->voices[at] = voice_hold(voice);
    memcpy(block->rows + at * dim, row, dim * sizeof(float));
    block->n++;
}

static void block_remove(struct block *block, size_t dim, size_t at)
{
    voice_release(block->voices[at]);
    block->n--;
    memmove(block->voices + at, block->voices + at + 1, (block->n - at) * sizeof *block->voices);
    memmove(block->rows + at * dim, block->rows + (at + 1) * dim,
            (block->n - at) * dim * sizeof(float));
}

/* How many of its voices come before id. */
static size_t block_before(const struct block *block, const char *id)
{
    size_t low = 0, high = block->n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (strcmp(block->voices[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool block_has(const struct block *block, size_t at, const char *id)
{
    return at < block->n && strcmp(block->voices[at]->id, id) == 0;
}

/* ---- galleries ------------------------------------------------------------------------------ */

static struct gallery *new_gallery(const char *collection, const char *digest, size_t dim,
                                   size_t n_blocks)
{
    struct gallery *gallery = calloc(1, sizeof *gallery + n_blocks * sizeof gallery->blocks[0]);
    if (gallery == NULL)
        return NULL;
    atomic_init(&gallery->n_references, 1);
    snprintf(gallery->collection, sizeof gallery->collection, "%s", collection);
    snprintf(gallery->digest, sizeof gallery->digest, "%s", digest);
    gallery->dim = dim;
    return gallery;
}

struct gallery *gallery_new(const char *collection, const char *digest, size_t dim)
{
    return new_gallery(collection, digest, dim, 0);
}

struct gallery *gallery_hold(struct gallery *gallery)
{
    atomic_fetch_add_explicit(&gallery->n_references, 1, memory_order_relaxed);
    return gallery;
}

void gallery_release(struct gallery *gallery)
{
    if (gallery == NULL ||
        atomic_fetch_sub_explicit(&gallery->n_references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < gallery->n_blocks; i++)
        block_release(gallery->blocks[i]);
    free(gallery);
}

/* The block that id is in, or would be put into; 0 where there is none. */
static size_t block_of(const struct gallery *gallery, const char *id)
{
    size_t low = 0, high = gallery->n_blocks;
    while (low < high) { /* how many blocks begin at or before id */
        const size_t middle = (low + high) / 2;
        if (strcmp(gallery->blocks[middle]->voices[0]->id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

/* The gallery with `n` blocks in place of the one at `at`, or as the first where there was none.
 * Takes the blocks; a NULL among them is a shortage of memory. */
static struct gallery *splice(const struct gallery *from, size_t at, struct block *const *blocks,
                              size_t n)
{
    const size_t n_gone = from->n_blocks > 0 ? 1 : 0;
    struct gallery *gallery = NULL;
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good = good && blocks[i] != NULL;
    if (good)
        gallery = new_gallery(from->collection, from->digest, from->dim, from->n_blocks + n);
    if (gallery == NULL) {
        for (size_t i = 0; i < n; i++)
            block_release(blocks[i]);
        return NULL;
    }
    for (size_t i = 0; i < at; i++)
        gallery->blocks[gallery->n_blocks++] = block_hold(from->blocks[i]);
    for (size_t i = 0; i < n; i++)
        gallery->blocks[gallery->n_blocks++] = blocks[i];
    for (size_t i = at + n_gone; i < from->n_blocks; i++)
        gallery->blocks[gallery->n_blocks++] = block_hold(from->blocks[i]);
    for (size_t i = 0; i < gallery->n_blocks; i++)
        gallery->n_voices += gallery->blocks[i]->n;
    return gallery;
}

/* A full block becomes two, and the voice goes into one of them. */
static struct gallery *split_with(const struct gallery *gallery, size_t b, size_t at,
                                  struct voice *voice, const float *row)
{
    enum { HALF = BLOCK_VOICES / 2 };
    const size_t dim = gallery->dim;
    struct block *halves[2] = {block_copy(gallery->blocks[b], dim, 0, HALF),
                               block_copy(gallery->blocks[b], dim, HALF, BLOCK_VOICES - HALF)};
    if (halves[0] != NULL && halves[1] != NULL)
        block_insert(halves[at > HALF], dim, at > HALF ? at - HALF : at, voice, row);
    return splice(gallery, b, halves, 2);
}

struct gallery *gallery_with(const struct gallery *gallery, struct voice *voice, const float *row)
{
    const size_t dim = gallery->dim, b = block_of(gallery, voice->id);
    const struct block *old = gallery->n_blocks > 0 ? gallery->blocks[b] : NULL;
    const size_t at = old != NULL ? block_before(old, voice->id) : 0;
    const bool replaces = old != NULL && block_has(old, at, voice->id);
    if (old != NULL && old->n == BLOCK_VOICES && !replaces)
        return split_with(gallery, b, at, voice, row);
    struct block *block = old != NULL ? block_copy(old, dim, 0, old->n) : block_new(dim);
    if (block != NULL && replaces)
        block_remove(block, dim, at);
    if (block != NULL)
        block_insert(block, dim, at, voice, row);
    return splice(gallery, b, &block, 1);
}

struct gallery *gallery_without(const struct gallery *gallery, const char *id)
{
    const size_t b = block_of(gallery, id);
    const struct block *old = gallery->blocks[b];
    if (old->n == 1)
        return splice(gallery, b, NULL, 0);
    struct block *block = block_copy(old, gallery->dim, 0, old->n);
    if (block != NULL)
        block_remove(block, gallery->dim, block_before(block, id));
    return splice(gallery, b, &block, 1);
}

struct gallery *gallery_append(struct gallery *gallery, struct voice *voice, const float *row)
{
    struct block *last = gallery->n_blocks > 0 ? gallery->blocks[gallery->n_blocks - 1] : NULL;
    if (last == NULL || last->n == BLOCK_VOICES) {
        struct gallery *longer =
            realloc(gallery, sizeof *gallery + (gallery->n_blocks + 1) * sizeof gallery->blocks[0]);
        if (longer != NULL)
            gallery = longer;
        last = longer != NULL ? block_new(gallery->dim) : NULL;
        if (last == NULL) {
            gallery_release(gallery);
            return NULL;
        }
        gallery->blocks[gallery->n_blocks++] = last;
    }
    block_insert(last, gallery->dim, last->n, voice, row);
    gallery->n_voices++;
    return gallery;
}

bool gallery_find(const struct gallery *gallery, const char *id, struct place *place)
{
    if (gallery->n_blocks == 0)
        return false;
    const struct block *block = gallery->blocks[block_of(gallery, id)];
    const size_t at = block_before(block, id);
    if (!block_has(block, at, id))
        return false;
    *place = (struct place){gallery, block->voices[at], block->rows + at * gallery->dim};
    return true;
}

size_t gallery_page(const struct gallery *gallery, const char *after, struct place *places,
                    size_t n_places)
{
    size_t n = 0;
    for (size_t b = block_of(gallery, after); b < gallery->n_blocks && n < n_places; b++) {
        const struct block *block = gallery->blocks[b];
        size_t at = block_before(block, after);
        at += block_has(block, at, after) ? 1 : 0;
        for (; at < block->n && n < n_places; at++)
            places[n++] =
                (struct place){gallery, block->voices[at], block->rows + at * gallery->dim};
    }
    return n;
}

void gallery_scores(const struct gallery *gallery, const struct block *block, const float *probe,
                    float scores[BLOCK_VOICES])
{
    const int dim = (int)gallery->dim;
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)block->n, dim, 1.0F, block->rows, dim, probe, 1,
                0.0F, scores, 1);
}
