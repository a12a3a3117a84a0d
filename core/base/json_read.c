/* What fails is counted for each thread by itself. */
#include "json_read.h"

#include <stdlib.h>

static _Thread_local size_t n_failed;

static void *allocate(size_t n)
{
    void *memory = malloc(n);
    n_failed += memory == NULL;
    return memory;
}

/* Before any thread, and any value that another allocator made. */
__attribute__((constructor)) static void count_failures(void)
{
    json_set_alloc_funcs(allocate, free);
}

enum vp_status vp_json_read(const char *text, size_t n_bytes, json_t **root, json_error_t *where)
{
    const size_t n_before = n_failed;
    *root = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, where);
    if (n_failed == n_before)
        return *root != NULL ? VP_OK : VP_ERR_ARGUMENT;
    json_decref(*root);
    *root = NULL;
    return VP_ERR_NO_MEMORY;
}
