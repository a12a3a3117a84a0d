/* What is told by magic: accepted containers by name, everything else refused by name. */
#include "unit.h"

#include <sndfile.h>

#include "audio/sniff.h"
#include "audio_file.h"

static enum vp_status read_bytes(const void *bytes, size_t n, struct container *out,
                                 struct vp_err *err)
{
    struct audio_file copy = audio_file_copy(bytes, n);
    enum vp_status status = sniff_container((struct bytes){copy.bytes, copy.n}, out, err);
    audio_file_free(&copy);
    return status;
}

static void every_accepted_container_is_named(void **state)
{
    (void)state;
    static const struct {
        int sf_format;
        const char *container, *codec;
    } cases[] = {
        {SF_FORMAT_WAV | SF_FORMAT_PCM_U8, "wav", "pcm_u8"},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_16, "wav", "pcm_16"},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_24, "wav", "pcm_24"},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_32, "wav", "pcm_32"},
        {SF_FORMAT_WAV | SF_FORMAT_FLOAT, "wav", "float"},
        {SF_FORMAT_WAV | SF_FORMAT_DOUBLE, "wav", "double"},
        {SF_FORMAT_WAV | SF_FORMAT_ALAW, "wav", "alaw"},
        {SF_FORMAT_WAV | SF_FORMAT_ULAW, "wav", "mulaw"},
        {SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, "wav", "pcm_24"},
        {SF_FORMAT_WAVEX | SF_FORMAT_FLOAT, "wav", "float"},
        {SF_FORMAT_WAVEX | SF_FORMAT_ULAW, "wav", "mulaw"},
        {SF_FORMAT_RF64 | SF_FORMAT_PCM_16, "rf64", "pcm_16"},
        {SF_FORMAT_W64 | SF_FORMAT_PCM_16, "w64", "pcm_16"},
        {SF_FORMAT_W64 | SF_FORMAT_FLOAT, "w64", "float"},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_S8, "aiff", "pcm_s8"},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, "aiff", "pcm_16"},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE, "aiff", "pcm_16"},
        {SF_FORMAT_AIFF | SF_FORMAT_FLOAT, "aiff", "float"},
        {SF_FORMAT_AIFF | SF_FORMAT_DOUBLE, "aiff", "double"},
        {SF_FORMAT_AIFF | SF_FORMAT_ALAW, "aiff", "alaw"},
        {SF_FORMAT_AU | SF_FORMAT_PCM_S8, "au", "pcm_s8"},
        {SF_FORMAT_AU | SF_FORMAT_PCM_24, "au", "pcm_24"},
        {SF_FORMAT_AU | SF_FORMAT_ULAW, "au", "mulaw"},
        {SF_FORMAT_AU | SF_FORMAT_ALAW, "au", "alaw"},
        {SF_FORMAT_AU | SF_FORMAT_DOUBLE, "au", "double"},
        {SF_FORMAT_CAF | SF_FORMAT_PCM_16, "caf", "pcm_16"},
        {SF_FORMAT_CAF | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE, "caf", "pcm_24"},
        {SF_FORMAT_CAF | SF_FORMAT_FLOAT, "caf", "float"},
        {SF_FORMAT_CAF | SF_FORMAT_ULAW, "caf", "mulaw"},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "flac", "flac"},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_24, "flac", "flac"},
        {SF_FORMAT_OGG | SF_FORMAT_VORBIS, "ogg", "vorbis"},
        {SF_FORMAT_OGG | SF_FORMAT_OPUS, "ogg", "opus"},
        {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, "mp3", "mp3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct audio_file file = audio_file_of_buzz(cases[i].sf_format, 16000, 1, 0.7);
        struct container container;
        struct vp_err err;
        if (sniff_container((struct bytes){file.bytes, file.n}, &container, &err) != VP_OK)
            fail_msg("%s %s: %s", cases[i].container, cases[i].codec, err.message);
        assert_string_equal(container.name, cases[i].container);
        assert_string_equal(container.codec, cases[i].codec);
        if (container.sf_format != 0) {
            assert_int_equal(container.n_frames, 11200);
            assert_int_equal(container.channels, 1);
            assert_true(container.rate_hz == 16000.0);
        }
        audio_file_free(&file);
    }
}

