/*
 * What can be said of a recording before it is embedded: level, offset, speech, bandwidth.
 * A pure function of 16 kHz samples; any thread.
 */
#ifndef VP_QUALITY_H
#define VP_QUALITY_H

#include <stddef.h>

#define QUALITY_FLOOR_DBFS (-120.0) /* stands for silence: a level is always a finite number */

struct quality {
    double offset;       /* mean, full scale 1.0 */
    double rms_dbfs;     /* around that mean: a constant is silence */
    double speech_s;     /* time clearly above the noise floor */
    double high_band_db; /* power above 4 kHz against the whole */
};

/* samples [n], finite, 16 kHz mono. */
void quality_measure(const float *samples, size_t n, struct quality *out);

/* Amplitude, full scale 1.0, in dB; QUALITY_FLOOR_DBFS and no less for silence. */
double quality_dbfs(double amplitude);

#endif
