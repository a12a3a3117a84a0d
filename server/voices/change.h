/*
 * What is to be changed about known voices, and what came of it. Whoever makes a change owns it and
 * does not look at it while the store has it.
 */
#ifndef VP_CHANGE_H
#define VP_CHANGE_H

#include "http/problem.h"
#include "voices/voice.h"

enum change_kind {
    CHANGE_REPLACE = 0, /* enrol a voice, whether there is one of that id or not */
    CHANGE_ADD,         /* clips to a voice */
    CHANGE_REMOVE_CLIP,
    CHANGE_REMOVE, /* a voice */
    CHANGE_CLEAR   /* all voices of a collection */
};

enum { MATCH_ROOM = 256 }; /* of a list of tags in a header */

/* By whose measure clips belong together, or two voices are one. */
struct likeness {
    bool has_agreement, has_threshold;
    double agreement; /* cosine: a clip below it to all others of its voice is refused */
    double threshold; /* cosine: two voices at or above it may be one person */
};

struct change {
    struct change *next; /* the store's */
    void *owner;         /* whose it is; the store never looks into it */
    enum change_kind kind;
    char collection[COLLECTION_ROOM], id[VOICE_ID_ROOM];
    unsigned clip;                                        /* CHANGE_REMOVE_CLIP */
    char if_match[MATCH_ROOM], if_none_match[MATCH_ROOM]; /* "": not asked */

    /* New clips, of CHANGE_REPLACE and CHANGE_ADD. */
    char digest[DIGEST_ROOM]; /* of the model they were embedded with */
    size_t dim, n_clips;
    const float *embeddings; /* borrowed [n_clips, dim], normalised */
    double speech_s[VOICE_MAX_CLIPS];
    char *metadata; /* owned, JSON; NULL: CHANGE_ADD keeps what there is */
    struct likeness likeness;

    /* Set by anybody at any time; read by the store just before it commits. Borrowed. */
    const atomic_bool *is_cancelled;

    /* What came of it. */
    struct problem problem; /* PROBLEM_NONE: it is on disk */
    struct voice *voice;    /* as it is now, a reference; NULL when it is gone */
    bool was_created;
    char similar[VOICE_ID_ROOM]; /* another voice that may be the same person; "": none */
    size_t n_removed;            /* voices */
    double seconds;              /* in the store's thread */
};

void change_close(struct change *change); /* [any] frees what it owns; legal on a zeroed one */
/* Do the tags asked for allow a change of a voice with that tag, NULL: of none? Fills
 * change->problem when not. [any] */
bool change_is_allowed(struct change *change, const char *etag) VP_MUST_CHECK;

#endif
