/* What a request leaves behind: its counts in the metrics and its line in the log. */
#ifndef VP_ACCOUNT_H
#define VP_ACCOUNT_H

#include "request/request.h"

void account_job(struct request *request); /* [loop] its job is back, whom it identified too */
/* [loop] known voices were changed by job, or it was tried; its request may be gone */
void account_change(struct service *service, const struct job *job);
void account_request(const struct request *request); /* [loop] it is over */

#endif
