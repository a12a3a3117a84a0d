/* Setup headers of Vorbis, written bit by bit: sane ones pass, greedy and cut ones do not. */
#include "unit.h"

#include "audio/vorbis.h"

enum { ROOM = 1 << 19 };

struct draft {
    unsigned char bytes[ROOM];
    size_t n_bits;
};

static struct draft draft;

static void put(uint64_t value, unsigned n_bits)
{
    for (unsigned i = 0; i < n_bits; i++, draft.n_bits++) {
        assert_true(draft.n_bits / 8 < ROOM);
        draft.bytes[draft.n_bits / 8] |=
            (unsigned char)((i < 64 ? value >> i & 1 : 0) << draft.n_bits % 8);
    }
}

static void begin(unsigned n_books)
{
    memset(&draft, 0, sizeof draft);
    memcpy(draft.bytes, "\x05vorbis", 7);
    draft.n_bits = 7 * 8;
    put(n_books - 1, 8);
}

static void head(unsigned n_dims, uint32_t n_entries)
{
    put(0x564342, 24);
    put(n_dims, 16);
    put(n_entries, 24);
}

static unsigned width(uint32_t n)
{
    return n > 0 ? 32 - (unsigned)__builtin_clz(n) : 0;
}

/* 2^log entries with codes of one length, in a few bytes. */
static void ordered_book(unsigned n_dims, unsigned log, unsigned lookup)
{
    const uint32_t n = 1u << log;
    head(n_dims, n);
    put(1, 1);
    put(log > 0 ? log - 1 : 0, 5);
    put(n, width(n));
    put(lookup, 4);
}

static enum vp_status check(const char *says)
{
    struct vp_err err = {0};
    struct bytes exact = {malloc((draft.n_bits + 7) / 8), (draft.n_bits + 7) / 8};
    assert_non_null(exact.at);
    memcpy((void *)(uintptr_t)exact.at, draft.bytes, exact.n);
    enum vp_status status = vorbis_check_setup(exact, &err);
    free((void *)(uintptr_t)exact.at);
    if (says != NULL)
        assert_non_null(strstr(err.message, says));
    return status;
}

static void books_as_encoders_write_them_pass(void **state)
{
    (void)state;
    begin(4);
    head(2, 81); /* each entry has its length */
    put(0, 1);
    put(0, 1);
    for (int i = 0; i < 81; i++)
        put(6, 5);
    put(1, 4); /* a lattice: 9 values of 4 bits for 9^2 entries */
    put(0, 64);
    put(3, 4);
    put(0, 1);
    for (int i = 0; i < 9; i++)
        put((unsigned)i, 4);
    head(4, 16); /* sparse: every other entry is used */
    put(0, 1);
    put(1, 1);
    for (unsigned i = 0; i < 16; i++) {
        put(i % 2, 1);
        if (i % 2)
            put(2, 5);
    }
    put(2, 4); /* a value for each dimension of each entry */
    put(0, 64);
    put(7, 4);
    put(0, 1);
    for (unsigned i = 0; i < 64; i++)
        put(i, 8);
    ordered_book(1, 13, 0);
    ordered_book(1, 0, 0);
    const size_t whole = draft.n_bits;
    assert_int_equal(check(NULL), VP_OK);
    for (size_t cut = 0; cut < whole / 8; cut++) {
        draft.n_bits = 8 * cut;
        assert_int_equal(check("damaged"), VP_ERR_AUDIO_UNDECODABLE);
    }
}

/* Some 20 bytes that ask for what no decoder should give: libvorbis puts 8 bytes for each entry
 * on the stack, and 20 or more on the heap. */
