/*
 * One side of recordings or embeddings, as the body of a request about known voices brings them:
 * the body itself, the parts `file` of a form, or JSON. Both are readers of a job's body. [any]
 */
#ifndef VP_VOICE_UPLOAD_H
#define VP_VOICE_UPLOAD_H

#include "work/job.h"

/* For JOB_ENROL: recordings, or {"embeddings": [..], "speech_s", "metadata"}; the part or member
 * `metadata` goes to job->change. */
job_reader voice_upload_enrolment;
/* For JOB_PROBE: recordings, or one stored embedding. */
job_reader voice_upload_probe;

#endif
