/* Mean log energy against its recent minimum. */
#include "diarize/loudness.h"

#include <math.h>

#define RISE_PER_FRAME 0.004F /* nats: a floor that lifts is followed within seconds */
#define ABOVE_FLOOR    1.6F   /* nats, mean over the mel bins */
#define FAINTEST       3.0F   /* nats: about -70 dBFS */
#define HELD_FRAMES    25u

void loudness_push(struct loudness *loudness, const float *features, size_t n, size_t n_mels,
                   unsigned char *speech)
{
    for (size_t t = 0; t < n; t++) {
        float level = 0.0F;
        for (size_t m = 0; m < n_mels; m++)
            level += features[t * n_mels + m];
        level /= (float)n_mels;
        const float risen = loudness->floor + RISE_PER_FRAME;
        loudness->floor = loudness->n_frames++ == 0 ? level : fminf(level, risen);
        if (level > loudness->floor + ABOVE_FLOOR && level > FAINTEST)
            loudness->n_held = HELD_FRAMES;
        speech[t] = loudness->n_held > 0;
        loudness->n_held -= loudness->n_held > 0;
    }
}
