/*
 * Boxes: size (32 bits, itself included; 1: 64 bits follow; 0: to the end), type, body. libavformat
 * looks into boxes within boxes by their type alone, wherever they lie, so the types are searched
 * for and not the tree walked; only the samples, in boxes `mdat` at the top, are stepped over.
 *
 *   stsz   version and flags (4), size of each or 0 (4), count (4), sizes
 *   stz2   the same, with the width of the sizes in place of a size
 *   trun   version and flags (4), count (4), entries, possibly without a byte in each
 *   elst   version and flags (4), count (4), entries of 12 bytes or more
 *   cmov   a header that is compressed
 */
#include "audio/mp4.h"

#include "audio/container.h"

struct tables {
    uint64_t n_packets, n_edits; /* of all tracks; of the longest edit list */
    bool is_compressed;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The box whose type lies at `at`, if it is a table. */
static void add_table(struct bytes part, size_t at, struct tables *tables)
{
    const size_t n_left = part.n - at;
    if (bytes_match(part, at, "stsz") || bytes_match(part, at, "stz2")) {
        const bool in_full = part.at[at + 3] == '2' || bytes_big(part, at + 8, 4) == 0;
        const uint64_t n = bytes_big(part, at + 12, 4);
        tables->n_packets += least(in_full ? least(n, 2 * n_left) : n, MP4_MAX_TRACK);
    } else if (bytes_match(part, at, "trun")) {
        tables->n_packets += least(bytes_big(part, at + 8, 4), MP4_MAX_TRACK);
    } else if (bytes_match(part, at, "elst")) {
        const uint64_t n = least(bytes_big(part, at + 8, 4), n_left / 12);
        tables->n_edits = n > tables->n_edits ? n : tables->n_edits;
    } else if (bytes_match(part, at, "cmov")) {
        tables->is_compressed = true;
    }
}

/* All types begin with one of four letters; most bytes end the look at that. */
static void add_tables(struct bytes part, struct tables *tables)
{
    for (size_t at = 0; at + 4 <= part.n; at++) {
        const unsigned char c = part.at[at];
        if (c == 's' || c == 't' || c == 'e' || c == 'c')
            add_table(part, at, tables);
    }
}

/* The length of the box at `at`, to the end of the file at most. */
static size_t box_bytes(struct bytes file, size_t at)
{
    uint64_t n = bytes_big(file, at, 4);
    uint64_t least_bytes = 8;
    if (n == 1) {
        n = bytes_big(file, at + 8, 8);
        least_bytes = 16;
    }
    return n < least_bytes || n > file.n - at ? file.n - at : (size_t)n;
}

enum vp_status mp4_check(struct bytes file, const char *container, struct vp_err *err)
{
    struct tables tables = {0};
    for (size_t at = 0, n; at < file.n; at += n) {
        n = box_bytes(file, at);
        if (!bytes_match(file, at + 4, "mdat"))
            add_tables(bytes_from(file, at, n), &tables);
    }
    if (tables.is_compressed)
        return container_refuse(err, "%s (compressed header)", container);
    if (tables.n_packets > MP4_MAX_PACKETS || tables.n_packets * tables.n_edits > MP4_MAX_EDITS)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the tables of the %s file ask for more than any recording needs",
                           container);
    return VP_OK;
}
