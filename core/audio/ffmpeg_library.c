/* dlopen, once. */
#include "audio/ffmpeg_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Of one block inside the libraries: an index of 1.4 million packets, nine hours of AAC. */
#define MOST_ALLOCATION ((size_t)32 << 20)

static struct ffmpeg_library library;
static bool is_loaded;

static void load(void)
{
    /* never closed; its symbols are found in what it depends on, too */
    void *handle = dlopen("libavformat.so." FFMPEG_LIBRARY_VERSION, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return;
    const struct {
        const char *name;
        void *into;
    } functions[] = {
#define FFMPEG_ENTRY(name) {#name, &library.name},
        FFMPEG_FUNCTIONS(FFMPEG_ENTRY)
#undef FFMPEG_ENTRY
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *address = dlsym(handle, functions[i].name);
        if (address == NULL)
            return;
        /* ISO C has no conversion from an object's address to a function's; POSIX says they look
         * the same */
        memcpy(functions[i].into, &address, sizeof address);
    }
    library.av_log_set_level(AV_LOG_QUIET); /* it would write to stderr what a file makes it say */
    library.av_max_alloc(MOST_ALLOCATION);
    is_loaded = true;
}

const struct ffmpeg_library *ffmpeg_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return is_loaded ? &library : NULL;
}
