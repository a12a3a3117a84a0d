/* A change costs the same whatever the two states: the best state before is all one need know. */
#include "cluster/viterbi.h"

#include <stdlib.h>
#include <string.h>

#include "base/argmax.h"

enum vp_status viterbi(const double *scores, const double *cost, size_t n, size_t k, size_t *labels,
                       struct vp_err *err)
{
    size_t n_cells;
    if (!size_multiply(n, k, &n_cells) || n_cells > SIZE_MAX / sizeof(uint32_t))
        return status_no_memory(err, "a trellis", SIZE_MAX);
    double *total = malloc(k * sizeof *total);
    uint32_t *from = malloc(n_cells * sizeof *from); /* [n, k], state before */
    if (total == NULL || from == NULL) {
        free(total);
        free(from);
        return status_no_memory(err, "a trellis", n_cells * sizeof *from);
    }
    memcpy(total, scores, k * sizeof *total);
    for (size_t t = 1; t < n; t++) {
        const size_t best = argmax(total, k);
        const double changed = total[best] - cost[t];
        for (size_t s = 0; s < k; s++) {
            const bool stays = total[s] >= changed;
            from[t * k + s] = (uint32_t)(stays ? s : best);
            total[s] = (stays ? total[s] : changed) + scores[t * k + s];
        }
    }
    size_t state = argmax(total, k);
    for (size_t t = n; t-- > 0;) {
        labels[t] = state;
        if (t > 0)
            state = from[t * k + state];
    }
    free(total);
    free(from);
    return VP_OK;
}
