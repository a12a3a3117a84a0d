/* Sines, cosines, and bins in the order in which decimation in frequency leaves them. */
#include "features/rfft.h"

#include <math.h>

#include "base/constants.h"

void rfft_plan_init(struct rfft_plan *plan)
{
    for (size_t k = 0; k < RFFT_N; k++) {
        const double angle = -2.0 * PI * (double)k / RFFT_N;
        plan->twiddle[k] = (struct rfft_bin){cos(angle), sin(angle)};
    }
    for (size_t k = 0; k < RFFT_N / 2; k++)
        plan->order[k] = (uint8_t)((k & 3) << 6 | (k >> 2 & 3) << 4 | (k >> 4 & 3) << 2 | k >> 6);
}
