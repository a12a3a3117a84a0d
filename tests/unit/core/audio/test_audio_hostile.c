/*
 * Recordings with lying headers, cut and flipped ones: each must get a clean error or a clean
 * decode, quickly, with nothing sized from the lie. Run under AddressSanitizer and UBSan too.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>
#include <unistd.h>

#include "decoding.h"

#define WAV   (SF_FORMAT_WAV | SF_FORMAT_PCM_16)
#define WAVF  (SF_FORMAT_WAV | SF_FORMAT_FLOAT)
#define WAVEX (SF_FORMAT_WAVEX | SF_FORMAT_PCM_16)
#define RF64  (SF_FORMAT_RF64 | SF_FORMAT_PCM_16)
#define W64   (SF_FORMAT_W64 | SF_FORMAT_PCM_16)
#define AIFF  (SF_FORMAT_AIFF | SF_FORMAT_PCM_16)
#define AIFC  (SF_FORMAT_AIFF | SF_FORMAT_FLOAT)
#define AU    (SF_FORMAT_AU | SF_FORMAT_PCM_16)
#define CAF   (SF_FORMAT_CAF | SF_FORMAT_PCM_16)
#define FLAC  (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define OGG   (SF_FORMAT_OGG | SF_FORMAT_VORBIS)
#define OPUS  (SF_FORMAT_OGG | SF_FORMAT_OPUS)
#define MP3   (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)

#define ANY ((enum vp_status) - 1) /* whatever it is, cleanly */

/* ---- lying headers -------------------------------------------------------------------------- */

struct lie {
    const char *what;
    int format;
    const char *anchor; /* four letters to search for; NULL: the start of the file */
    size_t offset;      /* from there */
    const char *bytes;  /* to write */
    size_t n_bytes;
    enum vp_status expected;
};
#define PUT(text) text, sizeof text - 1

