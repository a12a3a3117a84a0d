/* A word to whoever may have gone. */
#include "http/presence.h"

#include "http/tap.h"
#include "util/clock.h"
#include "util/thread.h"

#include <poll.h>

static const double first_pause_s = 1.0;

static short events_of(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0 ? look.revents : 0;
}

/* Reset, or closed on both sides. */
static bool is_lost(short events)
{
    return (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

static bool is_due(struct presence *presence, uint64_t now_ns)
{
    if (now_ns < presence->due_ns)
        return false;
    presence->pause_ns =
        presence->pause_ns > 0 ? 2 * presence->pause_ns : clock_from_seconds(first_pause_s);
    presence->due_ns = now_ns + presence->pause_ns;
    return true;
}

bool presence_is_lost(struct presence *presence, int fd, struct ndjson *stream)
{
    ON_LOOP();
    const short events = events_of(fd);
    if (is_lost(events) || (events & POLLRDHUP) == 0 || !is_due(presence, clock_now_ns()))
        return is_lost(events);
    if (ndjson_has_begun(stream))
        ndjson_repeat(stream);
    else
        tap_send_ahead(fd);
    return is_lost(events_of(fd)); /* the reset of a client on this machine is here already */
}
