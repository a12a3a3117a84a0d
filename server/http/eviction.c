/* Those go first whose address has more than its share, and among them, as among all others, those
 * that cost somebody least. What has come in whole and is read is never cut. */
#include "http/eviction.h"

#include "util/clock.h"
#include "util/thread.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* libmicrohttpd closes what was cut in one turn of the loop, in some 20 us each. */
enum { MOST_A_TICK = 128 };

enum reason {
    UNHEARD,   /* never said anything */
    UNREAD,    /* does not read its answer */
    KEPT,      /* between two requests */
    SILENT,    /* like UNHEARD, but it has had less time */
    UPLOADING, /* slowly */
    N_REASONS
};

/* Connections younger than this are not cut, because their request may be on the way: 0.25 s is a
 * round trip to the far side of the globe. A new one gets two, the second for a client that loses
 * its first packet to a full buffer on the way. */
static const double silent_s = 0.25;
static const double unheard_s = 0.5;
/* Before this an upload's pace says nothing, see patience.c. */
static const double uploading_s = 2.0;
/* A slow reader's kernel opens the window anew only when a good part of its buffer is free: 128
 * KiB, what Linux begins with, are that half full after 3 s at 20 KiB/s. */
static const double unread_s = 3.0;

/* Has nothing of an answer that waits in the socket been taken for a while? */
static bool is_unread(struct connection *at, uint64_t now_ns)
{
    int waiting = 0;
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (ioctl(at->fd, SIOCOUTQ, &waiting) != 0 || waiting == 0 ||
        getsockopt(at->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        at->acked_ns = 0; /* it is our turn */
        return false;
    }
    if (at->acked_ns == 0 || info.tcpi_bytes_acked != at->acked_bytes) {
        at->acked_bytes = info.tcpi_bytes_acked;
        at->acked_ns = now_ns;
    }
    return now_ns - at->acked_ns > clock_from_seconds(unread_s);
}

static bool may_be_cut(struct connection *at, enum reason reason, uint64_t now_ns)
{
    const double age_s = 1e-9 * (double)(now_ns - at->since_ns);
    if (at->cut)
        return false;
    switch (reason) {
    case UNHEARD:
        return at->phase == CONNECTION_NEW && age_s > unheard_s;
    case UNREAD:
        return at->phase == CONNECTION_ANSWER && is_unread(at, now_ns);
    case KEPT:
        return at->phase == CONNECTION_IDLE && age_s > silent_s;
    case SILENT:
        return at->phase == CONNECTION_NEW && age_s > silent_s;
    case UPLOADING:
        return at->phase == CONNECTION_REQUEST && age_s > uploading_s;
    case N_REASONS:
        break;
    }
    return false;
}

/* Cuts at most `most`, the oldest first; of those alone that have more than their share when
 * `over_share`, which ends with the share. Returns how many. */
static size_t cut(const struct connections *list, enum reason reason, bool over_share, size_t most,
                  uint64_t now_ns)
{
    size_t n_cut = 0;
    for (struct connection *at = list->last; at != NULL && n_cut < most; at = at->previous) {
        if ((over_share && !holder_is_over(&at->holder, SHARE_CONNECTIONS)) ||
            !may_be_cut(at, reason, now_ns))
            continue;
        connection_cut(at);
        n_cut++;
    }
    return n_cut;
}

/* Somebody has more than its share, only too recently to be cut, and there is room until then. */
static bool can_wait(const struct connections *list)
{
    if (list->n >= list->max + list->headroom / 2)
        return false;
    for (const struct connection *at = list->first; at != NULL; at = at->next)
        if (holder_is_over(&at->holder, SHARE_CONNECTIONS))
            return true;
    return false;
}

void connections_evict(struct connections *list, uint64_t now_ns)
{
    ON_LOOP();
    size_t n_over = list->n > list->max ? list->n - list->max : 0, n_cut = 0;
    if (n_over > MOST_A_TICK)
        n_over = MOST_A_TICK;
    for (enum reason reason = UNHEARD; reason < N_REASONS && n_cut < n_over; reason++)
        n_cut += cut(list, reason, true, n_over - n_cut, now_ns);
    if (!can_wait(list))
        for (enum reason reason = UNHEARD; reason < N_REASONS && n_cut < n_over; reason++)
            n_cut += cut(list, reason, false, n_over - n_cut, now_ns);
    list->metrics->connections_evicted += n_cut;
}
