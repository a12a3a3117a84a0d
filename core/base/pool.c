/* Allocations that die together. */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void *pool_alloc(struct pool *pool, size_t n, size_t n_bytes)
{
    void **pieces = array_room(pool->pieces, &pool->capacity, pool->n_pieces + 1, sizeof *pieces);
    if (pieces == NULL)
        return NULL;
    pool->pieces = pieces;
    void *piece = calloc(n > 0 ? n : 1, n_bytes);
    if (piece != NULL)
        pool->pieces[pool->n_pieces++] = piece;
    return piece;
}

char *pool_text(struct pool *pool, const char *text, size_t n_chars)
{
    char *copy = pool_alloc(pool, n_chars + 1, 1);
    if (copy != NULL && n_chars > 0)
        memcpy(copy, text, n_chars);
    return copy;
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->n_pieces; i++)
        free(pool->pieces[i]);
    free(pool->pieces);
    *pool = (struct pool){0};
}
