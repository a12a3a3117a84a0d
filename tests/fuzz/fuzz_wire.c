/*
 * Any bytes as what a client sends: the strict reader says the same of them however they are cut
 * into pieces, never goes on behind a fault, and takes no head with a NUL, a bare LF or a bare CR.
 * libFuzzer's main; `make fuzz` runs it.
 */
#include "http/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* The head that begins at `bytes`, and is taken, has every line end as it should be. */
static void judge_head(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == 0 || (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r')) ||
            (bytes[i] == '\r' && (i + 1 == n || bytes[i + 1] != '\n')))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct wire whole = {0}, pieces = {0};
    size_t n_good = wire_read(&whole, bytes, n_bytes), n_in_pieces = 0, begun = 0;
    if ((n_good == n_bytes) != (whole.fault == NULL))
        abort();
    for (size_t i = 0; i < n_bytes; i++) {
        const uint64_t n_heads = pieces.n_heads;
        if (pieces.state == WIRE_START)
            begun = i;
        n_in_pieces += wire_read(&pieces, bytes + i, 1);
        if (pieces.n_heads > n_heads)
            judge_head(bytes + begun, i + 1 - begun);
    }
    if (n_in_pieces != n_good || whole.fault != pieces.fault || whole.state != pieces.state ||
        whole.n_heads != pieces.n_heads || whole.n_bodies != pieces.n_bodies ||
        whole.fault_at != pieces.fault_at || whole.fault_is_in_body != pieces.fault_is_in_body)
        abort();
    if (whole.n_bodies > whole.n_heads || whole.n_heads > whole.n_bodies + 1)
        abort();
    if (whole.fault != NULL && wire_read(&whole, "GET / HTTP/1.1\r\n\r\n", 18) != 0)
        abort();
    return 0;
}
