/* Recordings made at test time. */
#include "audio_file.h"

#include <math.h>
#include <sndfile.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

void audio_file_buzz(float *samples, size_t n, double rate_hz)
{
    uint32_t seed = 5;
    double phase = 0.0, low = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double s = (double)i / rate_hz;
        seed = seed * 1664525u + 1013904223u;
        const double noise = (double)(seed >> 8) / (double)(1 << 23) - 1.0;
        phase += (130.0 + 30.0 * sin(4.0 * s)) / rate_hz;
        const double envelope = fmax(0.003, sin(2.0 * PI * 2.0 * s + 0.5));
        const double buzz = envelope * (0.5 * (phase - floor(phase) - 0.5) + 0.05 * noise);
        low += (buzz - low) * fmin(1.0, 12000.0 / rate_hz); /* softens the saw's edges */
        samples[i] = (float)low;
    }
}

void audio_file_talk(float *samples, size_t n)
{
    float *other = calloc(n + 1, sizeof *other);
    if (other == NULL)
        abort();
    audio_file_buzz(samples, n, 16000.0);
    audio_file_buzz(other, n, 10000.0);
    for (size_t i = 0; i < n; i++) {
        const double at_s = fmod((double)i / 16000.0, 3.4);
        samples[i] =
            (at_s < 1.7 || at_s >= 3.2 ? samples[i] : 0.0F) + (at_s >= 1.5 ? other[i] : 0.0F);
    }
    free(other);
}

/* ---- libsndfile into memory ----------------------------------------------------------------- */

struct sink {
    struct audio_file file;
    size_t capacity, position;
};

static sf_count_t on_length(void *user)
{
    return (sf_count_t)((struct sink *)user)->file.n;
}

static sf_count_t on_tell(void *user)
{
    return (sf_count_t)((struct sink *)user)->position;
}

static sf_count_t on_seek(sf_count_t offset, int whence, void *user)
{
    struct sink *sink = user;
    const size_t base = whence == SEEK_CUR ? sink->position : whence == SEEK_END ? sink->file.n : 0;
    sink->position = (size_t)((sf_count_t)base + offset);
    return (sf_count_t)sink->position;
}

static sf_count_t on_read(void *into, sf_count_t n, void *user)
{
    struct sink *sink = user;
    const size_t rest = sink->position < sink->file.n ? sink->file.n - sink->position : 0;
    const size_t n_here = (size_t)n < rest ? (size_t)n : rest;
    memcpy(into, sink->file.bytes + sink->position, n_here);
    sink->position += n_here;
    return (sf_count_t)n_here;
}

static sf_count_t on_write(const void *from, sf_count_t n, void *user)
{
    struct sink *sink = user;
    const size_t end = sink->position + (size_t)n;
    if (end > sink->capacity) {
        fprintf(stderr, "audio_file: more than %zu bytes\n", sink->capacity);
        abort();
    }
    memcpy(sink->file.bytes + sink->position, from, (size_t)n);
    sink->position = end;
    sink->file.n = end > sink->file.n ? end : sink->file.n;
    return n;
}

struct audio_file audio_file_write(int sf_format, int rate_hz, int channels, const float *samples,
                                   size_t n)
{
    struct sink sink = {.capacity = n * (size_t)channels * 8 + (1 << 20)};
    sink.file.bytes = calloc(1, sink.capacity);
    SF_VIRTUAL_IO io = {on_length, on_seek, on_read, on_write, on_tell};
    SF_INFO info = {.samplerate = rate_hz, .channels = channels, .format = sf_format};
    SNDFILE *file = sink.file.bytes != NULL ? sf_open_virtual(&io, SFM_WRITE, &info, &sink) : NULL;
    if (file == NULL || sf_writef_float(file, samples, (sf_count_t)n) != (sf_count_t)n ||
        sf_close(file) != 0) {
        fprintf(stderr, "audio_file: libsndfile cannot write format %x at %d Hz: %s\n",
                (unsigned)sf_format, rate_hz, sf_strerror(NULL));
        abort();
    }
    struct audio_file exact = audio_file_copy(sink.file.bytes, sink.file.n);
    free(sink.file.bytes);
    return exact;
}

struct audio_file audio_file_of_buzz(int sf_format, int rate_hz, int channels, double seconds)
{
    const size_t n = (size_t)(seconds * rate_hz), n_channels = (size_t)channels;
    float *mono = calloc(n + 1, sizeof *mono);
    float *all = calloc(n * n_channels + 1, sizeof *all);
    if (mono == NULL || all == NULL)
        abort();
    audio_file_buzz(mono, n, rate_hz);
    for (size_t i = 0; i < n * n_channels; i++)
        all[i] = mono[i / n_channels];
    struct audio_file file = audio_file_write(sf_format, rate_hz, channels, all, n);
    free(mono);
    free(all);
    return file;
}

struct audio_file audio_file_copy(const void *bytes, size_t n)
{
    struct audio_file file = {malloc(n > 0 ? n : 1), n};
    if (file.bytes == NULL)
        abort();
    if (n > 0)
        memcpy(file.bytes, bytes, n);
    return file;
}

void audio_file_free(struct audio_file *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}