static const struct lie lies[] = {
    /* WAV: fmt chunk: tag +8, channels +10, rate +12, bytes/s +16, align +20, bits +22 */
    {"2 GHz", WAV, "fmt ", 12, PUT("\xFF\xFF\xFF\x7F"), VP_ERR_AUDIO_RATE},
    {"4 GHz", WAV, "fmt ", 12, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_RATE},
    {"0 Hz", WAV, "fmt ", 12, PUT("\0\0\0\0"), VP_ERR_AUDIO_RATE},
    {"7999 Hz", WAV, "fmt ", 12, PUT("\x3F\x1F\0\0"), VP_ERR_AUDIO_RATE},
    {"192001 Hz", WAV, "fmt ", 12, PUT("\x01\xEE\x02\0"), VP_ERR_AUDIO_RATE},
    {"0 channels", WAV, "fmt ", 10, PUT("\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"9 channels, the frame of 1", WAV, "fmt ", 10, PUT("\x09\0"), VP_ERR_AUDIO_CHANNELS},
    {"9 channels", WAV, "fmt ", 10, PUT("\x09\0\x80\x3E\0\0\0\x65\x04\0\x12\0"),
     VP_ERR_AUDIO_CHANNELS},
    {"1024 channels", WAV, "fmt ", 10, PUT("\0\x04\x80\x3E\0\0\0\0\xF4\x01\0\x08"),
     VP_ERR_AUDIO_CHANNELS},
    {"65535 channels of 1 bit", WAV, "fmt ", 10, PUT("\xFF\xFF\x80\x3E\0\0\0\0\0\0\xFF\xFF\x01\0"),
     VP_ERR_AUDIO_CHANNELS},
    {"0 bits", WAV, "fmt ", 22, PUT("\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"17 bits in 2 bytes", WAV, "fmt ", 22, PUT("\x11\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"64-bit integers", WAV, "fmt ", 20, PUT("\x08\0\x40\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"frames of 0 bytes", WAV, "fmt ", 20, PUT("\0\0"), VP_OK},
    {"12 bits in 2 bytes", WAV, "fmt ", 22, PUT("\x0C\0"), VP_OK},
    {"16-bit floats", WAV, "fmt ", 8, PUT("\x03\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"24-bit floats", WAVF, "fmt ", 22, PUT("\x18\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"ADPCM", WAV, "fmt ", 8, PUT("\x02\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"a tag of 0", WAV, "fmt ", 8, PUT("\0\0"), VP_ERR_AUDIO_UNSUPPORTED},
    {"A-law of 2 bytes", WAV, "fmt ", 8, PUT("\x06\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"fmt of 0 bytes", WAV, "fmt ", 4, PUT("\0\0\0\0"), ANY},
    {"fmt of 15 bytes", WAV, "fmt ", 4, PUT("\x0F\0\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"fmt of 4 GiB", WAV, "fmt ", 4, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    {"fmt swallows data", WAV, "fmt ", 4, PUT("\0\x10\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"no fmt", WAV, "fmt ", 0, PUT("junk"), VP_ERR_AUDIO_UNDECODABLE},
    {"no data", WAV, "data", 0, PUT("junk"), VP_ERR_AUDIO_UNDECODABLE},
    {"two fmt chunks", WAV, "data", 0, PUT("fmt \x10\0\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"data one byte too long", WAV, "data", 4, PUT("\x81\xBB"), VP_OK},
    {"data of 1 GiB", WAV, "data", 4, PUT("\0\0\0\x40"), VP_ERR_AUDIO_UNDECODABLE},
    {"data streamed", WAV, "data", 4, PUT("\xFF\xFF\xFF\xFF"), VP_OK},
    {"data of 1 byte", WAV, "data", 4, PUT("\x01\0\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"data of 1 frame", WAV, "data", 4, PUT("\x02\0\0\0"), VP_ERR_AUDIO_TOO_SHORT},
    {"RIFF of 0 bytes", WAV, NULL, 4, PUT("\0\0\0\0"), VP_OK},
    {"RIFF of 4 GiB", WAV, NULL, 4, PUT("\xFF\xFF\xFF\xFF"), VP_OK},
    {"another GUID", WAVEX, "fmt ", 36, PUT("\x55"), VP_ERR_AUDIO_UNSUPPORTED},
    {"a GUID of ADPCM", WAVEX, "fmt ", 32, PUT("\x11"), VP_ERR_AUDIO_UNDECODABLE},
    {"extensible, but 16 bytes", WAV, "fmt ", 8, PUT("\xFE\xFF"), VP_ERR_AUDIO_UNSUPPORTED},
    /* RF64: ds64: RIFF size +8, data size +16 */
    {"ds64 of 2^63 bytes", RF64, "ds64", 16, PUT("\0\0\0\0\0\0\0\x80"), ANY},
    {"ds64 of all ones", RF64, "ds64", 16, PUT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), ANY},
    {"no ds64", RF64, "ds64", 0, PUT("junk"), ANY},
    {"ds64 shorter than the file", RF64, "ds64", 16, PUT("\xC0\x5D\0\0"), VP_OK},
    /* W64: a size of 8 bytes behind each GUID of 16 */
    {"fmt of 2^63 bytes", W64, "fmt ", 16, PUT("\0\0\0\0\0\0\0\x80"), VP_ERR_AUDIO_UNDECODABLE},
    {"fmt of 0 bytes, head included", W64, "fmt ", 16, PUT("\0\0\0\0\0\0\0\0"),
     VP_ERR_AUDIO_UNDECODABLE},
    {"data of all ones", W64, "data", 16, PUT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), VP_OK},
    {"another GUID for data", W64, "data", 4, PUT("\x00"), VP_ERR_AUDIO_UNDECODABLE},
    /* AIFF: COMM: channels +8, frames +10, bits +14, rate +16; SSND: offset +8 */
    {"0 channels", AIFF, "COMM", 8, PUT("\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"32767 channels", AIFF, "COMM", 8, PUT("\x7F\xFF"), VP_ERR_AUDIO_CHANNELS},
    {"2^32 - 1 frames", AIFF, "COMM", 10, PUT("\xFF\xFF\xFF\xFF"), ANY},
    {"33 bits", AIFF, "COMM", 14, PUT("\0\x21"), VP_ERR_AUDIO_UNDECODABLE},
    {"a rate of infinity", AIFF, "COMM", 16, PUT("\x7F\xFF\x80\0\0\0\0\0\0\0"), VP_ERR_AUDIO_RATE},
    {"a rate of nothing", AIFF, "COMM", 16, PUT("\0\0\0\0\0\0\0\0\0\0"), VP_ERR_AUDIO_RATE},
    {"SSND of 4 GiB", AIFF, "SSND", 4, PUT("\xFF\xFF\xFF\xFF"), VP_OK},
    {"SSND of 7 bytes", AIFF, "SSND", 4, PUT("\0\0\0\x07"), VP_ERR_AUDIO_UNDECODABLE},
    {"an offset of 4 GiB", AIFF, "SSND", 8, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    {"an unknown codec", AIFC, "COMM", 26, PUT("\xFF\0\x01\x02"), VP_ERR_AUDIO_UNSUPPORTED},
    {"no COMM", AIFF, "COMM", 0, PUT("junk"), VP_ERR_AUDIO_UNDECODABLE},
    {"COMM of 17 bytes", AIFF, "COMM", 4, PUT("\0\0\0\x11"), VP_ERR_AUDIO_UNDECODABLE},
    /* AU: start +4, bytes +8, encoding +12, rate +16, channels +20 */
    {"audio inside the header", AU, NULL, 4, PUT("\0\0\0\x04"), VP_ERR_AUDIO_UNDECODABLE},
    {"audio beyond the end", AU, NULL, 4, PUT("\xFF\xFF\xFF\xF0"), VP_ERR_AUDIO_UNDECODABLE},
    {"2 GiB", AU, NULL, 8, PUT("\x7F\xFF\xFF\xFF"), VP_OK},
    {"encoding 255", AU, NULL, 12, PUT("\0\0\0\xFF"), VP_ERR_AUDIO_UNSUPPORTED},
    {"4 GHz", AU, NULL, 16, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_RATE},
    {"2^32 - 1 channels", AU, NULL, 20, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_CHANNELS},
    /* CAF: desc: rate +12, format +20, flags +24, packet +28, frames +32, channels +36, bits +40 */
    {"a rate that is no number", CAF, "desc", 12, PUT("\x7F\xF8\0\0\0\0\0\0"), VP_ERR_AUDIO_RATE},
    {"a negative rate", CAF, "desc", 12, PUT("\xC0\xCF\x40\0\0\0\0\0"), VP_ERR_AUDIO_RATE},
    {"AAC", CAF, "desc", 20, PUT("aac "), VP_ERR_AUDIO_UNDECODABLE},
    {"0 channels", CAF, "desc", 36, PUT("\0\0\0\0"), VP_ERR_AUDIO_UNDECODABLE},
    {"2^32 - 1 channels", CAF, "desc", 36, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    {"packets of 4 GiB", CAF, "desc", 28, PUT("\xFF\xFF\xFF\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    {"a data chunk of -2", CAF, "data", 4, PUT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE"),
     VP_ERR_AUDIO_UNDECODABLE},
    {"a data chunk of 3 bytes", CAF, "data", 4, PUT("\0\0\0\0\0\0\0\x03"),
     VP_ERR_AUDIO_UNDECODABLE},
    {"a desc chunk of 2^63", CAF, "desc", 4, PUT("\x80\0\0\0\0\0\0\0"), ANY},
    /* FLAC: STREAMINFO at 8: block sizes, then 20 bits rate at 18, 3 channels, 5 bits, 36 total */
    {"2^36 - 1 samples", FLAC, NULL, 21, PUT("\xFF\xFF\xFF\xFF\xFF"), VP_OK},
    {"0 samples, unknown", FLAC, NULL, 21, PUT("\xF0\0\0\0\0"), VP_OK},
    {"6.9e10 samples", FLAC, NULL, 21, PUT("\xFF\x10\x10\x10\x10"), VP_OK},
    {"655350 Hz", FLAC, NULL, 18, PUT("\x9F\xFF\x60"), ANY},
    {"0 Hz", FLAC, NULL, 18, PUT("\0\0\0\xF0"), ANY},
    {"blocks of 0", FLAC, NULL, 8, PUT("\0\0\0\0"), ANY},
    {"a metadata block of 16 MiB", FLAC, NULL, 5, PUT("\xFF\xFF\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    /* Ogg: pages carry a checksum */
    {"another serial number", OGG, NULL, 14, PUT("\xAA\xBB"), VP_ERR_AUDIO_UNDECODABLE},
    {"another position", OPUS, NULL, 6, PUT("\x7F\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    {"another channel count", OPUS, "Opus", 9, PUT("\xFF"), VP_ERR_AUDIO_UNDECODABLE},
    {"255 segments", OGG, NULL, 26, PUT("\xFF"), ANY},
    /* MP3: a header every few hundred bytes */
    {"a sample rate of 3", MP3, NULL, 2, PUT("\xFC"), ANY},
    {"layer II", MP3, NULL, 1, PUT("\xFD"), ANY},
};

static size_t find(const struct audio_file *file, const char *anchor)
{
    if (anchor == NULL)
        return 0;
    for (size_t i = 0; i + 4 <= file->n; i++)
        if (memcmp(file->bytes + i, anchor, 4) == 0)
            return i;
    fail_msg("no %s", anchor);
    return 0;
}

static void lying_headers_are_found_out(void **state)
{
    (void)state;
    assert_true(sizeof lies / sizeof lies[0] >= 60);
    for (size_t l = 0; l < sizeof lies / sizeof lies[0]; l++) {
        const struct lie *lie = &lies[l];
        struct audio_file file = audio_file_of_buzz(lie->format, 16000, 1, 1.5);
        const size_t at = find(&file, lie->anchor) + lie->offset;
        assert_true(at + lie->n_bytes <= file.n);
        assert_memory_not_equal(file.bytes + at, lie->bytes, lie->n_bytes);
        memcpy(file.bytes + at, lie->bytes, lie->n_bytes);
        const enum vp_status status = decoding_of(file.bytes, file.n);
        if (lie->expected != ANY && status != lie->expected)
            fail_msg("case %zu, %s: %s, not %s: %s", l, lie->what, vp_status_name(status),
                     vp_status_name(lie->expected), decoded.err.message);
        audio_file_free(&file);
    }
}

/* Chunks that hold nothing, or lie inside one another, by the thousand. */
static void chunks_without_end_are_walked_once(void **state)
{
    (void)state;
    static unsigned char file[1 << 20];
    memset(file, 0, sizeof file);
    memcpy(file, "RIFF\xFF\xFF\xFF\x7FWAVE", 12);
    for (size_t i = 12; i + 8 <= sizeof file; i += 8)
        memcpy(file + i, "LIST", 4);
    assert_int_equal(decoding_of(file, sizeof file), VP_ERR_AUDIO_UNDECODABLE);
    memcpy(file,
           "FORM\xFF\xFF\xFF\x7F"
           "AIFF",
           12);
    assert_int_equal(decoding_of(file, sizeof file), VP_ERR_AUDIO_UNDECODABLE);
    memcpy(file, "caff\0\1\0\0desc\0\0\0\0\0\0\0\0", 20);
    assert_int_equal(decoding_of(file, sizeof file), VP_ERR_AUDIO_UNDECODABLE);
}

/* ---- flips and cuts at random ---------------------------------------------------------------- */

static uint32_t seed = 11;

static uint32_t draw(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* And answered in silence: decoders must not write to stderr, whatever they are fed. */
static void flips_and_cuts_are_answered(void **state)
{
    (void)state;
    FILE *said = tmpfile();
    const int stderr_copy = dup(STDERR_FILENO);
    assert_true(said != NULL && stderr_copy >= 0);
    assert_true(dup2(fileno(said), STDERR_FILENO) >= 0);
    static const int formats[] = {WAV, WAVF, WAVEX, RF64, W64,  AIFF, AIFC,
                                  AU,  CAF,  FLAC,  OGG,  OPUS, MP3};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct audio_file whole = audio_file_of_buzz(formats[f], 16000, 1, 1.0);
        for (int round = 0; round < 60; round++) {
            struct audio_file file = audio_file_copy(whole.bytes, whole.n);
            /* half of them in the header, where it hurts; one in three also cut */
            const uint32_t reach = round % 2 ? 100 : (uint32_t)file.n;
            for (uint32_t flips = 1 + draw(4); flips > 0; flips--)
                file.bytes[draw(reach)] ^= (unsigned char)(1u << draw(8));
            const size_t n = round % 3 ? file.n : draw((uint32_t)file.n);
            (void)decoding_of(file.bytes, n); /* any answer, whole and finite: decode checks */
            audio_file_free(&file);
        }
        audio_file_free(&whole);
    }
    assert_true(dup2(stderr_copy, STDERR_FILENO) >= 0);
    close(stderr_copy);
    assert_int_equal(fseek(said, 0, SEEK_END), 0);
    assert_int_equal(ftell(said), 0);
    fclose(said);
}

/* A flipped bit in the audio of a format with checksums must be an error, not a hole. */
static void checksums_are_heeded(void **state)
{
    (void)state;
    static const int formats[] = {FLAC, OGG, OPUS};
    for (size_t f = 0; f < 3; f++) {
        struct audio_file file = audio_file_of_buzz(formats[f], 16000, 1, 9.0);
        assert_int_equal(decoding_of(file.bytes, file.n), VP_OK);
        for (size_t part = 3; part < 8; part++) {
            unsigned char *byte = file.bytes + file.n * part / 8;
            *byte ^= 0x10;
            assert_int_equal(decoding_of(file.bytes, file.n), VP_ERR_AUDIO_UNDECODABLE);
            if (formats[f] != FLAC) /* not by the hole that is left without the page */
                assert_non_null(strstr(decoded.err.message, "checksum"));
            *byte ^= 0x10;
        }
        audio_file_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lying_headers_are_found_out),
        cmocka_unit_test(chunks_without_end_are_walked_once),
        cmocka_unit_test(flips_and_cuts_are_answered),
        cmocka_unit_test(checksums_are_heeded),
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
