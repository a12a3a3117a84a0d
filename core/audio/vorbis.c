/*
 * The first and the third header of Vorbis (Vorbis I specification, sections 3 and 4): the
 * codebooks of the third are walked and measured. Bits come least significant first.
 */
#include "audio/vorbis.h"

enum { SYNC = 0x564342, MAX_CODE_BITS = 32 };

struct bits {
    struct bytes packet;
    size_t at;   /* in bits */
    bool beyond; /* more was asked for than there is */
};

/* The next n <= 32 bits; 0 beyond the end. */
static uint32_t take(struct bits *bits, unsigned n)
{
    uint64_t value = bytes_little(bits->packet, bits->at / 8, 5);
    const size_t left = 8 * bits->packet.n - bits->at;
    if (n > left) {
        bits->beyond = true;
        return 0;
    }
    if (left / 8 < 5) /* bytes_little gives all or nothing */
        value = bytes_little(bits->packet, bits->at / 8, (left + bits->at % 8) / 8);
    value >>= bits->at % 8;
    bits->at += n;
    return (uint32_t)(value & ((1ull << n) - 1));
}

static void skip(struct bits *bits, uint64_t n)
{
    if (n > 8 * bits->packet.n - bits->at)
        bits->beyond = true;
    else
        bits->at += (size_t)n;
}

/* Bits that n takes; 0 for 0. */
static unsigned width_of(uint32_t n)
{
    unsigned width = 0;
    for (; n > 0; n >>= 1)
        width++;
    return width;
}

static void skip_lengths(struct bits *bits, uint32_t n_entries)
{
    if (take(bits, 1)) { /* ordered: how many codes each length has */
        const unsigned first = take(bits, 5) + 1;
        uint32_t i = 0;
        for (unsigned length = first; i < n_entries && length <= MAX_CODE_BITS; length++)
            i += take(bits, width_of(n_entries - i));
        bits->beyond |= i != n_entries;
    } else if (take(bits, 1)) { /* sparse: a flag before each length */
        for (uint32_t i = 0; i < n_entries && !bits->beyond; i++)
            if (take(bits, 1))
                skip(bits, 5);
    } else {
        skip(bits, 5ull * n_entries);
    }
}

/* The largest r whose n_dims-th power is at most n_entries. */
static uint32_t lattice_side(uint32_t n_entries, uint32_t n_dims)
{
    uint32_t side = 0;
    for (;;) {
        uint64_t power = 1;
        for (uint32_t i = 0; i < n_dims && power <= n_entries; i++)
            power *= side + 1;
        if (power > n_entries)
            return side;
        side++;
    }
}

/* One codebook. Adds what it asks for; false when it is malformed or by itself too large. */
static bool walk_book(struct bits *bits, uint64_t *n_entries, uint64_t *n_values)
{
    const bool in_sync = take(bits, 24) == SYNC;
    const uint32_t n_dims = take(bits, 16), n = take(bits, 24);
    if (!in_sync || n_dims == 0 || n > VORBIS_MAX_BOOK_ENTRIES)
        return false;
    skip_lengths(bits, n);
    *n_entries += n;
    const unsigned lookup = take(bits, 4);
    if (lookup > 0) {
        skip(bits, 64); /* least value, step */
        const unsigned n_value_bits = take(bits, 4) + 1;
        skip(bits, 1);
        *n_values += (uint64_t)n * n_dims;
        skip(bits, n_value_bits * (lookup == 1 ? lattice_side(n, n_dims) : (uint64_t)n * n_dims));
    }
    return lookup <= 2 && !bits->beyond;
}

/* "\x01vorbis", version (4), channels (1), rate (4), bit rates (12), block sizes (2 x 4 bits, as
 * powers of two), framing bit. */
enum vp_status vorbis_check_ident(struct bytes ident, struct vp_err *err)
{
    const unsigned sizes = (unsigned)bytes_little(ident, 28, 1), small = sizes & 15,
                   large = sizes >> 4;
    const uint64_t rate_hz = bytes_little(ident, 12, 4);
    if (!bytes_have(ident, 0, VORBIS_IDENT_BYTES) || !bytes_match(ident, 0, "\x01vorbis") ||
        bytes_little(ident, 7, 4) != 0 || bytes_little(ident, 11, 1) == 0 || rate_hz == 0 ||
        rate_hz > INT32_MAX || small < 6 || large < small || large > 13 ||
        (bytes_little(ident, 29, 1) & 1) == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the ogg file is damaged: its Vorbis identification is malformed");
    return VP_OK;
}

enum vp_status vorbis_check_setup(struct bytes setup, struct vp_err *err)
{
    uint64_t n_entries = 0, n_values = 0;
    struct bits bits = {.packet = setup, .at = 7 * 8};
    if (!bytes_have(setup, 0, 8) || !bytes_match(setup, 0, "\x05vorbis"))
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the ogg file is damaged: its third packet is no Vorbis setup");
    const unsigned n_books = take(&bits, 8) + 1;
    for (unsigned i = 0; i < n_books; i++) {
        if (!walk_book(&bits, &n_entries, &n_values))
            return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                               "the ogg file is damaged: codebook %u is malformed, cut, or larger "
                               "than any encoder makes them",
                               i + 1);
        if (n_entries > VORBIS_MAX_ENTRIES || n_values > VORBIS_MAX_VALUES)
            return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                               "the codebooks of the ogg file are larger than any encoder makes "
                               "them");
    }
    return VP_OK;
}

/* ---- headers outside Ogg -------------------------------------------------------------------- */

static bool is_sane_ident(struct bytes packet)
{
    return vorbis_check_ident(bytes_from(packet, 0, VORBIS_IDENT_BYTES), NULL) == VP_OK &&
           bytes_little(packet, 11, 1) <= VORBIS_MAX_CHANNELS;
}

/* Lengths in bytes of up to 255, of which the last is less: Xiph's lacing. */
static size_t laced(struct bytes headers, size_t *at)
{
    size_t n = 0, byte;
    do {
        byte = (size_t)bytes_little(headers, (*at)++, 1);
        n += byte;
    } while (byte == 255);
    return n;
}

/* Either 2, the lengths of the first two packets, laced, and the packets; or each packet behind its
 * length in 16 bits. */
bool vorbis_are_sane_headers(struct bytes headers)
{
    size_t ident_at, setup_at, n_setup = SIZE_MAX;
    if (bytes_big(headers, 0, 2) == VORBIS_IDENT_BYTES) {
        ident_at = 2;
        setup_at = ident_at + VORBIS_IDENT_BYTES;
        setup_at += 2 + (size_t)bytes_big(headers, setup_at, 2);
        n_setup = (size_t)bytes_big(headers, setup_at, 2);
        setup_at += 2;
    } else {
        ident_at = 1;
        const size_t n_ident = laced(headers, &ident_at), n_comment = laced(headers, &ident_at);
        setup_at = ident_at + n_ident + n_comment;
        if (bytes_little(headers, 0, 1) != 2 || n_ident < VORBIS_IDENT_BYTES)
            return false;
    }
    return is_sane_ident(bytes_from(headers, ident_at, VORBIS_IDENT_BYTES)) &&
           vorbis_check_setup(bytes_from(headers, setup_at, n_setup), NULL) == VP_OK;
}

bool vorbis_is_sane_packet(struct bytes packet)
{
    switch (bytes_little(packet, 0, 1)) {
    case 1:
        return is_sane_ident(packet);
    case 5:
        return vorbis_check_setup(packet, NULL) == VP_OK;
    default:
        return true;
    }
}
