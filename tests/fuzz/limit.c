/*
 * A limit of processor time for each input, around a fuzz target: work that grows faster than its
 * input is a fault as a crash is. Processor time, not the clock's, so that a busy machine is not
 * taken for one. Linked with --wrap=LLVMFuzzerTestOneInput.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum { LIMIT_S = 5 }; /* the seeds take up to 0.6 s under AddressSanitizer */

int __real_LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
int __wrap_LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void on_limit(int number)
{
    (void)number;
    static const char said[] = "ERROR: this input takes more processor time than any may\n";
    ssize_t written = write(STDERR_FILENO, said, sizeof said - 1);
    (void)written;
    abort(); /* libFuzzer keeps the input */
}

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct itimerval limit = {.it_value = {.tv_sec = LIMIT_S}};
    signal(SIGVTALRM, on_limit);
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    const int status = __real_LLVMFuzzerTestOneInput(bytes, n_bytes);
    limit.it_value.tv_sec = 0;
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    return status;
}
