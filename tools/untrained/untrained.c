/*
 * Writes the model that stands in until trained weights are there: WeSpeaker's ResNet34 with random
 * weights, marked `untrained` so that every answer says so. Seeded: the same weights on every run.
 *
 *   untrained FILE      writes FILE (.safetensors, 26.6 MB), opens it with the engine, runs the
 *                       self-test and writes the file again with the self-test vector
 *
 * He initialisation keeps the scale of activations through the layers; BatchNorm's statistics are
 * what such weights lead one to expect, disturbed, so that no part of the fold is trivial.
 */
#include "voiceprint.h"

#include <jansson.h>
#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MELS      80
#define DIM         256
#define SEED        20200711u
#define NAME_CHARS  64
#define FBANK_POWER 9.0 /* mean square of mean-removed log-mel features of speech */
#define MEAN_SPREAD 0.3 /* of running_mean, in standard deviations of what is normalised */

static const size_t n_blocks[4] = {3, 4, 6, 3};
static const size_t n_channels[4] = {32, 64, 128, 256};

struct draft {
    json_t *header; /* owned: name -> dtype, shape, data_offsets */
    float *values;  /* owned, [n_values]; the data section */
    size_t n_values, capacity;
    uint64_t seed;
};

static void die(const char *what)
{
    fprintf(stderr, "untrained: %s\n", what);
    exit(1);
}

/* Uniform in [0, 1): Steele, Lea and Flood's splitmix64. */
static double uniform(struct draft *draft)
{
    uint64_t z = draft->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0;
}

/* Normal by Box and Muller. */
static double normal(struct draft *draft)
{
    double radius = sqrt(-2.0 * log(1.0 - uniform(draft)));
    return radius * cos(2.0 * 3.14159265358979323846 * uniform(draft));
}

/* A tensor of that name at the end of the data; its values are the caller's to fill. */
static float *add_tensor(struct draft *draft, const char *prefix, const char *suffix,
                         const size_t *dims, size_t n_dims)
{
    char name[NAME_CHARS];
    size_t n = 1;
    json_t *shape = json_array();
    for (size_t i = 0; i < n_dims; i++) {
        n *= dims[i];
        json_array_append_new(shape, json_integer((json_int_t)dims[i]));
    }
    if (n > draft->capacity - draft->n_values)
        die("more values than were planned");
    size_t begin = draft->n_values * sizeof(float), end = begin + n * sizeof(float);
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
                              (json_int_t)begin, (json_int_t)end);
    if (entry == NULL || json_object_set_new(draft->header, name, entry) != 0)
        die("out of memory");
    float *values = draft->values + draft->n_values;
    draft->n_values += n;
    return values;
}

/* BatchNorm over n channels of mean square power; gives unit variance, about, before gain. */
static void add_norm(struct draft *draft, const char *prefix, size_t n, double power, double gain)
{
    float *weight = add_tensor(draft, prefix, ".weight", &n, 1);
    float *bias = add_tensor(draft, prefix, ".bias", &n, 1);
    float *mean = add_tensor(draft, prefix, ".running_mean", &n, 1);
    float *variance = add_tensor(draft, prefix, ".running_var", &n, 1);
    for (size_t i = 0; i < n; i++) {
        weight[i] = (float)(gain * (0.6 + 0.8 * uniform(draft)));
        bias[i] = (float)(0.3 * normal(draft));
        mean[i] = (float)(MEAN_SPREAD * sqrt(power) * normal(draft));
        variance[i] = (float)(power * (0.7 + 0.6 * uniform(draft)));
    }
}

/* Convolution and BatchNorm; power is the mean square of the input. */
static void add_conv(struct draft *draft, const char *conv, const char *norm, size_t n_in,
                     size_t n_out, size_t kernel, double power, double gain)
{
    const size_t dims[] = {n_out, n_in, kernel, kernel};
    size_t fan_in = n_in * kernel * kernel;
    float *weight = add_tensor(draft, conv, ".weight", dims, 4);
    for (size_t i = 0; i < n_out * fan_in; i++)
        weight[i] = (float)(sqrt(2.0 / (double)fan_in) * normal(draft));
    add_norm(draft, norm, n_out, 2.0 * power, gain); /* He: the output has twice the power */
}

static void add_block(struct draft *draft, size_t layer, size_t block, size_t n_in)
{
    char conv[NAME_CHARS], norm[NAME_CHARS];
    size_t n_out = n_channels[layer - 1];
    snprintf(conv, sizeof conv, "layer%zu.%zu.conv1", layer, block);
    snprintf(norm, sizeof norm, "layer%zu.%zu.bn1", layer, block);
    add_conv(draft, conv, norm, n_in, n_out, 3, 1.0, 1.0);
    snprintf(conv, sizeof conv, "layer%zu.%zu.conv2", layer, block);
    snprintf(norm, sizeof norm, "layer%zu.%zu.bn2", layer, block);
    add_conv(draft, conv, norm, n_out, n_out, 3, 0.5, 0.7); /* half its power is lost to ReLU */
    if (n_in == n_out)
        return;
    snprintf(conv, sizeof conv, "layer%zu.%zu.shortcut.0", layer, block);
    snprintf(norm, sizeof norm, "layer%zu.%zu.shortcut.1", layer, block);
    add_conv(draft, conv, norm, n_in, n_out, 1, 1.0, 0.7);
}

