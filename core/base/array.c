/* Growth by half: few moves of a long array, and no more than a third of it unused. */
#include "base/array.h"

#include <stdlib.h>

#include "base/size.h"

#define LEAST 64u /* elements: short arrays are not moved again and again */

void *array_room(void *array, size_t *capacity, size_t n, size_t element_bytes)
{
    if (n <= *capacity)
        return array;
    size_t larger, n_bytes;
    if (!size_add(*capacity, *capacity / 2 + LEAST, &larger))
        return NULL;
    if (larger < n)
        larger = n;
    if (!size_multiply(larger, element_bytes, &n_bytes))
        return NULL;
    void *grown = realloc(array, n_bytes);
    if (grown != NULL)
        *capacity = larger;
    return grown;
}
