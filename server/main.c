/* voiceprintd: reads the configuration, then starts, runs and ends the service. */
#include "config/probe.h"
#include "sandbox/sandbox.h"
#include "sandbox/serve.h"
#include "server.h"
#include "util/crash.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/version.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* From here on an allocation has pages of its own, which go back when it is freed: uploads and
 * decoded sound. On the heap they leave holes behind, and glibc raises this limit by itself as such
 * blocks are freed: resident memory grew by 4.9 % under overload, by 1.3 % with this. */
enum { EXIT_CONFIG = 2, OWN_PAGES_BYTES = 64 * 1024 };

extern char **environ;

static int serve(const struct config *config)
{
    struct vp_err err;
    struct sandbox *sandbox = NULL;
    if (!config->decodes_inline && (sandbox = sandbox_new(serve_recordings, &err)) == NULL) {
        fprintf(stderr, "voiceprintd: %s\n", err.message);
        return EXIT_FAILURE;
    }
    crash_install(); /* decoders crash in silence */
    fault_init();
    struct server *server = malloc(sizeof *server);
    if (server == NULL) {
        fputs("voiceprintd: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    if (server_open(server, config, sandbox, &err))
        status = server_run(server);
    else /* whatever was opened goes with the process */
        _exit((fprintf(stderr, "voiceprintd: %s\n", err.message), EXIT_FAILURE));
    server_close(server);
    sandbox_free(sandbox);
    free(server);
    return status;
}

/* Where 0, 1 or 2 is closed, the next socket would get that number, and with it our log. */
static bool open_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
    return fd >= 0;
}

/* A misspelt path is worth an immediate end; what is wrong inside the file shows in /readyz. */
static bool model_is_there(const struct config *config)
{
    if (access(config->model, R_OK) == 0)
        return true;
    fprintf(stderr, "voiceprintd: model = \"%s\" cannot be read; say --model FILE\n",
            config->model);
    return false;
}

int main(int argc, char **argv)
{
    if (!open_standard_descriptors())
        return EXIT_FAILURE;
    static struct config config;
    struct config_error error;
    enum config_action action;
    if (!config_load(argc, argv, environ, &config, &action, &error)) {
        fprintf(stderr, "voiceprintd: %s\n", error.message);
        return EXIT_CONFIG;
    }
    switch (action) {
    case CONFIG_HELP:
        config_help(stdout);
        return EXIT_SUCCESS;
    case CONFIG_VERSION:
        printf("voiceprintd %s\n", version_text);
        return EXIT_SUCCESS;
    case CONFIG_PRINT:
        config_print(&config, stdout);
        return EXIT_SUCCESS;
    case CONFIG_CHECK:
        if (!model_is_there(&config))
            return EXIT_CONFIG;
        puts("the configuration is good");
        return EXIT_SUCCESS;
    case CONFIG_PROBE:
        return probe_readyz(&config) ? EXIT_SUCCESS : EXIT_FAILURE;
    case CONFIG_RUN:
        break;
    }
    log_init(config.log_format, config.log_level);
    mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES);
    return model_is_there(&config) ? serve(&config) : EXIT_CONFIG;
}
