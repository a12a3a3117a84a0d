/* The JSON of the contract. */
#include "http/json.h"

#include "json_read.h"

#include <errno.h>
#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
    char plain[512];
    size_t n = 0;
    for (; text[n] != 0 && n + 1 < sizeof plain; n++) {
        unsigned char c = (unsigned char)text[n];
        plain[n] = c < 0x20 || c >= 0x7f ? '?' : text[n];
    }
    plain[n] = 0;
    return json_string(plain);
}

static void put_le32(float value, unsigned char out[4])
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (unsigned i = 0; i < 4; i++)
        out[i] = (unsigned char)(bits >> (8 * i));
}

/* One string over little-endian float32; NULL when memory is short. */
static json_t *base64_floats(const float *values, size_t n)
{
    const size_t n_bytes = sizeof(float) * n, n_text = BASE64_ENCODE_RAW_LENGTH(n_bytes);
    unsigned char *bytes = malloc(n_bytes > 0 ? n_bytes : 1);
    char *text = malloc(n_text + 1);
    json_t *string = NULL;
    if (bytes != NULL && text != NULL) {
        for (size_t i = 0; i < n; i++)
            put_le32(values[i], bytes + sizeof(float) * i);
        base64_encode_raw(text, n_bytes, bytes);
        string = json_stringn(text, n_text);
    }
    free(bytes);
    free(text);
    return string;
}

void json_put_embedding(struct json_build *build, const char *key, const float *embedding,
                        size_t dim, bool base64)
{
    if (base64) {
        json_put(build, key, base64_floats(embedding, dim));
        return;
    }
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < dim; i++)
        json_put_number(&array, NULL, (double)embedding[i]);
    json_put_build(build, key, array);
}

struct json_build json_audio(const struct vp_clip_info *info)
{
    struct json_build audio = json_begin_object();
    json_put_text(&audio, "container", info->container);
    json_put_text(&audio, "codec", info->codec);
    json_put_count(&audio, "sample_rate", info->sample_rate_hz);
    json_put_count(&audio, "channels", info->channels);
    json_put_number(&audio, "duration_s", info->duration_s);
    json_put_number(&audio, "used_s", info->used_s);
    json_put_count(&audio, "frames", info->n_frames);
    return audio;
}

/* Levels of what is nearly nothing are -inf: JSON has no such number, -200 dBFS says as much. */
static double finite_dbfs(double level)
{
    return isfinite(level) && level > -200 ? level : -200;
}

struct json_build json_quality(const struct vp_clip_info *info)
{
    struct json_build quality = json_begin_object(), warnings = json_begin_array();
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        if ((info->warnings & 1U << i) != 0)
            json_put_text(&warnings, NULL, vp_warning_name(i));
    json_put_number(&quality, "speech_s", info->speech_s);
    json_put_number(&quality, "embedded_s", info->embedded_s);
    json_put_number(&quality, "rms_dbfs", finite_dbfs(info->rms_dbfs));
    json_put_number(&quality, "peak_dbfs", finite_dbfs(info->peak_dbfs));
    json_put_number(&quality, "clipped_ratio", info->clipped_ratio);
    json_put_build(&quality, "warnings", warnings);
    return quality;
}

void json_put_text_or_null(struct json_build *build, const char *key, const char *text)
{
    if (text != NULL)
        json_put_text(build, key, text);
    else
        json_put_null(build, key);
}

void json_put_segmentation(struct json_build *build, const char *key,
                           const vp_segmentation *segmentation)
{
    if (segmentation == NULL) {
        json_put_null(build, key);
        return;
    }
    const struct vp_segmentation_info *info = vp_segmentation_info(segmentation);
    struct json_build object = json_begin_object();
    json_put_text(&object, "name", info->name);
    json_put_text(&object, "digest", info->digest);
    json_put_text_or_null(&object, "license", info->license);
    json_put_text_or_null(&object, "origin", info->origin);
    json_put_build(build, key, object);
}

static struct json_build supported_containers(void)
{
    static const char *const names[] = {
        "wav", "rf64", "bw64", "w64",       "flac", "ogg",      "mp3", "aiff", "au", "caf",
        "m4a", "mp4",  "3gp",  "quicktime", "webm", "matroska", "amr", "aac",  "asf"};
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_put_text(&array, NULL, names[i]);
    return array;
}

/* The members that a kind brings beside those all have. */
static void put_members(struct json_build *root, const struct problem *problem, size_t queue_depth)
{
    switch (problem->kind) {
    case PROBLEM_BODY_TOO_LARGE:
        json_put_count(root, "max_bytes", problem->max_bytes);
        break;
    case PROBLEM_UNSUPPORTED_AUDIO:
        json_put(root, "detected",
                 *problem->detected != 0 ? json_text(problem->detected) : json_null());
        json_put_build(root, "supported", supported_containers());
        break;
    case PROBLEM_UNDECODABLE_AUDIO:
        json_put(root, "decoder_error", json_text(problem->detail));
        break;
    case PROBLEM_AUDIO_TOO_SHORT:
    case PROBLEM_AUDIO_TOO_LONG:
        json_put_number(root, "duration_s", problem->value);
        json_put_number(root, "limit_s", problem->limit);
        break;
    case PROBLEM_NO_SUCH_CHANNEL:
        json_put_count(root, "channel", (size_t)problem->value);
        json_put_count(root, "channels", (size_t)problem->limit);
        break;
    case PROBLEM_NO_SIGNAL:
        json_put_number(root, "rms_dbfs", finite_dbfs(problem->value));
        break;
    case PROBLEM_OVERLOADED:
    case PROBLEM_OVERLOADED_MEMORY:
    case PROBLEM_QUEUE_TIMEOUT:
        json_put_count(root, "queue_depth", queue_depth);
        break;
    default:
        break;
    }
}

