/* The pairs of text in a model file. */
#include "loader/metadata.h"

#include "base/text.h"
#include "json_read.h"
#include "loader/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME_CHARS  100   /* shown in /info and in logs */
#define MAX_MELS        256   /* what 257 spectrum bins can fill at most */
#define MAX_DIM         65536 /* beyond any embedding */
#define UNIT_NORM_SLACK 1e-3  /* of the self-test vector: rounding of its decimal text */

static enum vp_status refuse(struct vp_err *err, const char *key, const char *value,
                             const char *wanted)
{
    bool shown = text_is_printable(value, 60);
    return status_fail(err, VP_ERR_MODEL, "metadata '%s' is %s%s%s where %s is needed", key,
                       shown ? "'" : "", shown ? value : "something else", shown ? "'" : "",
                       wanted);
}

static bool parse_number(const char *text, double *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}

static bool parse_count(const char *text, size_t max, size_t *out)
{
    double value = 0.0;
    if (!parse_number(text, &value) || value < 1.0 || value > (double)max || value != floor(value))
        return false;
    *out = (size_t)value;
    return true;
}

static bool parse_hex(const char *text, char hex[DIGEST_HEX_CHARS])
{
    if (strlen(text) != DIGEST_HEX_CHARS - 1 ||
        strspn(text, "0123456789abcdef") != DIGEST_HEX_CHARS - 1)
        return false;
    memcpy(hex, text, DIGEST_HEX_CHARS);
    return true;
}

/* "sha256:" and the digits. */
static bool parse_digest(const char *text, char digest[DIGEST_TEXT_CHARS])
{
    char hex[DIGEST_HEX_CHARS];
    const size_t n_prefix = DIGEST_TEXT_CHARS - DIGEST_HEX_CHARS;
    if (strncmp(text, "sha256:", n_prefix) != 0 || !parse_hex(text + n_prefix, hex))
        return false;
    memcpy(digest, text, DIGEST_TEXT_CHARS);
    return true;
}

/* "[0.01, -0.2, ...]": the unit vector that the built-in signal must give. */
static enum vp_status parse_self_test(struct metadata *metadata, const char *value,
                                      struct vp_err *err)
{
    static const char wanted[] = "a JSON array of numbers with norm 1";
    enum vp_status status = refuse(err, "self_test", "", wanted);
    json_t *array;
    json_error_t where;
    if (vp_json_read(value, strlen(value), &array, &where) == VP_ERR_NO_MEMORY)
        return status_no_memory(err, "the self-test vector", strlen(value));
    size_t n = json_array_size(array); /* 0 unless it is an array */
    if (n == 0 || n > MAX_DIM || metadata->self_test != NULL)
        goto out;
    metadata->self_test = malloc(n * sizeof *metadata->self_test);
    if (metadata->self_test == NULL) {
        status = status_no_memory(err, "the self-test vector", n * sizeof *metadata->self_test);
        goto out;
    }
    metadata->n_self_test = n;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const json_t *number = json_array_get(array, i);
        double x = json_number_value(number);
        if (!json_is_number(number) || !(fabs(x) <= 1.0))
            goto out;
        metadata->self_test[i] = (float)x;
        sum += x * x;
    }
    if (fabs(sqrt(sum) - 1.0) <= UNIT_NORM_SLACK)
        status = VP_OK;
out:
    json_decref(array);
    return status;
}

static enum vp_status set_text(char **text, const char *key, const char *value, struct vp_err *err)
{
    if (!text_is_printable(value, MAX_NAME_CHARS))
        return refuse(err, key, value, "up to 100 printable ASCII characters");
    free(*text);
    *text = strdup(value);
    return *text != NULL ? VP_OK : status_no_memory(err, "the model's metadata", strlen(value));
}

