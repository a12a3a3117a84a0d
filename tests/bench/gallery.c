/*
 * Finding out of many voices who speaks:
 *
 *   gallery [N...]        (default: 1000 10000 100000 1000000 voices)
 *
 * prints what it takes to compare one embedding of 256 numbers with all of them and to weigh them
 * (identify(), five candidates), and to make the gallery with one voice changed, as a writer does
 * while others read; CPU time of one thread, the least and the middle of some runs. And the memory
 * that the gallery fills. Embeddings are random: time does not depend on them.
 */
#include "voices/identify.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DIM = 256, N_RUNS = 31, TOP = 5 };

static const struct decision decision = {.has_threshold = true,
                                         .has_calibration = true,
                                         .threshold = 0.6,
                                         .slope = 21.6,
                                         .offset = -13.1,
                                         .unknown_prior = 0.5};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static double resident_mib(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file != NULL)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static void no_memory(void)
{
    fputs("gallery: no memory\n", stderr);
    exit(1);
}

/* Normalised, by a generator of its own. */
static void draw(uint64_t *seed, float row[DIM])
{
    double squared = 0.0;
    for (size_t i = 0; i < DIM; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        row[i] = (float)(*seed >> 40) / 8388608.0F - 1.0F;
        squared += (double)row[i] * (double)row[i];
    }
    const float scale = (float)(1.0 / sqrt(squared));
    for (size_t i = 0; i < DIM; i++)
        row[i] *= scale;
}

static struct voice *make_voice(size_t number)
{
    char id[32];
    snprintf(id, sizeof id, "voice-%09zu", number);
    struct voice *voice = voice_new(id, 1);
    if (voice == NULL)
        no_memory();
    voice->enrolled = true;
    return voice;
}

static struct gallery *make_gallery(size_t n, uint64_t *seed)
{
    float row[DIM];
    struct gallery *gallery = gallery_new("default", "sha256:0", DIM);
    for (size_t i = 0; i < n && gallery != NULL; i++) {
        struct voice *voice = make_voice(i);
        draw(seed, row);
        gallery = gallery_append(gallery, voice, row);
        voice_release(voice);
    }
    if (gallery == NULL)
        no_memory();
    return gallery;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(size_t n)
{
    uint64_t seed = n;
    float probe[DIM];
    double search_ms[N_RUNS], write_ms[N_RUNS];
    struct identification found;
    const double before_mib = resident_mib();
    struct gallery *gallery = make_gallery(n, &seed);
    const double filled_mib = resident_mib() - before_mib;
    for (size_t r = 0; r < N_RUNS; r++) {
        draw(&seed, probe);
        double begun = now_ms();
        identify(gallery, probe, &decision, TOP, &found);
        search_ms[r] = now_ms() - begun;
        struct voice *voice = make_voice((size_t)(seed >> 33) % n);
        begun = now_ms();
        struct gallery *changed = gallery_with(gallery, voice, probe);
        write_ms[r] = now_ms() - begun;
        if (changed == NULL)
            no_memory();
        gallery_release(changed);
        voice_release(voice);
    }
    qsort(search_ms, N_RUNS, sizeof *search_ms, ascending);
    qsort(write_ms, N_RUNS, sizeof *write_ms, ascending);
    printf("| %zu | %.3f | %.3f | %.3f | %.1f |\n", found.n_voices, search_ms[0],
           search_ms[N_RUNS / 2], write_ms[N_RUNS / 2], filled_mib);
    gallery_release(gallery);
}

int main(int argc, char **argv)
{
    openblas_set_num_threads(1);
    puts("| voices | search, ms | in the middle | one change, ms | MiB |\n|---|---|---|---|---|");
    if (argc < 2)
        for (size_t n = 1000; n <= 1000000; n *= 10)
            measure(n);
    for (int i = 1; i < argc; i++) {
        const size_t n = strtoul(argv[i], NULL, 10);
        if (n == 0) {
            fprintf(stderr, "gallery: %s is no number of voices\n", argv[i]);
            return 2;
        }
        measure(n);
    }
    return 0;
}