static void greedy_books_are_refused(void **state)
{
    (void)state;
    begin(1);
    ordered_book(1, 16, 0);
    assert_int_equal(check(NULL), VP_OK);
    for (unsigned log = 17; log < 24; log++) {
        begin(1);
        ordered_book(1, log, 0);
        assert_int_equal(check("codebook 1"), VP_ERR_AUDIO_UNDECODABLE);
    }
    for (unsigned n = 1; n <= 256; n += 15) { /* many books that are each within their limit */
        begin(n);
        for (unsigned i = 0; i < n; i++)
            ordered_book(1, 14, 0);
        assert_int_equal(check(NULL), n <= 16 ? VP_OK : VP_ERR_AUDIO_UNDECODABLE);
    }
    for (unsigned n_dims = 32; n_dims <= 64; n_dims += 32) { /* values */
        begin(2);
        for (unsigned i = 0; i < 2; i++) {
            ordered_book(n_dims, 15, 1);
            put(0, 64 + 4 + 1 + 1); /* least, step, width, sequence; 1 value of 1 bit */
        }
        assert_int_equal(check(NULL), n_dims == 32 ? VP_OK : VP_ERR_AUDIO_UNDECODABLE);
    }
}

static void malformed_books_are_refused(void **state)
{
    (void)state;
    begin(1);
    put(0x564343, 24); /* out of step */
    put(0, 400);
    assert_int_equal(check("codebook 1"), VP_ERR_AUDIO_UNDECODABLE);
    begin(1);
    ordered_book(0, 4, 0);
    assert_int_equal(check("codebook 1"), VP_ERR_AUDIO_UNDECODABLE);
    begin(1);
    ordered_book(1, 4, 3);
    assert_int_equal(check("codebook 1"), VP_ERR_AUDIO_UNDECODABLE);
    begin(1);
    head(1, 16); /* lengths beyond 32 bits, and still entries without one */
    put(1, 1);
    put(31, 5);
    put(15, 5);
    put(0, 400);
    assert_int_equal(check("codebook 1"), VP_ERR_AUDIO_UNDECODABLE);
    begin(1);
    head(1, 16); /* more codes than entries */
    put(1, 1);
    put(4, 5);
    put(31, 5);
    put(0, 400);
    assert_int_equal(check("codebook 1"), VP_ERR_AUDIO_UNDECODABLE);
    memcpy(draft.bytes, "\x03vorbis", 7);
    assert_int_equal(check("no Vorbis setup"), VP_ERR_AUDIO_UNDECODABLE);
}

static void identifications_are_held_against_the_decoder(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        unsigned char value;
        enum vp_status status;
    } changes[] = {{28, 0xb8, VP_OK},                    /* blocks of 256 and 2048 */
                   {28, 0xd6, VP_OK},                    /* 64 and 8192 */
                   {28, 0x66, VP_OK},                    /* equal */
                   {28, 0xb5, VP_ERR_AUDIO_UNDECODABLE}, /* 32 */
                   {28, 0xe8, VP_ERR_AUDIO_UNDECODABLE}, /* 16384 */
                   {28, 0x8b, VP_ERR_AUDIO_UNDECODABLE}, /* the larger one first */
                   {0, 3, VP_ERR_AUDIO_UNDECODABLE},     /* another header */
                   {7, 1, VP_ERR_AUDIO_UNDECODABLE}, /* version 1, upon which libsndfile leaks */
                   {10, 0x7a, VP_ERR_AUDIO_UNDECODABLE},  /* version 0x7a000000 */
                   {11, 0, VP_ERR_AUDIO_UNDECODABLE},     /* no channel */
                   {15, 0x80, VP_ERR_AUDIO_UNDECODABLE},  /* a negative rate */
                   {29, 0xfe, VP_ERR_AUDIO_UNDECODABLE}}; /* no framing bit */
    unsigned char good[VORBIS_IDENT_BYTES] = "\x01vorbis\0\0\0\0\x01\x80\x3e";
    struct vp_err err;
    good[28] = 0xb8;
    good[29] = 1;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        unsigned char changed[sizeof good];
        memcpy(changed, good, sizeof good);
        changed[changes[i].at] = changes[i].value;
        assert_int_equal(vorbis_check_ident((struct bytes){changed, sizeof changed}, &err),
                         changes[i].status);
    }
    memset(good + 12, 0, 4); /* no rate */
    assert_int_equal(vorbis_check_ident((struct bytes){good, sizeof good}, &err),
                     VP_ERR_AUDIO_UNDECODABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(books_as_encoders_write_them_pass),
        cmocka_unit_test(greedy_books_are_refused),
        cmocka_unit_test(malformed_books_are_refused),
        cmocka_unit_test(identifications_are_held_against_the_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
