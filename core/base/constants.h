/* The sample rate and pi, which many rooms need. */
#ifndef VP_CONSTANTS_H
#define VP_CONSTANTS_H

#define SAMPLE_RATE_HZ 16000u /* of all audio behind the decoder, and of every network here */
#define PI             3.14159265358979323846

#endif
