/*
 * The network alone, driven line by line, so that a benchmark can alternate it with another
 * runtime:
 *
 *   forward MODEL KERNEL        then, on standard input, lines of
 *   FILE FRAMES                 float32 features [FRAMES, n_mels], raw
 *
 * answers each line with one: milliseconds of one forward pass, milliseconds of the CPU in it, then
 * the embedding's numbers.
 */
#include "loader/net_load.h"
#include "network/network.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MOST_FRAMES 60000u

static double now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static int give_up(const char *message)
{
    fprintf(stderr, "%s\n", message);
    return 1;
}

static bool read_features(const char *path, float *features, size_t n)
{
    FILE *file = fopen(path, "rb");
    const bool whole = file != NULL && fread(features, sizeof *features, n, file) == n;
    if (file != NULL)
        fclose(file);
    return whole;
}

static int serve(struct network_state *state, const struct net *net)
{
    float *features = malloc(MOST_FRAMES * net->n_mels * sizeof *features);
    float *embedding = malloc(net->dim * sizeof *embedding);
    if (features == NULL || embedding == NULL)
        return give_up("no memory");
    char path[1024];
    size_t n_frames;
    while (scanf("%1023s %zu", path, &n_frames) == 2) {
        struct vp_err err;
        if (n_frames > MOST_FRAMES || !read_features(path, features, n_frames * net->n_mels))
            return give_up("cannot read the features");
        const double start = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
        if (network_forward(state, features, n_frames, embedding, NULL, NULL, &err) != VP_OK)
            return give_up(err.message);
        printf("%.4f %.4f", now_ms(CLOCK_MONOTONIC) - start, now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu);
        for (size_t i = 0; i < net->dim; i++)
            printf(" %.9g", (double)embedding[i]);
        printf("\n");
        fflush(stdout);
    }
    free(features);
    free(embedding);
    return 0;
}

int main(int argc, char **argv)
{
    struct net *net = NULL;
    struct network *network = NULL;
    struct network_state *state = NULL;
    struct vp_err err;
    const char *format;
    char digest[72];
    enum vp_kernel kernel;
    if (argc != 3 || !vp_kernel_parse(argv[2], &kernel))
        return give_up("usage: forward MODEL blas|avx2|avx512|neon");
    openblas_set_num_threads(1);
    if (net_load(argv[1], &net, &format, digest, &err) != VP_OK)
        return give_up(err.message);
    const double start = now_ms(CLOCK_MONOTONIC);
    if (network_new(net, kernel, &network, &err) != VP_OK ||
        network_state_new(network, MOST_FRAMES, 1, &state, &err) != VP_OK)
        return give_up(err.message);
    fprintf(stderr, "%s: packed in %.0f ms, %.1f MiB shared, %.1f MiB a worker\n", argv[2],
            now_ms(CLOCK_MONOTONIC) - start, (double)network_bytes(network) / 1048576.0,
            (double)network_state_bytes(state) / 1048576.0);
    const int status = serve(state, net);
    network_state_free(state);
    network_free(network);
    net_free(net);
    return status;
}
