/*
 * Bytes from outside, read with the bounds in hand: the parsers of audio headers stand on this.
 * What lies beyond the end reads as 0 or as "does not match", never as memory.
 */
#ifndef VP_BYTES_H
#define VP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const unsigned char *at; /* borrowed */
    size_t n;
};

static inline bool bytes_have(struct bytes b, size_t offset, size_t n)
{
    return offset <= b.n && n <= b.n - offset;
}

/* What lies from offset on, n bytes at most; empty when offset is beyond the end. */
static inline struct bytes bytes_from(struct bytes b, size_t offset, uint64_t n)
{
    if (offset >= b.n)
        return (struct bytes){NULL, 0};
    const size_t rest = b.n - offset;
    return (struct bytes){b.at + offset, n < rest ? (size_t)n : rest};
}

/* Does text (without its final zero) stand at offset? */
static inline bool bytes_match(struct bytes b, size_t offset, const char *text)
{
    const size_t n = strlen(text);
    return bytes_have(b, offset, n) && memcmp(b.at + offset, text, n) == 0;
}

/* An unsigned number of n <= 8 bytes at offset. */
static inline uint64_t bytes_little(struct bytes b, size_t offset, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n && bytes_have(b, offset, n); i++)
        value |= (uint64_t)b.at[offset + i] << 8 * i;
    return value;
}

static inline uint64_t bytes_big(struct bytes b, size_t offset, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n && bytes_have(b, offset, n); i++)
        value = value << 8 | b.at[offset + i];
    return value;
}

#endif