/* The keys of sherpa-onnx's exports of segmentation networks. */
static enum vp_status set_segmentation(struct metadata *metadata, const char *key,
                                       const char *value, struct vp_err *err)
{
    const struct {
        const char *key;
        size_t *count;
    } counts[] = {
        {"num_speakers", &metadata->segmentation.num_speakers},
        {"powerset_max_classes", &metadata->segmentation.powerset_max_classes},
        {"num_classes", &metadata->segmentation.num_classes},
        {"sample_rate", &metadata->segmentation.sample_rate},
        {"window_size", &metadata->segmentation.window_size},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (strcmp(key, counts[i].key) == 0 && !parse_count(value, 1000000000, counts[i].count))
            return refuse(err, key, value, "a whole number");
    return VP_OK;
}

/* In our words, or by whose toolkit the network was trained, as sherpa-onnx states it. */
static bool parse_front_end(const char *key, const char *value, struct metadata *metadata)
{
    const bool ours = strcmp(key, "front_end") == 0;
    const bool povey = strcmp(value, ours ? "povey" : "3d-speaker") == 0;
    const bool hamming = strcmp(value, ours ? "hamming" : "wespeaker") == 0;
    if (povey || hamming) {
        metadata->has_front_end = true;
        metadata->front_end = povey ? FRONT_END_POVEY : FRONT_END_HAMMING;
    }
    return povey || hamming;
}

enum vp_status metadata_set(struct metadata *metadata, const char *key, const char *value,
                            struct vp_err *err)
{
    if (strcmp(key, "name") == 0)
        return set_text(&metadata->name, key, value, err);
    if (strcmp(key, "license") == 0 || strcmp(key, "licence") == 0)
        return set_text(&metadata->license, key, value, err);
    if (strcmp(key, "origin") == 0)
        return set_text(&metadata->origin, key, value, err);
    if (strcmp(key, "self_test") == 0)
        return parse_self_test(metadata, value, err);
    if (strcmp(key, "untrained") == 0) {
        metadata->untrained = strcmp(value, "true") == 0;
        if (!metadata->untrained && strcmp(value, "false") != 0)
            return refuse(err, key, value, "true or false");
    } else if (strcmp(key, "threshold") == 0) {
        metadata->has_threshold = parse_number(value, &metadata->threshold);
        if (!metadata->has_threshold || fabs(metadata->threshold) > 1.0)
            return refuse(err, key, value, "a cosine between -1 and 1");
    } else if (strcmp(key, "diarize_threshold") == 0) {
        metadata->has_diarize_threshold = parse_number(value, &metadata->diarize_threshold);
        if (!metadata->has_diarize_threshold || fabs(metadata->diarize_threshold) > 1.0)
            return refuse(err, key, value, "a cosine between -1 and 1");
    } else if (strcmp(key, "calibration_slope") == 0) {
        metadata->has_slope = parse_number(value, &metadata->slope);
        if (!metadata->has_slope || metadata->slope <= 0.0)
            return refuse(err, key, value, "a number above 0");
    } else if (strcmp(key, "calibration_offset") == 0) {
        metadata->has_offset = parse_number(value, &metadata->offset);
        if (!metadata->has_offset)
            return refuse(err, key, value, "a number");
    } else if (strcmp(key, "front_end") == 0) {
        if (!parse_front_end(key, value, metadata))
            return refuse(err, key, value, "hamming or povey");
    } else if (strcmp(key, "framework") == 0) {
        (void)parse_front_end(key, value, metadata); /* of others: free text */
    } else if (strcmp(key, "n_mels") == 0) {
        if (!parse_count(value, MAX_MELS, &metadata->n_mels))
            return refuse(err, key, value, "a whole number from 1 to 256");
    } else if (strcmp(key, "dim") == 0) {
        if (!parse_count(value, MAX_DIM, &metadata->dim))
            return refuse(err, key, value, "a whole number from 1 to 65536");
    } else if (strcmp(key, "weights_sha256") == 0) {
        if (!parse_hex(value, metadata->weights_sha256))
            return refuse(err, key, value, "64 lower-case hex digits");
    } else if (strcmp(key, "model_digest") == 0) {
        if (!parse_digest(value, metadata->model_digest))
            return refuse(err, key, value, "sha256: and 64 lower-case hex digits");
    }
    return set_segmentation(metadata, key, value, err);
}

enum vp_status metadata_move(struct metadata *metadata, struct net *net, struct vp_err *err)
{
    if (metadata->dim != 0 && metadata->dim != net->dim)
        return status_fail(err, VP_ERR_MODEL,
                           "metadata 'dim' says %zu, but the embedding has %zu values",
                           metadata->dim, net->dim);
    if (metadata->n_mels != 0 && metadata->n_mels != net->n_mels)
        return status_fail(err, VP_ERR_MODEL, "metadata 'n_mels' says %zu, but the net takes %zu",
                           metadata->n_mels, net->n_mels);
    if (metadata->self_test != NULL && metadata->n_self_test != net->dim)
        return status_fail(err, VP_ERR_MODEL,
                           "metadata 'self_test' has %zu values, but the embedding has %zu",
                           metadata->n_self_test, net->dim);
    if (metadata->has_slope != metadata->has_offset)
        return status_fail(err, VP_ERR_MODEL,
                           "metadata has '%s' without '%s'; give both or neither",
                           metadata->has_slope ? "calibration_slope" : "calibration_offset",
                           metadata->has_slope ? "calibration_offset" : "calibration_slope");
    if (net->campplus != NULL && !metadata->has_front_end)
        return status_fail(
            err, VP_ERR_MODEL,
            "a CAM++ was trained on one of two front ends, and the file does not say "
            "on which: metadata 'front_end' must be povey (3D-Speaker) or hamming "
            "(WeSpeaker); tools/convert.py writes it");
    net->front_end = metadata->front_end; /* hamming where nothing is said */
    net->name = metadata->name;
    net->license = metadata->license;
    net->origin = metadata->origin;
    net->untrained = metadata->untrained;
    net->has_threshold = metadata->has_threshold;
    net->has_diarize_threshold = metadata->has_diarize_threshold;
    net->diarize_threshold = metadata->diarize_threshold;
    net->threshold = metadata->threshold;
    net->has_calibration = metadata->has_slope;
    net->slope = metadata->slope;
    net->offset = metadata->offset;
    net->self_test = metadata->self_test;
    metadata->name = metadata->license = metadata->origin = NULL;
    metadata->self_test = NULL;
    return VP_OK;
}

void metadata_clear(struct metadata *metadata)
{
    free(metadata->name);
    free(metadata->license);
    free(metadata->origin);
    free(metadata->self_test);
    *metadata = (struct metadata){0};
}
