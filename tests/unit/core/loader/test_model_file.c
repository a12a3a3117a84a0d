/* A model file that changes while it is read is an error, never a signal. */
#include "unit.h"

#include "loader/model_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_BYTES = 4 << 20, N_ROUNDS = 100 };

static void a_file_is_read_whole(void **state)
{
    (void)state;
    struct model_file file;
    struct vp_err err = {0};
    struct stat facts;
    const char path[] = "tests/golden/models/tiny.safetensors";
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(model_file_read(path, &file, &err), VP_OK);
    assert_int_equal(file.n_bytes, facts.st_size);
    assert_int_equal((uintptr_t)file.bytes % 64, 0);
    assert_non_null(memmem(file.bytes, file.n_bytes, "__metadata__", 12));
    model_file_free(&file);
    assert_null(file.bytes);
}

/* The kernel says 4096 bytes of such a file, and gives a few. */
static void a_file_that_ends_early_is_refused(void **state)
{
    (void)state;
    const char path[] = "/sys/devices/system/cpu/online";
    struct stat facts;
    struct model_file file;
    struct vp_err err = {0};
    if (stat(path, &facts) != 0 || facts.st_size < 64)
        skip();
    assert_int_equal(model_file_read(path, &file, &err), VP_ERR_IO);
    assert_non_null(strstr(err.message, "changed while it was read"));
    assert_non_null(strstr(err.message, "rename"));
    model_file_free(&file);
}

struct writer {
    int fd;
    atomic_bool stop;
};

static void *cut_and_fill(void *argument)
{
    struct writer *writer = argument;
    while (!atomic_load(&writer->stop)) {
        if (ftruncate(writer->fd, N_BYTES / 3) != 0 || ftruncate(writer->fd, N_BYTES) != 0)
            return argument;
        usleep(500); /* so that some readings come through */
    }
    return NULL;
}

static void a_file_that_is_cut_meanwhile_raises_no_signal(void **state)
{
    (void)state;
    char path[] = "/tmp/vp-model-XXXXXX";
    struct writer writer = {.fd = mkstemp(path)};
    struct vp_err err = {0};
    pthread_t thread;
    void *failed = NULL;
    size_t n_refused = 0;
    assert_true(writer.fd >= 0);
    assert_int_equal(ftruncate(writer.fd, N_BYTES), 0);
    assert_int_equal(pthread_create(&thread, NULL, cut_and_fill, &writer), 0);
    for (size_t i = 0; i < N_ROUNDS; i++) {
        struct model_file file;
        enum vp_status status = model_file_read(path, &file, &err);
        volatile unsigned char sum = 0;
        for (size_t at = 0; status == VP_OK && at < file.n_bytes; at += 4096)
            sum = (unsigned char)(sum + ((unsigned char *)file.bytes)[at]); /* as a loader would */
        assert_true(status == VP_OK || status == VP_ERR_IO);
        n_refused += status == VP_ERR_IO;
        model_file_free(&file);
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, &failed);
    close(writer.fd);
    unlink(path);
    assert_null(failed);
    assert_true(n_refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_file_that_ends_early_is_refused),
        cmocka_unit_test(a_file_that_is_cut_meanwhile_raises_no_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
