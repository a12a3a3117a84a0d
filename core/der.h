/*
 * Diarization scored: RTTM files read, and the diarization error rate (DER) of one against another.
 *
 * The definitions are those of NIST's md-eval and of pyannote.metrics, and the numbers are theirs.
 * Everything here is plain computing on memory: any thread.
 */
#ifndef VP_DER_H
#define VP_DER_H

#include "voiceprint.h"

/* Somebody speaks from start_s to end_s > start_s. */
struct vp_rttm_turn {
    double start_s, end_s;
    size_t speaker; /* index into the names of the recording */
};

/* The turns of one recording, by speaker, then by start. A speaker may overlap himself. */
struct vp_rttm_recording {
    const char *name;           /* of the recording, as the file spells it */
    struct vp_rttm_turn *turns; /* [n_turns] */
    size_t n_turns;
    const char **speakers; /* [n_speakers], sorted by bytes */
    size_t n_speakers;
};

/* A file's recordings, sorted by name. */
struct vp_rttm {
    struct vp_rttm_recording *recordings; /* [n_recordings], and what they point to */
    size_t n_recordings;
    char *text; /* behind the names */
};

/*
 * Reads RTTM: lines of 9 or 10 fields, of which SPEAKER lines count and the other known types are
 * passed over. UTF-8 with or without a byte order mark, any line ends, blanks or tabs between the
 * fields; names are bytes. The channel is not looked at. Lines that last 0 s are passed over. No
 * line at all is no speech, and no error. VP_ERR_ARGUMENT names line and field.
 * Borrows bytes for the call; *out is freed with vp_rttm_free, and empty after an error.
 */
enum vp_status vp_rttm_read(const void *bytes, size_t n_bytes, struct vp_rttm *out,
                            struct vp_err *err) VP_MUST_CHECK;

/* The same for UEM, lines of 4 fields: recording, channel, start and end of what is scored. The
 * turns are those stretches, with one speaker, "". */
enum vp_status vp_uem_read(const void *bytes, size_t n_bytes, struct vp_rttm *out,
                           struct vp_err *err) VP_MUST_CHECK;
void vp_rttm_free(struct vp_rttm *rttm); /* NULL and an empty one are legal */

/* The recording of that name, borrowed from rttm; NULL when there is none. */
const struct vp_rttm_recording *vp_rttm_find(const struct vp_rttm *rttm, const char *name);

struct vp_der_options {
    double collar_s; /* left out on EACH side of every boundary of the reference, as md-eval counts;
                        pyannote.metrics states the sum of both sides */
    bool skip_overlap; /* leave out where the reference has several turns at once */
};

/* Seconds of speech, each speaker of an instant counted. DER = the three parts over total_s. */
struct vp_der {
    double total_s;       /* speech in the reference */
    double miss_s;        /* speech of the reference beyond the hypothesis' number of voices */
    double false_alarm_s; /* the other way about */
    double confusion_s;   /* in both, by another speaker */
    size_t n_speakers_reference; /* with any scored speech */
    size_t n_speakers_hypothesis;
};

/*
 * Scores the turns of one recording; `uem` limits what is scored, NULL scores everything. Speakers
 * are mapped one to one, so that as much speech as possible is right. NULL for reference or
 * hypothesis is nobody speaking. Over several recordings, sum the seconds. VP_ERR_ARGUMENT: more
 * than 1000 speakers on one side, or a collar that is not 0 to 1e7.
 */
enum vp_status vp_der_score(const struct vp_rttm_recording *reference,
                            const struct vp_rttm_recording *hypothesis,
                            const struct vp_rttm_recording *uem,
                            const struct vp_der_options *options, struct vp_der *out,
                            struct vp_err *err) VP_MUST_CHECK;

/* The rate, 0 and up, 1 is 100 %: without speech in the reference 0 when nothing is wrong, else 1.
 */
double vp_der_rate(const struct vp_der *der);

#endif
