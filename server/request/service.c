/* The state of the service, as answers tell it. */
#include "request/service.h"

#include "util/clock.h"

#include <math.h>

enum { FIRST_RETRY_S = 1, LAST_RETRY_S = 30, NOT_SERVING_RETRY_S = 5 };

bool service_is_ready(const struct service *service)
{
    return service->engine != NULL && !service->engine_is_ill;
}

bool service_is_stuck(const struct service *service)
{
    uint64_t longest_ns = workers_longest_ns(service->workers, clock_now_ns());
    return longest_ns > clock_from_seconds(service->config->watchdog_s);
}

const char *service_state(const struct service *service)
{
    if (service_is_stuck(service))
        return "stuck";
    if (service->drain != DRAIN_NOT)
        return "draining";
    return service_is_ready(service) ? "ready" : "loading";
}

unsigned service_retry_after_s(const struct service *service)
{
    if (!service_is_ready(service) || service->drain != DRAIN_NOT)
        return NOT_SERVING_RETRY_S;
    return (unsigned)fmin(fmax(ceil(queue_wait_s(&service->queue)), FIRST_RETRY_S), LAST_RETRY_S);
}
