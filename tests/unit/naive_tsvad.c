/* The definition, one loop per index. */
#include "naive_tsvad.h"

#include <math.h>

#include "loader/safetensors.h"
#include "naive_net.h"
#include "unit.h"

#define N_ROW        28u
#define N_CHANNELS   48u
#define MOST_FRAMES  NAIVE_TSVAD_MOST
#define OTHERS_LEAST (-0.3) /* of another voice's cosine */

/* Of the header: name, taps (0: a linear layer), how far they are apart, values in and out. */
static const struct shape {
    const char *name;
    size_t n_taps, apart, n_in, n_out;
} shapes[] = {
    {"proj", 0, 1, NAIVE_TSVAD_ROWS, 16},
    {"inp", 3, 1, N_ROW, N_CHANNELS},
    {"mid.0", 5, 1, N_CHANNELS, N_CHANNELS},
    {"mid.1", 5, 2, N_CHANNELS, N_CHANNELS},
    {"mid.2", 5, 4, N_CHANNELS, N_CHANNELS},
    {"mid.3", 5, 2, N_CHANNELS, N_CHANNELS},
    {"out", 1, 1, N_CHANNELS, 4},
};

const char naive_tsvad_digest[] =
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* ---- nets ----------------------------------------------------------------------------------- */

void naive_tsvad_add(struct draft_safetensors *draft, const char *name, const char *part,
                     json_t *shape, size_t n, double scale, uint64_t *seed)
{
    char key[32];
    const size_t begin = draft->n_data;
    snprintf(key, sizeof key, "%s.%s", name, part);
    draft_safetensors_grow(draft, n * sizeof(float));
    json_object_set_new(draft->header, key,
                        json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape,
                                  "data_offsets", (json_int_t)begin, (json_int_t)draft->n_data));
    float *values = draft_safetensors_values(draft, key);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(scale * naive_random(seed));
}

struct draft_safetensors naive_tsvad_random(uint64_t seed)
{
    struct draft_safetensors draft = {.header = json_object()};
    json_object_set_new(draft.header, "__metadata__", json_object());
    draft_safetensors_metadata(&draft, "model_digest", naive_tsvad_digest);
    for (size_t i = 0; i < NAIVE_TSVAD_LAYERS; i++) {
        const struct shape *s = &shapes[i];
        const size_t n_taps = s->n_taps > 0 ? s->n_taps : 1;
        json_t *dims = json_pack("[i,i]", (int)s->n_out, (int)s->n_in);
        if (s->n_taps > 0)
            json_array_append_new(dims, json_integer((json_int_t)n_taps));
        naive_tsvad_add(&draft, s->name, "weight", dims, s->n_out * s->n_in * n_taps,
                        sqrt(3.0 / (double)(s->n_in * n_taps)), &seed);
        naive_tsvad_add(&draft, s->name, "bias", json_pack("[i]", (int)s->n_out), s->n_out, 0.1,
                        &seed);
    }
    return draft;
}

static float *read_tensor(const struct safetensors *file, const char *name, const char *part)
{
    char key[32];
    struct vp_err err;
    snprintf(key, sizeof key, "%s.%s", name, part);
    for (size_t i = 0; i < file->n_tensors; i++) {
        if (strcmp(file->tensors[i].name, key) != 0)
            continue;
        float *values = calloc(file->tensors[i].n_values, sizeof *values);
        assert_non_null(values);
        assert_int_equal(tensor_read_floats(&file->tensors[i], values, &err), VP_OK);
        return values;
    }
    fail_msg("no tensor %s", key);
    return NULL;
}

struct naive_tsvad naive_tsvad_open(struct draft_safetensors draft)
{
    struct naive_tsvad twin = {0};
    struct vp_err err = {0};
    struct safetensors file;
    struct metadata metadata = {0};
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(&draft, &n_bytes);
    assert_int_equal(safetensors_open(bytes, n_bytes, &file, &metadata, &err), VP_OK);
    for (size_t i = 0; i < NAIVE_TSVAD_LAYERS; i++) {
        twin.weight[i] = read_tensor(&file, shapes[i].name, "weight");
        twin.bias[i] = read_tensor(&file, shapes[i].name, "bias");
    }
    safetensors_close(&file);
    metadata_clear(&metadata);
    if (tsvad_new(bytes, n_bytes, &twin.tsvad, &err) != VP_OK)
        fail_msg("%s", err.message);
    free(bytes);
    draft_safetensors_close(&draft);
    return twin;
}

void naive_tsvad_close(struct naive_tsvad *twin)
{
    for (size_t i = 0; i < NAIVE_TSVAD_LAYERS; i++) {
        free(twin->weight[i]);
        free(twin->bias[i]);
    }
    tsvad_free(twin->tsvad);
}

/* ---- the definition ------------------------------------------------------------------------- */

void naive_tsvad_layer(const struct naive_tsvad *twin, size_t layer, const double *x, size_t n,
                       double *y)
{
    const struct shape *s = &shapes[layer];
    const long n_taps = s->n_taps > 0 ? (long)s->n_taps : 1;
    for (size_t t = 0; t < n; t++)
        for (size_t o = 0; o < s->n_out; o++) {
            double sum = (double)twin->bias[layer][o];
            for (long k = 0; k < n_taps; k++) {
                const long from = (long)t + (k - n_taps / 2) * (long)s->apart;
                for (size_t i = 0; from >= 0 && from < (long)n && i < s->n_in; i++)
                    sum += (double)
                               twin->weight[layer][(o * s->n_in + i) * (size_t)n_taps + (size_t)k] *
                           x[(size_t)from * s->n_in + i];
            }
            y[t * s->n_out + o] = sum;
        }
}

static double relu(double x)
{
    return x > 0.0 ? x : 0.0;
}

void naive_tsvad_run(const struct naive_tsvad *twin, const struct tsvad_input *in, size_t voice,
                     double *wanted)
{
    static double row[MOST_FRAMES * N_ROW], state[MOST_FRAMES * N_CHANNELS];
    static double change[MOST_FRAMES * N_CHANNELS];
    for (size_t t = 0; t < in->n_frames; t++)
        for (size_t s = 0; s < 4; s++) {
            double nearest = OTHERS_LEAST;
            for (size_t v = 0; v < in->n_voices; v++)
                if (v != voice)
                    nearest = fmax(nearest, (double)in->cosines[(t * in->n_voices + v) * 4 + s]);
            row[t * N_ROW + s] = (double)in->cosines[(t * in->n_voices + voice) * 4 + s];
            row[t * N_ROW + 4 + s] = nearest;
            row[t * N_ROW + 8 + s] = (double)in->speech[t * 4 + s];
            for (size_t i = 0; i < 4; i++)
                row[t * N_ROW + 12 + 4 * s + i] = (double)in->projected[t * 16 + 4 * s + i];
        }
    naive_tsvad_layer(twin, 1, row, in->n_frames, state);
    for (size_t i = 0; i < in->n_frames * N_CHANNELS; i++)
        state[i] = relu(state[i]);
    for (size_t layer = 2; layer < 6; layer++) {
        naive_tsvad_layer(twin, layer, state, in->n_frames, change);
        for (size_t i = 0; i < in->n_frames * N_CHANNELS; i++)
            state[i] += relu(change[i]);
    }
    naive_tsvad_layer(twin, 6, state, in->n_frames, wanted);
    for (size_t i = 0; i < in->n_frames * 4; i++)
        wanted[i] = 1.0 / (1.0 + exp(-wanted[i]));
}
