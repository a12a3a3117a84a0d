/*
 * What the service and a decoder say to each other: one message of fixed size each way, over a
 * socket that keeps their borders. Bytes and samples lie in memory that both see (shared.h). The
 * service believes nothing of what it reads here.
 */
#ifndef VP_MESSAGE_H
#define VP_MESSAGE_H

#include "decoder.h"

#include <sys/types.h>

enum request_kind { REQUEST_CLIP, REQUEST_OPEN, REQUEST_READ };

struct request_message {
    enum request_kind kind;
    size_t n_bytes; /* of the recording that lies in the shared memory */
    bool accept_damage;
    unsigned channel; /* REQUEST_CLIP, as the next */
    struct vp_limits limits;
    struct vp_stream_options stream; /* REQUEST_OPEN */
};

enum reply_kind {
    REPLY_READY,  /* the decoder's, once it is sealed */
    REPLY_ANSWER, /* the decoder's */
    REPLY_ENDED,  /* the zygote's, on the same socket: the decoder is no more */
    REPLY_NO_FORK /* the same: there was none */
};

struct reply_message {
    enum reply_kind kind;
    double cpu_s;          /* that the decoder has used since its start */
    int wait_status;       /* REPLY_ENDED: as wait() has it */
    int error;             /* REPLY_NO_FORK: errno */
    enum vp_status status; /* REPLY_ANSWER: what the function gave, and err when not VP_OK */
    bool wanted_too_much;  /* beside VP_ERR_NO_MEMORY: it had used up its ration */
    struct vp_err err;
    size_t n_samples;
    struct vp_clip_info clip; /* REQUEST_CLIP */
    unsigned n_channels;      /* REQUEST_OPEN */
    struct vp_block block;    /* REQUEST_READ */
};

#endif
