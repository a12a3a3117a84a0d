/* Whose upload has to end. */
#include "request/patience.h"

#include "request/answer.h"
#include "util/clock.h"
#include "util/thread.h"

#include <sys/socket.h>

/* Before this a pace says nothing: TCP may still be in slow start, or waiting for its first
 * retransmission (RFC 6298: 1 s). */
static const double recent_s = 2.0;
/* A train in a tunnel: so long an upload may stand still when nobody else needs its memory. */
static const double lasting_s = 10.0;
/* Uploads that end for one other: a millisecond's work. */
enum { MOST_AT_ONCE = 32 };
/* Until the client has read what it was told. */
static const double farewell_s = 2.0;

static void measure(struct connection *at, uint64_t now_ns)
{
    const uint64_t n_bytes = at->upload->counted_bytes;
    pace_note(&at->recent, recent_s, now_ns, n_bytes);
    pace_note(&at->lasting, lasting_s, now_ns, n_bytes);
}

static bool is_too_slow(const struct connection *at, double least_bytes_per_s)
{
    return at->lasting.is_known && at->lasting.bytes_per_s < least_bytes_per_s;
}

/* Will what it holds memory for not be there in `seconds`, at its recent pace? */
static bool is_far_from_whole(const struct connection *at, double seconds)
{
    const struct body *body = at->upload;
    const double left = (double)body->reserved_bytes - (double)body->counted_bytes;
    return at->recent.is_known &&
           (at->recent.bytes_per_s <= 0 || left > seconds * at->recent.bytes_per_s);
}

/* Its memory is free at once; what still comes is thrown away for a moment, lest a reset take the
 * answer away from the client. */
static void send_off(struct connection *at, uint64_t now_ns)
{
    struct request *request = at->request;
    struct metrics *metrics = &request->service->metrics;
    const struct problem_rule *rule = problem_rule(request->problem.kind);
    answer_on_socket(request);
    shutdown(at->fd, SHUT_WR);
    request->status = rule->status;
    body_refuse(&request->body);
    if (rule->retry)
        metrics->rejected[request->problem.kind]++;
    at->deadline_ns = now_ns + clock_from_seconds(farewell_s);
}

static bool is_uploading(const struct connection *at)
{
    return at->phase == CONNECTION_REQUEST && !at->cut && at->upload != NULL &&
           at->request->state == REQUEST_READING && at->request->status == 0;
}

/* Of the uploads that hold memory of budget: does this one end, so that n_bytes are there for
 * other? */
static bool gives_way(const struct connection *at, const struct budget *budget,
                      const struct holder *other, size_t n_bytes)
{
    return is_uploading(at) && at->upload->budget == budget && at->upload->reserved_bytes > 0 &&
           holder_gives_way(&at->upload->holder, other, budget->share, n_bytes);
}

/* Chooses the latest first, as if what it holds were given back already: nobody is chosen who is
 * within his share then. Returns what of budget would be left. */
static size_t choose(struct service *service, const struct budget *budget,
                     const struct holder *other, size_t n_bytes)
{
    size_t n_left = budget_left(budget), n_chosen = 0;
    for (struct connection *at = service->connections.first;
         at != NULL && n_left < n_bytes && n_chosen < MOST_AT_ONCE; at = at->next) {
        if (!gives_way(at, budget, other, n_bytes))
            continue;
        at->is_chosen = true;
        holder_give(&at->upload->holder, budget->share, at->upload->reserved_bytes);
        n_left += at->upload->reserved_bytes;
        n_chosen++;
    }
    return n_left;
}

void patience_make_room(struct budget *budget, const struct holder *other, size_t n_bytes)
{
    ON_LOOP();
    struct service *service = budget->owner;
    const uint64_t now_ns = clock_now_ns();
    const bool is_enough = choose(service, budget, other, n_bytes) >= n_bytes;
    for (struct connection *at = service->connections.first; at != NULL; at = at->next) {
        if (!at->is_chosen)
            continue;
        at->is_chosen = false;
        holder_take(&at->upload->holder, budget->share, at->upload->reserved_bytes);
        if (!is_enough) /* it would end for nothing */
            continue;
        problem_set_share(&at->request->problem, "the memory for uploads");
        send_off(at, now_ns);
    }
}

void patience_tick(struct service *service, uint64_t now_ns)
{
    ON_LOOP();
    const struct config *config = service->config;
    for (struct connection *at = service->connections.first; at != NULL; at = at->next) {
        if (!is_uploading(at))
            continue;
        measure(at, now_ns);
        struct problem *problem = &at->request->problem;
        const struct budget *budget = at->upload->budget;
        if (is_too_slow(at, (double)config->min_body_rate_bytes_per_s))
            problem_set(problem, PROBLEM_UPLOAD_TOO_SLOW,
                        "less than %zu bytes a second came for %g s",
                        config->min_body_rate_bytes_per_s, lasting_s);
        else if (budget != NULL && budget->was_short && at->upload->reserved_bytes > 0 &&
                 is_far_from_whole(at, config->request_timeout_s))
            problem_set(problem, PROBLEM_OVERLOADED_MEMORY,
                        "others need the memory that this upload holds, and it is too slow to be "
                        "waited for; try again");
        else
            continue;
        send_off(at, now_ns);
        service->metrics.deadlines_missed++;
    }
    service->uploads.was_short = service->conversations.was_short = false;
}
