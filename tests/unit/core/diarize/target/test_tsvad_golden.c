/*
 * The net that follows voices against PyTorch: what it takes from the trunk and from the speech
 * detector, and its probabilities of recordings shorter than its reach and longer than a call, of a
 * voice alone and of three, whole and in pieces.
 */
#include "unit.h"

#include "diarize/target/tsvad.h"
#include "draft_safetensors.h"
#include "npy.h"

#include <glob.h>
#include <math.h>

#define GOLDEN "tests/golden/tsvad/"

/* float32 against float64: three times the largest difference that OpenBLAS' kernels for x86-64
 * show (Prescott, Haswell, Zen, SkylakeX, Cooperlake). */
#define BAR           8e-7   /* of a probability */
#define BAR_PROJECTED 1.2e-5 /* sums of 2560 products, up to 2.1 */
#define BAR_SPEECH    1.3e-4 /* float32 knows how far a probability is from 1 to 3e-8 */

#define N_FRAMES       300u
#define N_VOICES       3u
#define N_TRUNK_FRAMES 5u
#define ROLL           7u
#define N_ARRAYS       16u

static struct npy trunk, projected, detector, speech, cosines;
static struct tsvad *net;

static bool load(const char *name, size_t n, struct npy *out)
{
    char path[64];
    (void)snprintf(path, sizeof path, GOLDEN "%s.npy", name);
    return npy_load(path, out) && out->n == n;
}

static int read_golden(void **state)
{
    (void)state;
    if (!load("trunk", N_TRUNK_FRAMES * TSVAD_TRUNK_ROWS, &trunk) ||
        !load("projected", N_FRAMES * TSVAD_N_PROJECTED, &projected) ||
        !load("detector", N_FRAMES * TSVAD_N_PARTS, &detector) ||
        !load("speech", N_FRAMES * TSVAD_N_PARTS, &speech) ||
        !load("cosines", N_FRAMES * N_VOICES * TSVAD_N_SCALES, &cosines))
        return -1;
    size_t n_bytes;
    unsigned char *bytes = draft_read_file(GOLDEN "net.safetensors", &n_bytes);
    struct vp_err err = {0};
    const enum vp_status status = tsvad_new(bytes, n_bytes, &net, &err);
    free(bytes);
    if (status != VP_OK)
        fprintf(stderr, "%s\n", err.message);
    return status == VP_OK ? 0 : -1;
}

static int free_golden(void **state)
{
    (void)state;
    struct npy *const all[] = {&trunk, &projected, &detector, &speech, &cosines};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        npy_free(all[i]);
    tsvad_free(net);
    return 0;
}

/* Fails at the first of n values that is further than bar from PyTorch's, or not a number. */
static void assert_near(const char *what, const float *found, const float *expected, size_t n,
                        double bar)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)found[i] - (double)expected[i]) <= bar))
            fail_msg("%s, value %zu: %.8f, PyTorch says %.8f", what, i, (double)found[i],
                     (double)expected[i]);
}

/* ---- what the net hears --------------------------------------------------------------------- */

/* The recording's trunk: the frames of the file in turn, each rolled a little further. */
static void the_trunk_is_projected_as_pytorch_does(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, N_FRAMES};
    float *rows = malloc(N_FRAMES * TSVAD_TRUNK_ROWS * sizeof *rows);
    assert_non_null(rows);
    for (size_t t = 0; t < N_FRAMES; t++)
        for (size_t i = 0; i < TSVAD_TRUNK_ROWS; i++)
            rows[t * TSVAD_TRUNK_ROWS + i] = trunk.data[t % N_TRUNK_FRAMES * TSVAD_TRUNK_ROWS +
                                                        (i + ROLL * t) % TSVAD_TRUNK_ROWS];
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        float found[N_FRAMES * TSVAD_N_PROJECTED];
        for (size_t t = 0; t < N_FRAMES; t += pieces[i]) {
            const size_t n = pieces[i] < N_FRAMES - t ? pieces[i] : N_FRAMES - t;
            tsvad_project(net, rows + t * TSVAD_TRUNK_ROWS, n, found + t * TSVAD_N_PROJECTED);
        }
        assert_near("projected", found, projected.data, projected.n, BAR_PROJECTED);
    }
    free(rows);
}

static void the_detector_is_heard_as_pytorch_does(void **state)
{
    (void)state;
    float found[N_FRAMES * TSVAD_N_PARTS];
    for (size_t i = 0; i < detector.n; i++)
        found[i] = tsvad_speech(detector.data[i]);
    assert_near("speech", found, speech.data, speech.n, BAR_SPEECH);
}

/* ---- what it says --------------------------------------------------------------------------- */

/* Probabilities [n_voices, n_frames, TSVAD_N_PARTS] of the recording's first frames and voices,
 * `piece` frames a call; 0 takes 1, 2, ... 40 in turn. */
static void run(size_t n_frames, size_t n_voices, size_t piece, float *out)
{
    float of_voices[N_FRAMES * N_VOICES * TSVAD_N_SCALES];
    for (size_t t = 0; t < n_frames; t++)
        memcpy(of_voices + t * n_voices * TSVAD_N_SCALES,
               cosines.data + t * N_VOICES * TSVAD_N_SCALES,
               n_voices * TSVAD_N_SCALES * sizeof *of_voices);
    const struct tsvad_input input = {.n_frames = n_frames,
                                      .n_voices = n_voices,
                                      .cosines = of_voices,
                                      .speech = speech.data,
                                      .projected = projected.data};
    for (size_t voice = 0; voice < n_voices; voice++)
        for (size_t first = 0, turn = 0; first < n_frames; turn++) {
            const size_t wanted = piece > 0 ? piece : 1 + turn % 40;
            const size_t n = wanted < n_frames - first ? wanted : n_frames - first;
            tsvad_run(net, &input, voice, first, n,
                      out + (voice * n_frames + first) * TSVAD_N_PARTS);
            first += n;
        }
}

static void whole_and_in_pieces_it_says_what_pytorch_says(void **state)
{
    (void)state;
    static const size_t pieces[] = {TSVAD_MOST, 0, 1, 2, 7, 19, 20, 99, 151};
    glob_t found;
    assert_int_equal(glob(GOLDEN "t*-k*.npy", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, N_ARRAYS);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct npy expected;
        assert_true(npy_load(found.gl_pathv[i], &expected));
        assert_int_equal(expected.n_dims, 3);
        const size_t n_voices = expected.shape[0], n_frames = expected.shape[1];
        assert_true(n_voices <= N_VOICES && n_frames <= N_FRAMES);
        assert_int_equal(expected.shape[2], TSVAD_N_PARTS);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            float out[N_VOICES * N_FRAMES * TSVAD_N_PARTS];
            char what[128];
            (void)snprintf(what, sizeof what, "%s in pieces of %zu", found.gl_pathv[i], pieces[k]);
            run(n_frames, n_voices, pieces[k], out);
            assert_near(what, out, expected.data, expected.n, BAR);
        }
        npy_free(&expected);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_trunk_is_projected_as_pytorch_does),
        cmocka_unit_test(the_detector_is_heard_as_pytorch_does),
        cmocka_unit_test(whole_and_in_pieces_it_says_what_pytorch_says),
    };
    return cmocka_run_group_tests(tests, read_golden, free_golden);
}
