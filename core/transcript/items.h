/* A transcript in memory: its source, and the words and segments in it that get a speaker. */
#ifndef VP_ITEMS_H
#define VP_ITEMS_H

#include <jansson.h>

#include "transcript.h"

#define LONGEST_S     1e7 /* 115 days: beyond is no recording */
#define NO_SPEAKER    (-1)
#define NO_PARENT     SIZE_MAX
#define MOST_SPEAKERS 100u /* labels have two digits */
#define LABEL_CHARS   16u

struct item {
    double start_s, end_s; /* end_s >= start_s */
    bool has_times;
    size_t parent; /* of a word without times: index of its segment */
    int speaker;   /* or NO_SPEAKER */
    /* What is said; borrowed from the source. NULL: no part of the text */
    const char *said;
    size_t n_said;
    json_t *object; /* forms of JSON: gets the member; borrowed from the root */
    /* Forms of lines: bytes [from, to) of the source become before, label, after. */
    size_t from, to;
    const char *before, *after; /* static */
};

struct vp_transcript {
    enum vp_transcript_form form;
    char *source; /* owned: bytes [n_source] without byte order mark, then 0 */
    size_t n_source;
    json_t *root;       /* owned; NULL for forms of lines */
    struct item *items; /* owned [n_items] */
    size_t n_items, room;
    bool is_spaced; /* what is said brings its own blanks */
};

/* A new item behind the last, zeroed but for speaker, parent and has_times (true). The pointer
 * holds until the next call; NULL without memory. */
struct item *items_add(struct vp_transcript *transcript);

/* Is the time a legal one? start_s 0..LONGEST_S, end_s from start_s. NaN is not. */
bool items_are_times(double start_s, double end_s);

/* "SPEAKER_00" for 0. */
void items_label(int speaker, char label[LABEL_CHARS]);

/* Each reads its form from transcript->source into items. VP_ERR_ARGUMENT, VP_ERR_NO_MEMORY. */
enum vp_status json_forms_read(struct vp_transcript *transcript, struct vp_err *err) VP_MUST_CHECK;
enum vp_status webvtt_read(struct vp_transcript *transcript, struct vp_err *err) VP_MUST_CHECK;
enum vp_status srt_read(struct vp_transcript *transcript, struct vp_err *err) VP_MUST_CHECK;
enum vp_status ctm_read(struct vp_transcript *transcript, struct vp_err *err) VP_MUST_CHECK;

#endif
