/*
 * A safetensors file taken apart, for tests that spoil it: header as JSON, data as bytes.
 */
#ifndef VP_DRAFT_SAFETENSORS_H
#define VP_DRAFT_SAFETENSORS_H

#include <jansson.h>
#include <stddef.h>

struct draft_safetensors {
    json_t *header;      /* owned */
    unsigned char *data; /* owned, [n_data] */
    size_t n_data;
};

/* tests/golden/models/NAME.safetensors; aborts without it. Close with draft_safetensors_close. */
void draft_safetensors_open(struct draft_safetensors *draft, const char *name);
void draft_safetensors_close(struct draft_safetensors *draft);

/* A tensor's entry in the header, and its first value. Abort when there is none. */
json_t *draft_safetensors_entry(struct draft_safetensors *draft, const char *tensor);
float *draft_safetensors_values(struct draft_safetensors *draft, const char *tensor);

/* Sets one pair of the metadata. */
void draft_safetensors_metadata(struct draft_safetensors *draft, const char *key,
                                const char *value);

/* n_bytes more at the end of the data, zeroed. */
void draft_safetensors_grow(struct draft_safetensors *draft, size_t n_bytes);

/* The file's bytes [*n_bytes]. Returns owned (free). */
unsigned char *draft_safetensors_write(const struct draft_safetensors *draft, size_t *n_bytes);

/* A whole file as bytes; aborts without it. Returns owned (free). */
unsigned char *draft_read_file(const char *path, size_t *n_bytes);

#endif
