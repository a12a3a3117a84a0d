/* What a request leaves behind: its counts in the metrics and its line in the log. */
#ifndef VP_ACCOUNT_H
#define VP_ACCOUNT_H

#include "request/request.h"

void account_job(struct request *request);           /* [loop] its job is back */
void account_request(const struct request *request); /* [loop] it is over */

#endif