struct json_build json_problem(const struct problem *problem, const char *request_id,
                               size_t queue_depth)
{
    const struct problem_rule *rule = problem_rule(problem->kind);
    struct json_build root = json_begin_object();
    json_put(&root, "type", json_sprintf("urn:voiceprintd:problem:%s", rule->name));
    json_put_text(&root, "title", rule->title);
    json_put_count(&root, "status", rule->status);
    json_put(&root, "detail", json_text(problem->detail));
    json_put(&root, "instance", json_sprintf("urn:voiceprintd:request:%s", request_id));
    if (*problem->field != 0)
        json_put(&root, "field", json_text(problem->field));
    if (problem->side != 0)
        json_put(&root, "side", json_sprintf("%c", problem->side));
    if (problem->has_clip)
        json_put_count(&root, "clip", problem->clip);
    put_members(&root, problem, queue_depth);
    return root;
}

char *json_take_answer(struct json_build root, size_t *n_bytes, struct problem *problem)
{
    const struct json_build was = root;
    char *text = json_take_text(root, n_bytes);
    if (was.fault == JSON_NOT_FINITE)
        problem_set_not_finite(problem, was.member);
    else if (text == NULL)
        problem_set_no_memory(problem);
    return text;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 of exactly n floats, padding as it must be. Not nettle's decoder: it skips blanks. */
static bool read_base64(const char *text, float *values, size_t n)
{
    size_t n_bytes = 4 * n, n_text = (n_bytes + 2) / 3 * 4;
    if (strlen(text) != n_text)
        return false;
    unsigned char *bytes = malloc(n_text);
    if (bytes == NULL)
        return false;
    bool good = true;
    size_t at = 0;
    for (size_t i = 0; i < n_text && good; i += 4) {
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            const char *digit = strchr(base64_digits, text[i + j]);
            /* where padding is due nothing else may stand */
            bool padding = i / 4 * 3 + j > n_bytes;
            good = good && (padding ? text[i + j] == '=' : digit != NULL);
            group = group << 6 | (padding || digit == NULL ? 0 : (uint32_t)(digit - base64_digits));
        }
        bytes[at++] = (unsigned char)(group >> 16);
        bytes[at++] = (unsigned char)(group >> 8);
        bytes[at++] = (unsigned char)group;
    }
    for (size_t i = 0; i < n && good; i++) {
        const unsigned char *b = bytes + 4 * i;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
    free(bytes);
    return good;
}

static bool read_numbers(const json_t *array, float *values, size_t n)
{
    if (json_array_size(array) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_number(item))
            return false;
        values[i] = (float)json_number_value(item); /* beyond float32: inf, refused below */
    }
    return true;
}

bool json_read_stored(const json_t *object, const char *field, const char *digest, size_t dim,
                      float *embedding, struct problem *problem)
{
    char member[48];
    const json_t *value = json_object_get(object, "embedding");
    const json_t *made_with = json_object_get(object, "model_digest");
    snprintf(member, sizeof member, "%s.embedding", field);
    if (!json_is_object(object) || value == NULL) {
        problem_set_field(problem, member, "%s must be an object with a member \"embedding\"",
                          field);
        return false;
    }
    if (made_with != NULL &&
        (!json_is_string(made_with) || strcmp(json_string_value(made_with), digest) != 0)) {
        snprintf(member, sizeof member, "%s.model_digest", field);
        problem_set_field(problem, member,
                          "the embedding was made by another model than the one loaded: embed the "
                          "recording again");
        return false;
    }
    errno = 0;
    bool good = json_is_array(value) ? read_numbers(value, embedding, dim)
                                     : json_is_string(value) &&
                                           read_base64(json_string_value(value), embedding, dim);
    if (!good && errno == ENOMEM) {
        problem_set_no_memory(problem);
        return false;
    }
    if (!good) {
        problem_set_field(problem, member,
                          "must be an array of %zu numbers, or base64 of %zu little-endian float32",
                          dim, dim);
        return false;
    }
    struct vp_err err;
    if (vp_embedding_normalize(embedding, dim, NULL, &err) != VP_OK) {
        problem_set_field(problem, member, "%s", err.message);
        return false;
    }
    return true;
}

json_t *json_read_object(const void *bytes, size_t n_bytes, const char *field,
                         struct problem *problem)
{
    json_error_t where;
    json_t *root = NULL;
    enum vp_status status = VP_ERR_ARGUMENT;
    if (n_bytes <= JSON_MAX_BYTES && bytes != NULL)
        status = vp_json_read(bytes, n_bytes, &root, &where);
    if (root != NULL && json_is_object(root))
        return root;
    if (status == VP_ERR_NO_MEMORY)
        problem_set_no_memory(problem);
    else if (n_bytes > JSON_MAX_BYTES)
        problem_set_field(problem, field, "the JSON is longer than %d bytes", JSON_MAX_BYTES);
    else if (root != NULL || bytes == NULL)
        problem_set_field(problem, field, "a JSON object is expected");
    else /* position only: the message of the parser may quote what was sent */
        problem_set_field(problem, field, "not valid JSON at line %d, column %d", where.line,
                          where.column);
    json_decref(root);
    return NULL;
}
