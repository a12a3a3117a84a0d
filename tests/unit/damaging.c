#include "damaging.h"

void put_little(unsigned char *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

void put_big(unsigned char *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[n - 1 - i] = (unsigned char)(value >> 8 * i);
}

struct audio_file wrap(const void *before, size_t n_before, struct audio_file file,
                       const void *after, size_t n_after)
{
    unsigned char *bytes = malloc(n_before + file.n + n_after);
    assert_non_null(bytes);
    memcpy(bytes, before, n_before);
    memcpy(bytes + n_before, file.bytes, file.n);
    memcpy(bytes + n_before + file.n, after, n_after);
    struct audio_file all = audio_file_copy(bytes, n_before + file.n + n_after);
    free(bytes);
    audio_file_free(&file);
    return all;
}

void cut_out(struct audio_file *file, size_t at, size_t n)
{
    memmove(file->bytes + at, file->bytes + at + n, file->n - at - n);
    file->n -= n;
}

size_t find_id(const struct audio_file *file, const char *id)
{
    for (size_t i = 0; i + 4 <= file->n; i++)
        if (memcmp(file->bytes + i, id, 4) == 0)
            return i;
    fail_msg("no %s", id);
    return 0;
}

static float good_samples[10 * 16000];
size_t n_good;

void remember(struct audio_file file)
{
    if (decoding_of(file.bytes, file.n) != VP_OK)
        fail_msg("the good file: %s", decoded.err.message);
    assert_int_equal(decoded.info.warnings & (MISMATCH | DAMAGED), 0);
    n_good = decoded.buffer.n_samples;
    assert_true(n_good <= sizeof good_samples / sizeof good_samples[0]);
    memcpy(good_samples, decoded.buffer.samples, n_good * sizeof good_samples[0]);
}

void expect_same(const char *what, struct audio_file file, unsigned warnings)
{
    if (decoding_of(file.bytes, file.n) != VP_OK)
        fail_msg("%s: %s", what, decoded.err.message);
    if (decoded.buffer.n_samples != n_good ||
        memcmp(decoded.buffer.samples, good_samples, n_good * sizeof good_samples[0]) != 0)
        fail_msg("%s: other samples, %zu of them, not %zu", what, decoded.buffer.n_samples, n_good);
    if ((decoded.info.warnings & (MISMATCH | DAMAGED)) != warnings)
        fail_msg("%s: warnings %x", what, decoded.info.warnings);
    audio_file_free(&file);
}

void expect_samples(const char *what, struct audio_file file, size_t n_samples, unsigned warnings)
{
    if (decoding_of(file.bytes, file.n) != VP_OK)
        fail_msg("%s: %s", what, decoded.err.message);
    const size_t n = decoded.buffer.n_samples;
    if (n > n_samples || n + 10 < n_samples)
        fail_msg("%s: %zu samples, not %zu", what, n, n_samples);
    if ((decoded.info.warnings & (MISMATCH | DAMAGED)) != warnings)
        fail_msg("%s: warnings %x", what, decoded.info.warnings);
    audio_file_free(&file);
}

void expect_refused(const char *what, struct audio_file file, unsigned warnings)
{
    if (decoding_of(file.bytes, file.n) != VP_ERR_AUDIO_UNDECODABLE)
        fail_msg("%s: %s %s", what, vp_status_name(decoded.err.status), decoded.err.message);
    if (strstr(decoded.err.message, "on_damage=accept") == NULL)
        fail_msg("%s: no remedy is named: %s", what, decoded.err.message);
    decoded.options.accept_damage = true;
    const enum vp_status status = decoding_of(file.bytes, file.n);
    decoded.options.accept_damage = false;
    if (status != VP_OK)
        fail_msg("%s, damage accepted: %s", what, decoded.err.message);
    if ((decoded.info.warnings & (MISMATCH | DAMAGED)) != warnings)
        fail_msg("%s: warnings %x", what, decoded.info.warnings);
    audio_file_free(&file);
}