/* Statistics [2 * 256 * 10] -> embedding [DIM] */
static void add_head(struct draft *draft)
{
    const size_t dims[] = {DIM, 2 * n_channels[3] * (N_MELS / 8)};
    const size_t dim = DIM;
    float *weight = add_tensor(draft, "seg_1", ".weight", dims, 2);
    for (size_t i = 0; i < dims[0] * dims[1]; i++)
        weight[i] = (float)(normal(draft) / sqrt((double)dims[1] * DIM));
    float *bias = add_tensor(draft, "seg_1", ".bias", &dim, 1);
    for (size_t i = 0; i < dim; i++)
        bias[i] = (float)(0.01 * normal(draft));
}

static void fill(struct draft *draft)
{
    draft->header = json_object();
    draft->seed = SEED;
    draft->capacity = 7000000; /* 6,651,360 are used */
    draft->values = malloc(draft->capacity * sizeof *draft->values);
    if (draft->header == NULL || draft->values == NULL)
        die("out of memory");
    add_conv(draft, "conv1", "bn1", 1, n_channels[0], 3, FBANK_POWER, 1.0);
    size_t n_in = n_channels[0];
    for (size_t layer = 1; layer <= 4; layer++)
        for (size_t block = 0; block < n_blocks[layer - 1]; block++) {
            add_block(draft, layer, block, n_in);
            n_in = n_channels[layer - 1];
        }
    add_head(draft);
}

/* 64 hex digits of the data section's SHA-256. */
static void hash_values(const struct draft *draft, char hex[65])
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    sha256_update(&ctx, draft->n_values * sizeof *draft->values,
                  (const uint8_t *)(const void *)draft->values);
    sha256_digest(&ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* The file as a whole; self_test may be NULL. Replaces what was there in one step. */
static void write_file(const struct draft *draft, const char *path, const char *self_test)
{
    char hex[65], part[4096];
    hash_values(draft, hex);
    json_t *metadata =
        json_pack("{s:s, s:s, s:s, s:s, s:s*}", "name", "untrained-resnet34", "untrained", "true",
                  "license", "CC0-1.0", "weights_sha256", hex, "self_test", self_test);
    if (metadata == NULL || json_object_set_new(draft->header, "__metadata__", metadata) != 0)
        die("out of memory");
    char *header = json_dumps(draft->header, JSON_COMPACT);
    if (header == NULL || snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        die("out of memory, or the path is too long");
    uint64_t n_chars = strlen(header), n_padded = (n_chars + 7) / 8 * 8; /* data on 8 bytes */
    FILE *file = fopen(part, "wb");
    if (file == NULL || fwrite(&n_padded, sizeof n_padded, 1, file) != 1 ||
        fprintf(file, "%-*s", (int)n_padded, header) != (int)n_padded ||
        fwrite(draft->values, sizeof *draft->values, draft->n_values, file) != draft->n_values ||
        fclose(file) != 0 || rename(part, path) != 0) {
        perror(part);
        exit(1);
    }
    free(header);
}

/* What the engine answers to the built-in signal, as the JSON text of the metadata. */
static char *measure_self_test(const char *path)
{
    static float embedding[DIM];
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    struct vp_limits limits;
    struct vp_self_test result;
    struct vp_err err;
    double norm;
    vp_limits_default(&limits);
    limits.max_duration_s = 2.5;
    if (vp_model_open(path, VP_KERNEL_AUTO, &model, &err) != VP_OK ||
        vp_scratch_new(model, &limits, &scratch, &err) != VP_OK ||
        vp_model_self_test(scratch, &result, &err) != VP_OK ||
        vp_clip_embed(scratch, embedding, &norm, &err) != VP_OK ||
        vp_embedding_normalize(embedding, DIM, &norm, &err) != VP_OK)
        die(err.message);
    vp_scratch_free(scratch);
    vp_model_free(model);
    json_t *array = json_array();
    for (size_t i = 0; i < DIM; i++)
        json_array_append_new(array, json_real(round((double)embedding[i] * 1e6) / 1e6));
    char *text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(array);
    if (text == NULL)
        die("out of memory");
    return text;
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: untrained FILE.safetensors\n");
        return 2;
    }
    struct draft draft = {0};
    fill(&draft);
    write_file(&draft, argv[1], NULL);
    char *self_test = measure_self_test(argv[1]);
    write_file(&draft, argv[1], self_test);
    free(self_test);
    free(draft.values);
    json_decref(draft.header);
    return 0;
}
