/*
 * Any bytes as the JSON of /compare: refused with a sentence that names the member, or two unit
 * vectors of finite numbers. libFuzzer's main; `make fuzz` runs it.
 */
#include "http/json.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { DIM = 4 };

static void judge_side(const json_t *root, const char *name)
{
    float embedding[DIM];
    struct problem problem = {0};
    const json_t *side = json_object_get(root, name);
    if (!json_read_stored(side, name, "sha256:00", DIM, embedding, &problem)) {
        if (problem.kind != PROBLEM_BAD_REQUEST || problem.detail[0] == 0 || problem.field[0] == 0)
            abort();
        return;
    }
    double sum = 0;
    for (size_t i = 0; i < DIM; i++)
        sum += (double)embedding[i] * (double)embedding[i];
    if (!(fabs(sum - 1) < 1e-4))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct problem problem = {0};
    json_t *root = json_read_object(bytes, n_bytes, "body", &problem);
    if (root == NULL && (problem.kind != PROBLEM_BAD_REQUEST || problem.detail[0] == 0))
        abort();
    if (root != NULL) {
        judge_side(root, "a");
        judge_side(root, "b");
    }
    json_decref(root);
    return 0;
}
