/* The JSON of the contract. */
#include "http/json.h"

#include "util/fault.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { FIRST_TEXT_BYTES = 4096 };

json_t *json_append(json_t *array, json_t *value)
{
    if (array != NULL && value != NULL && json_array_append(array, value) == 0) {
        json_decref(value);
        return array;
    }
    json_decref(value);
    json_decref(array);
    return NULL;
}

json_t *json_with(json_t *root, const char *key, json_t *value)
{
    if (json_object_set_new(root, key, value) == 0)
        return root;
    json_decref(root);
    return NULL;
}

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

static json_t *base64_floats(const float *values, size_t n)
{
    size_t n_bytes = 4 * n, n_text = (n_bytes + 2) / 3 * 4;
    unsigned char *bytes = calloc(1, n_bytes + 2);
    char *text = malloc(n_text + 1);
    json_t *string = NULL;
    if (bytes != NULL && text != NULL) {
        for (size_t i = 0; i < n; i++)
            put_le32(values[i], bytes + 4 * i);
        size_t at = 0;
        for (size_t i = 0; i < n_bytes; i += 3) {
            uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
            text[at++] = base64_digits[group >> 18];
            text[at++] = base64_digits[group >> 12 & 63];
            text[at++] = i + 1 < n_bytes ? base64_digits[group >> 6 & 63] : '=';
            text[at++] = i + 2 < n_bytes ? base64_digits[group & 63] : '=';
        }
        text[at] = 0;
        string = json_string(text);
    }
    free(bytes);
    free(text);
    return string;
}

json_t *json_embedding(const float *embedding, size_t dim, bool base64)
{
    if (base64)
        return base64_floats(embedding, dim);
    json_t *array = json_array();
    for (size_t i = 0; i < dim && array != NULL; i++)
        array = json_append(array, json_real((double)embedding[i]));
    return array;
}

json_t *json_audio(const struct vp_clip_info *info)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:I}", "container", info->container, "codec",
                     info->codec, "sample_rate", (json_int_t)info->sample_rate_hz, "channels",
                     (json_int_t)info->channels, "duration_s", info->duration_s, "used_s",
                     info->used_s, "frames", (json_int_t)info->n_frames);
}

/* Levels of what is nearly nothing are -inf: JSON has no such number, -200 dBFS says as much. */
static double finite_dbfs(double level)
{
    return isfinite(level) && level > -200 ? level : -200;
}

json_t *json_quality(const struct vp_clip_info *info)
{
    json_t *warnings = json_array();
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        if ((info->warnings & 1U << i) != 0)
            warnings = json_append(warnings, json_string(vp_warning_name(i)));
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "speech_s", info->speech_s, "rms_dbfs",
                     finite_dbfs(info->rms_dbfs), "peak_dbfs", finite_dbfs(info->peak_dbfs),
                     "clipped_ratio", info->clipped_ratio, "warnings", warnings);
}

json_t *json_segmentation(const vp_segmentation *segmentation)
{
    if (segmentation == NULL)
        return json_null();
    const struct vp_segmentation_info *info = vp_segmentation_info(segmentation);
    return json_pack("{s:s, s:s}", "name", info->name, "digest", info->digest);
}

static json_t *supported_containers(void)
{
    return json_pack("[s,s,s,s,s,s,s,s,s]", "wav", "rf64", "w64", "flac", "ogg", "mp3", "aiff",
                     "au", "caf");
}

/* The members that a kind brings beside those all have. Takes root. */
static json_t *add_members(json_t *root, const struct problem *problem, size_t queue_depth)
{
    switch (problem->kind) {
    case PROBLEM_BODY_TOO_LARGE:
        root = json_with(root, "max_bytes", json_integer((json_int_t)problem->max_bytes));
        break;
    case PROBLEM_UNSUPPORTED_AUDIO:
        root = json_with(root, "detected",
                         *problem->detected != 0 ? json_text(problem->detected) : json_null());
        root = json_with(root, "supported", supported_containers());
        break;
    case PROBLEM_UNDECODABLE_AUDIO:
        root = json_with(root, "decoder_error", json_text(problem->detail));
        break;
    case PROBLEM_AUDIO_TOO_SHORT:
    case PROBLEM_AUDIO_TOO_LONG:
        root = json_with(root, "duration_s", json_real(problem->value));
        root = json_with(root, "limit_s", json_real(problem->limit));
        break;
    case PROBLEM_NO_SIGNAL:
        root = json_with(root, "rms_dbfs", json_real(finite_dbfs(problem->value)));
        break;
    case PROBLEM_OVERLOADED:
    case PROBLEM_OVERLOADED_MEMORY:
    case PROBLEM_QUEUE_TIMEOUT:
        root = json_with(root, "queue_depth", json_integer((json_int_t)queue_depth));
        break;
    default:
        break;
    }
    return root;
}

json_t *json_problem(const struct problem *problem, const char *request_id, size_t queue_depth)
{
    const struct problem_rule *rule = problem_rule(problem->kind);
    json_t *root =
        json_pack("{s:o, s:s, s:I, s:o, s:o}", "type",
                  json_sprintf("urn:voiceprintd:problem:%s", rule->name), "title", rule->title,
                  "status", (json_int_t)rule->status, "detail", json_text(problem->detail),
                  "instance", json_sprintf("urn:voiceprintd:request:%s", request_id));
    if (*problem->field != 0)
        root = json_with(root, "field", json_text(problem->field));
    if (problem->side != 0) {
        root = json_with(root, "side", json_sprintf("%c", problem->side));
        root = json_with(root, "clip", json_integer((json_int_t)problem->clip));
    }
    return add_members(root, problem, queue_depth);
}

struct text {
    char *bytes; /* owned, n of room used */
    size_t n, room;
};

/* Once memory was short nothing more is taken: jansson goes on after some failures. One byte is
 * always left for the final zero. */
static int on_piece(const char *piece, size_t n, void *context)
{
    struct text *text = context;
    if (text->bytes != NULL && text->room - text->n <= n) {
        text->room = 2 * text->room + n;
        char *bytes = fault_hits(FAULT_JSON) ? NULL : realloc(text->bytes, text->room);
        if (bytes == NULL)
            free(text->bytes);
        text->bytes = bytes;
    }
    if (text->bytes == NULL)
        return -1;
    memcpy(text->bytes + text->n, piece, n);
    text->n += n;
    return 0;
}

/* Not json_dumps: short of memory it can leave a piece out and still give a text. */
char *json_take_text(json_t *root, size_t *n_bytes)
{
    struct text text = {.room = FIRST_TEXT_BYTES};
    text.bytes = root == NULL || fault_hits(FAULT_JSON) ? NULL : malloc(text.room);
    bool good =
        text.bytes != NULL &&
        json_dump_callback(root, on_piece, &text, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
        text.bytes != NULL;
    json_decref(root);
    *n_bytes = good ? text.n : 0;
    if (good) {
        text.bytes[text.n] = 0;
        return text.bytes;
    }
    free(text.bytes);
    return NULL;
}

/* Base64 of exactly n floats, padding as it must be. */
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
    errno = 0;
    json_t *root = n_bytes <= JSON_MAX_BYTES && bytes != NULL
                       ? json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES, &where)
                       : NULL;
    if (root != NULL && json_is_object(root))
        return root;
    if (root == NULL && errno == ENOMEM)
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
