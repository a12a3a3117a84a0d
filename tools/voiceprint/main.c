/* voiceprint: speaker embeddings on the command line. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct command *const commands[] = {
    &command_embed, &command_compare, &command_info,    &command_fbank,   &command_stages,
    &command_bench, &command_score,   &command_segment, &command_diarize,
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *to)
{
    fprintf(to, "usage: voiceprint COMMAND [OPTION...] [FILE...]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to,
            "\n`voiceprint COMMAND --help` explains one. Exit status: 0 all went well, 1 a file "
            "or the\nmodel failed, 2 the command line is wrong.\n\n%s",
            cli_model_help);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return EXIT_GOOD;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(name, commands[i]->name) != 0)
            continue;
        struct cli cli;
        const int status = cli_parse(commands[i], argc - 1, argv + 1, &cli);
        return status >= 0 ? status : commands[i]->run(&cli);
    }
    print_usage(stderr);
    return EXIT_USAGE;
}
