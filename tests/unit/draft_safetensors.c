/* A safetensors file taken apart. */
#include "draft_safetensors.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *pointer, const char *what)
{
    if (pointer == NULL) {
        fprintf(stderr, "draft_safetensors: no %s\n", what);
        abort();
    }
    return pointer;
}

unsigned char *draft_read_file(const char *path, size_t *n_bytes)
{
    FILE *file = check(fopen(path, "rb"), path);
    size_t capacity = (size_t)64 << 20;
    unsigned char *bytes = check(malloc(capacity), "memory");
    *n_bytes = fread(bytes, 1, capacity, file);
    fclose(file);
    return check(realloc(bytes, *n_bytes + 1), "memory");
}

void draft_safetensors_open(struct draft_safetensors *draft, const char *name)
{
    char path[256];
    size_t n_bytes;
    uint64_t n_header;
    snprintf(path, sizeof path, "tests/golden/models/%s.safetensors", name);
    unsigned char *bytes = draft_read_file(path, &n_bytes);
    memcpy(&n_header, bytes, sizeof n_header);
    draft->header =
        check(json_loadb((const char *)bytes + 8, (size_t)n_header, 0, NULL), "JSON header");
    draft->n_data = n_bytes - 8 - (size_t)n_header;
    draft->data = check(malloc(draft->n_data), "memory");
    memcpy(draft->data, bytes + 8 + n_header, draft->n_data);
    free(bytes);
}

void draft_safetensors_close(struct draft_safetensors *draft)
{
    json_decref(draft->header);
    free(draft->data);
    *draft = (struct draft_safetensors){0};
}

json_t *draft_safetensors_entry(struct draft_safetensors *draft, const char *tensor)
{
    return check(json_object_get(draft->header, tensor), tensor);
}

float *draft_safetensors_values(struct draft_safetensors *draft, const char *tensor)
{
    const json_t *offsets = json_object_get(draft_safetensors_entry(draft, tensor), "data_offsets");
    size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
    return (float *)(void *)(draft->data + begin);
}

void draft_safetensors_metadata(struct draft_safetensors *draft, const char *key, const char *value)
{
    json_t *metadata = check(json_object_get(draft->header, "__metadata__"), "__metadata__");
    json_object_set_new(metadata, key, json_string(value));
}

void draft_safetensors_grow(struct draft_safetensors *draft, size_t n_bytes)
{
    draft->data = check(realloc(draft->data, draft->n_data + n_bytes), "memory");
    memset(draft->data + draft->n_data, 0, n_bytes);
    draft->n_data += n_bytes;
}

unsigned char *draft_safetensors_write(const struct draft_safetensors *draft, size_t *n_bytes)
{
    char *header = check(json_dumps(draft->header, JSON_COMPACT), "memory");
    uint64_t n_header = strlen(header);
    *n_bytes = 8 + (size_t)n_header + draft->n_data;
    unsigned char *bytes = check(malloc(*n_bytes), "memory");
    memcpy(bytes, &n_header, 8);
    memcpy(bytes + 8, header, (size_t)n_header);
    memcpy(bytes + 8 + n_header, draft->data, draft->n_data);
    free(header);
    return bytes;
}
