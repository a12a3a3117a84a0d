/*
 * A fuzz target without libFuzzer: runs it once on each file named, so that seeds and kept crashes
 * are part of `make test`, under every sanitizer. Reports in TAP, as the unit tests do; a file that
 * crashes the target is the one after the last that is `ok`.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static uint8_t *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    const long size = ftell(file);
    rewind(file);
    *n_bytes = size > 0 ? (size_t)size : 0;
    /* Of the exact size, so that AddressSanitizer sees a read beyond the end. */
    uint8_t *bytes = malloc(*n_bytes > 0 ? *n_bytes : 1);
    if (bytes != NULL && fread(bytes, 1, *n_bytes, file) != *n_bytes) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    printf("1..%d\n", argc - 1);
    int n_failed = 0;
    for (int i = 1; i < argc; i++) {
        size_t n_bytes = 0;
        uint8_t *bytes = read_file(argv[i], &n_bytes);
        const bool held = bytes != NULL && LLVMFuzzerTestOneInput(bytes, n_bytes) == 0;
        printf("%s %d - %s\n", held ? "ok" : "not ok", i, argv[i]);
        fflush(stdout);
        n_failed += !held;
        free(bytes);
    }
    return n_failed > 0;
}
