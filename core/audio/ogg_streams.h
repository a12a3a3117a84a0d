/*
 * The streams of an Ogg file, one behind the other or side by side, page by page: what their
 * packets ask of a decoder. One owner; any thread.
 */
#ifndef VP_OGG_STREAMS_H
#define VP_OGG_STREAMS_H

#include "base/bytes.h"
#include "base/status.h"

#include <ogg/ogg.h>

#define OGG_HEAD_BYTES  27L /* of a page, up to the table of its segments */
#define OGG_MAX_STREAMS 8u  /* at a time: of each, a packet is held */

struct ogg_kind;

struct ogg_stream {
    const struct ogg_kind *kind; /* static; NULL: no stream */
    ogg_stream_state state;      /* owned */
    bool has_ended;              /* with its last page */
    bool is_pending;             /* a packet goes on in the next page */
    long page;                   /* number of the last one */
    int64_t position;            /* that the last page stated; 0: none so far */
    double n_seen, n_missing;    /* pages since then */
    size_t n_bytes;              /* of the packet at hand, so far */
    size_t n_packets;
};

struct ogg_streams {
    struct ogg_stream of[OGG_MAX_STREAMS];
    const struct ogg_kind *sound; /* of its streams with sound; static, NULL before the first */
    size_t n_begun;
    size_t n_empty; /* packets */
    bool is_broken; /* a packet lacks its end: decoders differ in what they make of it */
    double n_lost;  /* samples of missing pages, in the unit of positions, roughly */
};

/* Is this the first packet of a stream of a kind that is known? */
bool ogg_is_known(struct bytes packet) VP_MUST_CHECK;

/* streams: zeros at first, and ogg_streams_end at last. Errors: VP_ERR_AUDIO_UNSUPPORTED (a stream
 * of an unknown kind, several codecs, too many at a time), VP_ERR_AUDIO_UNDECODABLE (packets that
 * are longer, emptier or of more comments than any writer makes them), VP_ERR_NO_MEMORY. Borrows
 * page for the call. */
enum vp_status ogg_streams_add(struct ogg_streams *streams, ogg_page *page,
                               struct vp_err *err) VP_MUST_CHECK;
void ogg_streams_end(struct ogg_streams *streams);

#endif
