/* Sizes from outside are multiplied and added here and nowhere else: no result wraps around. Pure;
 * any thread. */
#ifndef VP_SIZE_H
#define VP_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* *out = a * b, or false when the product does not fit. */
static inline bool size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* *out = a + b, or false when the sum does not fit. */
static inline bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* *out = the product of factors [n], 1 when n is 0. False when it does not fit. */
static inline bool size_product(const size_t *factors, size_t n, size_t *out)
{
    size_t product = 1;
    for (size_t i = 0; i < n; i++)
        if (!size_multiply(product, factors[i], &product))
            return false;
    *out = product;
    return true;
}

#endif
