/* What vp_model holds. Inside the library only: scratch, clip and self-test look in here. */
#ifndef VP_MODEL_H
#define VP_MODEL_H

#include "features/fbank.h"
#include "network/network.h"

struct vp_model {
    struct vp_model_info info;
    struct fbank_plan *fbank;        /* owned, shared by all scratches */
    struct fbank_plan *speech_fbank; /* owned: the speech detector's, where it is another */
    struct network *network;         /* owned, shared by all scratches */
    float *self_test;                /* owned, [dim], unit norm; NULL when the file brings none */
    char *name;                      /* owned, behind info.name */
    char *license, *origin;          /* owned, behind those of info; or NULL */
    bool has_diarize_threshold;
    double diarize_threshold; /* see vp_diarize_options */
};

#endif