static void everything_else_is_refused_by_name(void **state)
{
    (void)state;
#define HEAD(text, name)                                                                           \
    {                                                                                              \
        text, sizeof text - 1, name                                                                \
    }
    static const struct {
        const char *bytes;
        size_t n;
        const char *detected;
    } cases[] = {
        HEAD("\0\0\0\x20"
             "ftypheic\0\0\0\0",
             "heif or avif image"),
        HEAD("\0\0\0\x20"
             "ftypavif\0\0\0\0",
             "heif or avif image"),
        HEAD("\xFF\xF1\x50\x80\x02\x1F\xFC", "aac (adts)"),
        HEAD("\xFF\xF9\x50\x80\x02\x1F\xFC", "aac (adts)"),
        HEAD("ADIF\0\0\0\0", "aac"),
        HEAD("#!SILK_V3", "silk"),
        HEAD("NIST_1A\n   1024\n", "nist sphere"),
        HEAD("wvpk\0\0\0\0", "wavpack"),
        HEAD("MThd\0\0\0\x06", "midi"),
        HEAD("Creative Voice File\x1A", "voc"),
        HEAD("PK\x03\x04\x14\0", "zip"),
        HEAD("\x1F\x8B\x08\0", "gzip"),
        HEAD("%PDF-1.7", "pdf"),
        HEAD("\x89PNG\r\n\x1A\n", "png image"),
        HEAD("\xFF\xD8\xFF\xE0", "jpeg image"),
        HEAD("<!DOCTYPE html><html>", "html or xml"),
        HEAD("  <?xml version='1.0'?>", "html or xml"),
        HEAD("{\"a\": 1}", "json"),
        HEAD("\n[1, 2]", "json"),
        HEAD("this is not audio\n", "text"),
        HEAD("RIFX\0\0\0\x24WAVE", "big-endian wav (rifx)"),
        HEAD("RIFF\x24\0\0\0AVI LIST", "avi"),
        HEAD("RIFF\x24\0\0\0CDDA", "unknown riff or iff"),
        HEAD("FORM\0\0\0\x24"
             "8SVX",
             "unknown riff or iff"),
        HEAD("\xFF\xFD\x80\xC4\0\0\0\0", "mpeg audio layer II (mp2)"),
        HEAD("\xFF\xFB\x90\xC0 no second frame", "mp3"), /* short: see below */
        HEAD("\x01\x02\x03\x04\x05\x06\x07\x08", "unknown format"),
        HEAD("\0\0\0\0\0\0\0\0\0\0\0\0", "unknown format"),
        HEAD("\0", "unknown format"),
        HEAD("R", "text"),
    };
#undef HEAD
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct container container;
        struct vp_err err;
        const enum vp_status status = read_bytes(cases[i].bytes, cases[i].n, &container, &err);
        if (strcmp(cases[i].detected, "mp3") == 0) { /* a frame begins and is cut */
            assert_int_equal(status, VP_ERR_AUDIO_UNDECODABLE);
            continue;
        }
        assert_int_equal(status, VP_ERR_AUDIO_UNSUPPORTED);
        assert_string_equal(err.detected, cases[i].detected);
        assert_non_null(strstr(err.message, cases[i].detected));
        assert_non_null(strstr(err.message, "AIFF, AU or CAF")); /* the list is not cut off */
    }
}

/* A WAV header around any format tag. */
static size_t wav_with_tag(unsigned char *file, unsigned tag)
{
    static const unsigned char head[48] =
        "RIFF\x28\0\0\0WAVEfmt "
        "\x10\0\0\0\x01\0\x01\0\x80\x3E\0\0\0\x7D\0\0\x02\0\x10\0data\x04\0\0";
    memcpy(file, head, sizeof head);
    file[20] = (unsigned char)(tag & 0xFF);
    file[21] = (unsigned char)(tag >> 8);
    return sizeof head;
}

static void codecs_outside_the_list_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        unsigned tag;
        const char *detected;
    } tags[] = {{0x50, "wav (mp2)"},
                {0x45, "wav (g726)"},
                {0x161, "wav (wma)"},
                {0xFF, "wav (aac)"},
                {0x1234, "wav (tag 0x1234)"},
                {0, "wav (tag 0x0000)"},
                {0xFFFE, "wav (unknown subformat)"}};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        unsigned char file[48];
        const size_t n = wav_with_tag(file, tags[i].tag);
        struct container container;
        struct vp_err err;
        assert_int_equal(read_bytes(file, n, &container, &err), VP_ERR_AUDIO_UNSUPPORTED);
        assert_string_equal(err.detected, tags[i].detected);
    }
    static const struct {
        int sf_format;
        const char *detected;
    } others[] = {
        {SF_FORMAT_AU | SF_FORMAT_G721_32, "au (encoding 23)"},
        {SF_FORMAT_NIST | SF_FORMAT_PCM_16, "nist sphere"},
        {SF_FORMAT_VOC | SF_FORMAT_PCM_16, "voc"},
        {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, NULL}, /* the loop itself accepts */
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct audio_file file = audio_file_of_buzz(others[i].sf_format, 8000, 1, 0.7);
        struct container container;
        struct vp_err err;
        const enum vp_status status =
            sniff_container((struct bytes){file.bytes, file.n}, &container, &err);
        if (others[i].detected == NULL) {
            assert_int_equal(status, VP_OK);
        } else {
            assert_int_equal(status, VP_ERR_AUDIO_UNSUPPORTED);
            assert_string_equal(err.detected, others[i].detected);
        }
        audio_file_free(&file);
    }
}

/* Every beginning of every good file: an answer, never a read beyond the end. */
static void every_prefix_is_answered(void **state)
{
    (void)state;
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_16,  SF_FORMAT_WAVEX | SF_FORMAT_FLOAT,
        SF_FORMAT_RF64 | SF_FORMAT_PCM_16, SF_FORMAT_W64 | SF_FORMAT_PCM_16,
        SF_FORMAT_AIFF | SF_FORMAT_FLOAT,  SF_FORMAT_AU | SF_FORMAT_PCM_16,
        SF_FORMAT_CAF | SF_FORMAT_PCM_16,  SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_OGG | SF_FORMAT_VORBIS,  SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III,
    };
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct audio_file file = audio_file_of_buzz(formats[f], 16000, 1, 0.2);
        for (size_t n = 0; n < file.n && n < 700; n++) {
            struct container container;
            struct vp_err err;
            const enum vp_status status = read_bytes(file.bytes, n, &container, &err);
            /* FLAC tells where it ends only when decoded, Ogg may be cut between two pages */
            const bool streams =
                memcmp(file.bytes, "fLaC", 4) == 0 || memcmp(file.bytes, "OggS", 4) == 0;
            if (status == VP_OK && !streams && container.n_lost == 0 && container.data.n > 0)
                fail_msg("%s cut to %zu bytes of %zu is accepted", container.name, n, file.n);
        }
        audio_file_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_container_is_named),
        cmocka_unit_test(everything_else_is_refused_by_name),
        cmocka_unit_test(codecs_outside_the_list_are_refused_by_name),
        cmocka_unit_test(every_prefix_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
