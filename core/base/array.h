/* Arrays that grow: the one place that says by how much, and that no size wraps around. Any thread
 * that owns the array. */
#ifndef VP_ARRAY_H
#define VP_ARRAY_H

#include <stddef.h>

/*
 * Room for n elements (at least 1) of element_bytes each in array [*capacity], which is owned by
 * the caller and may be NULL with capacity 0. Returns array itself where it is large enough;
 * otherwise the same elements in a new place, with *capacity raised by half or more. NULL without
 * memory or when the size does not fit: array and *capacity stay as they were.
 *
 *     struct turn *list = array_room(turns->list, &turns->capacity, turns->n + 1, sizeof *list);
 *     if (list == NULL)
 *         return status_no_memory(...);
 *     turns->list = list;
 */
void *array_room(void *array, size_t *capacity, size_t n, size_t element_bytes);

#endif
