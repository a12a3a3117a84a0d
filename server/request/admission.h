/*
 * What is decided before, and right after, a body is read: known path, method, key, expectation,
 * options, rights of the key, readiness, drain, length, overload, memory. Each fills
 * request->problem or leaves it.
 */
#ifndef VP_ADMISSION_H
#define VP_ADMISSION_H

#include "request/request.h"

void admission_judge(struct request *request);      /* [loop] from the headers */
void admission_open_body(struct request *request);  /* [loop] of a POST, with its on_head */
void admission_judge_body(struct request *request); /* [loop] when the body is whole */

#endif
