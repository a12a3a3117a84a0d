/*
 * Memory that the service and one decoder see: samples come back in it, a recording's bytes go
 * there. It has pages where somebody wrote, and cannot change its size, so that neither side can
 * pull it away from under the other.
 */
#ifndef VP_SHARED_H
#define VP_SHARED_H

#include <stdbool.h>
#include <stddef.h>

struct shared_size {
    size_t n_samples, n_bytes; /* room for them */
};

struct shared {
    struct shared_size size;
    float *samples;       /* [size.n_samples] */
    unsigned char *bytes; /* [size.n_bytes]; NULL: left to the other side */
};

/* A memfd of that size, which the caller closes; -1: memory or descriptors are short. [any] */
int shared_create(struct shared_size size);
/* False: there is no address space for it. [any] */
bool shared_map(struct shared *shared, int fd, struct shared_size size);
void shared_unmap(struct shared *shared); /* [any] */
/* The bytes are the other side's alone from now on. [any] */
void shared_leave_bytes(struct shared *shared);
/* Nothing of the first n_bytes, and of the samples, is needed any more: clears it, so that the next
 * client's decoder finds nothing of it, and gives back what a large recording took. [any] */
void shared_forget(struct shared *shared, size_t n_bytes, size_t n_samples);

#endif
