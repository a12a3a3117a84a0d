/*
 * One known voice as everybody reads it: immutable, counted, shared by every snapshot that it is
 * in. The embeddings of its clips stay on disk; their mean is a row of the voice's gallery.
 */
#ifndef VP_VOICE_H
#define VP_VOICE_H

#include "util/name.h"
#include "voiceprint.h"

#include <stdatomic.h>

enum {
    VOICE_ID_ROOM = 129,  /* of an id, with its end */
    DIGEST_ROOM = 72,     /* of a model's digest, as struct vp_model_info has it */
    ETAG_ROOM = 17,       /* 64 random bits in hex */
    VOICE_MAX_CLIPS = 64, /* of one voice */
    METADATA_MAX_BYTES = 2048
};

struct voice_clip {
    unsigned number; /* never given to another clip of the voice */
    double speech_s;
};

struct voice {
    atomic_size_t n_references;
    int64_t key;                  /* the row it is stored in */
    unsigned next_clip;           /* the number of the clip that is added next */
    char etag[ETAG_ROOM];         /* another one after each change */
    int64_t created_s, changed_s; /* since the epoch */
    double coherence;             /* mean cosine between its clips; 1 for one */
    double speech_s;              /* of all clips */
    bool enrolled;                /* they are enough of it to be matched */
    size_t n_clips;
    struct voice_clip *clips; /* owned [n_clips], by number */
    char *metadata;           /* owned, JSON; NULL: none */
    char id[];
};

/* Zeroed but for id, with room for n_clips; one reference. NULL: memory is short. [any], as all. */
struct voice *voice_new(const char *id, size_t n_clips);
struct voice *voice_hold(struct voice *voice);
void voice_release(struct voice *voice); /* takes a reference; NULL is legal */

#endif
