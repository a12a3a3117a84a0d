/* Last words. Everything in the handler is async-signal-safe but backtrace, warmed up at start. */
#include "util/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FRAMES = 48 };

static _Thread_local const char *current_request;
static _Thread_local const char *current_thread = "the loop";

void crash_set_thread(const char *name)
{
    current_thread = name;
}

void crash_set_request(const char *request_id)
{
    current_request = request_id;
}

static void put(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = write(STDERR_FILENO, text, left);
        if (n <= 0)
            return;
        text += n;
        left -= (size_t)n;
    }
}

static void put_backtrace(void)
{
    void *frames[MAX_FRAMES];
    int n = backtrace(frames, MAX_FRAMES);
    backtrace_symbols_fd(frames, n, STDERR_FILENO);
}

static void on_fatal_signal(int signal_number)
{
    char digits[3] = {(char)('0' + signal_number / 10 % 10), (char)('0' + signal_number % 10), 0};
    put("voiceprintd: fatal signal ");
    put(digits);
    put(", request ");
    put(current_request != NULL ? current_request : "none");
    put(", on ");
    put(current_thread);
    put("\n");
    put_backtrace();
    raise(signal_number); /* SA_RESETHAND: the default action, a core where cores are wanted */
}

void crash_install(void)
{
    void *frames[1];
    (void)backtrace(frames, 1); /* loads libgcc now, so that the handler need not allocate */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_handler = on_fatal_signal};
    sigemptyset(&action.sa_mask);
    action.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
#else
    (void)on_fatal_signal; /* the sanitizers report better */
#endif
}

_Noreturn void crash_bug(const char *file, int line, const char *condition)
{
    fprintf(stderr, "voiceprintd: broken invariant at %s:%d: %s, request %s\n", file, line,
            condition, current_request != NULL ? current_request : "none");
    abort();
}
