/* libmpg123 over bytes in memory, silent. Encoder delay and padding are cut off (gapless). */
#include "audio/mp3_decoder.h"

#include <mpg123.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* Bytes that libmpg123 may take in at once: to open a stream, and for each block. It looks for
 * frames in whatever it is given. */
#define RATION ((size_t)1 << 20)

struct mp3_decoder {
    struct bytes stream; /* borrowed */
    size_t position;     /* of libmpg123 in stream */
    size_t n_taken;      /* of the ration */
    bool wants_more;     /* it was not enough */
    bool has_changed;    /* another rate or number of channels begins */
    mpg123_handle *mpg;  /* owned */
};

static ssize_t on_read(void *user, void *into, size_t n)
{
    struct mp3_decoder *decoder = user;
    const struct bytes piece = bytes_from(decoder->stream, decoder->position, n);
    if (piece.n > RATION - decoder->n_taken) {
        decoder->wants_more = true;
        return 0;
    }
    decoder->n_taken += piece.n;
    if (piece.n > 0)
        memcpy(into, piece.at, piece.n);
    decoder->position += piece.n;
    return (ssize_t)piece.n;
}

static off_t on_seek(void *user, off_t offset, int whence)
{
    struct mp3_decoder *decoder = user;
    const size_t base = whence == SEEK_CUR   ? decoder->position
                        : whence == SEEK_END ? decoder->stream.n
                                             : 0;
    off_t target;
    if (__builtin_add_overflow((off_t)base, offset, &target) || target < 0 ||
        (size_t)target > decoder->stream.n)
        return -1;
    decoder->position = (size_t)target;
    return target;
}

/* False when libmpg123 refuses the settings or finds no frame. */
static bool start(struct mp3_decoder *decoder, unsigned *rate_hz, unsigned *channels)
{
    mpg123_handle *mpg = decoder->mpg;
    long rate;
    int n_channels, encoding;
    if (mpg123_param(mpg, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_SKIP_ID3V2,
                     0.0) != MPG123_OK ||
        mpg123_param(mpg, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0.0) != MPG123_OK ||
        mpg123_param(mpg, MPG123_RESYNC_LIMIT, -1, 0.0) != MPG123_OK || /* mp3.c counts the holes */
        mpg123_replace_reader_handle(mpg, on_read, on_seek, NULL) != MPG123_OK ||
        mpg123_open_handle(mpg, decoder) != MPG123_OK ||
        mpg123_getformat(mpg, &rate, &n_channels, &encoding) != MPG123_OK ||
        encoding != MPG123_ENC_FLOAT_32 || rate <= 0 || n_channels < 1)
        return false;
    *rate_hz = (unsigned)rate;
    *channels = (unsigned)n_channels;
    return true;
}

enum vp_status mp3_decoder_open(struct bytes stream, struct mp3_decoder **out, unsigned *rate_hz,
                                unsigned *channels, struct vp_err *err)
{
    *out = NULL;
    struct mp3_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL)
        return status_no_memory(err, "an MP3 decoder", sizeof *decoder);
    decoder->stream = stream;
    decoder->mpg = mpg123_new(NULL, NULL); /* needs no mpg123_init since 1.27 */
    if (decoder->mpg == NULL) {
        free(decoder);
        return status_fail(err, VP_ERR_NO_MEMORY, "no memory for an MP3 decoder");
    }
    if (!start(decoder, rate_hz, channels)) {
        mp3_decoder_close(decoder);
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the mp3 file cannot be decoded: its first frames are damaged");
    }
    *out = decoder;
    return VP_OK;
}

void mp3_decoder_close(struct mp3_decoder *decoder)
{
    if (decoder != NULL)
        mpg123_delete(decoder->mpg);
    free(decoder);
}

bool mp3_decoder_read(struct mp3_decoder *decoder, float *interleaved, size_t n, size_t *n_read,
                      const char **reason)
{
    *n_read = 0;
    decoder->n_taken = 0;
    while (*n_read < n) {
        size_t n_bytes = 0;
        const int status = mpg123_read(decoder->mpg, (unsigned char *)(interleaved + *n_read),
                                       (n - *n_read) * sizeof *interleaved, &n_bytes);
        *n_read += n_bytes / sizeof *interleaved;
        if (status == MPG123_DONE)
            return true;
        if (status != MPG123_OK) {
            decoder->has_changed = status == MPG123_NEW_FORMAT;
            *reason = decoder->has_changed ? "another sample rate or number of channels begins"
                                           : "bad frames";
            return false;
        }
    }
    return true;
}

bool mp3_decoder_has_changed(const struct mp3_decoder *decoder)
{
    return decoder->has_changed;
}

bool mp3_decoder_wants_more(const struct mp3_decoder *decoder)
{
    return decoder->wants_more;
}

size_t mp3_decoder_position(const struct mp3_decoder *decoder)
{
    return decoder->position;
}
