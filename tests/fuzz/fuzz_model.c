/*
 * Any bytes as a model file: refused with a sentence, or a network that net_check passes; never a
 * crash, a leak or a read beyond the bytes. libFuzzer's main; `make fuzz` runs it.
 */
#include "loader/net_load.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct net *net = NULL;
    struct vp_err err = {0};
    const char *format = NULL;
    enum vp_status status = net_load_bytes(bytes, n_bytes, &net, &format, &err);
    bool refused = status != VP_OK && net == NULL && err.message[0] != '\0';
    bool accepted = status == VP_OK && net != NULL && net_check(net, &err) == VP_OK;
    if (!refused && !accepted) {
        fprintf(stderr, "%s: %s\n", vp_status_name(status), err.message);
        abort();
    }
    net_free(net);
    return 0;
}
