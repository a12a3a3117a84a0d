/* The table of keys, and what a value may be. Where values come from is config_load.c's part. */
#include "config/config.h"

#include "util/address.h"
#include "util/crash.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    TEXT,
    COUNT,
    COUNT_OR_AUTO,
    NUMBER,
    BYTES,
    CHOICE, /* an enum */
    EITHER, /* one of two words: a bool, true for the second */
    FLAG,   /* off or on: a bool */
    OPTIONAL_NUMBER,
    PAIR
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset;       /* in struct config */
    const char *preset;  /* the default, as text */
    double min, max;     /* for TEXT max is the room in bytes */
    const char *choices; /* "json|text": values 0, 1, .. of an enum */
    const char *help;
};

#define AT(member)   offsetof(struct config, member)
#define ROOM(member) sizeof(((struct config *)NULL)->member)

static const struct key keys[] = {
    {"listen", TEXT, AT(listen), "127.0.0.1:8080", 1, ROOM(listen), NULL,
     "address and port to serve on"},
    {"admin_listen", TEXT, AT(admin_listen), "", 0, ROOM(admin_listen), NULL,
     "own address for probes and metrics; empty: the same listener"},
    {"model", TEXT, AT(model), "models/voiceprint.safetensors", 1, ROOM(model), NULL,
     "model file, .onnx or .safetensors"},
    {"kernel", CHOICE, AT(kernel), "auto", 0, VP_N_KERNELS - 1, "auto|blas|avx2|avx512|neon",
     "how convolutions are computed; auto: the fastest that this CPU can run"},
    {"workers", COUNT_OR_AUTO, AT(workers), "auto", 1, 1024, NULL,
     "inference threads; auto: CPUs by affinity and cgroup quota"},
    {"threads_per_request", COUNT_OR_AUTO, AT(threads_per_request), "1", 1, 32, NULL,
     "workers that may work on one clip, the others while they have no request; auto: all"},
    {"decoder", EITHER, AT(decodes_inline), "sandbox", 0, 1, "sandbox|inline",
     "where uploads are decoded: in sealed processes, or, where a platform forbids these, inline"},
    {"queue_size", COUNT_OR_AUTO, AT(queue_size), "auto", 1, 100000, NULL,
     "requests that may wait for a worker; auto: 4 x workers"},
    {"queue_timeout_ms", NUMBER, AT(queue_timeout_ms), "5000", 1, 3600e3, NULL,
     "longest wait for a worker"},
    {"max_connections", COUNT, AT(max_connections), "512", 1, 100000, NULL,
     "open connections on the main listener"},
    {"header_timeout_s", NUMBER, AT(header_timeout_s), "10", 0.05, 3600, NULL,
     "from connect, or the first byte of a request, to the end of its headers"},
    {"request_timeout_s", NUMBER, AT(request_timeout_s), "30", 0.05, 3600, NULL,
     "from request line to answer, and again to send the answer"},
    {"idle_timeout_s", NUMBER, AT(idle_timeout_s), "15", 0.05, 3600, NULL,
     "how long a kept-alive connection may stay silent"},
    {"min_body_rate_bytes_per_s", BYTES, AT(min_body_rate_bytes_per_s), "500", 0, 1e9, NULL,
     "an upload slower than this for ten seconds is ended; 0: never"},
    {"max_body_bytes", BYTES, AT(max_body_bytes), "16MiB", 1024, 4e9, NULL,
     "largest upload of one clip; /compare takes 4 times as much in all"},
    {"max_buffered_bytes", BYTES, AT(max_buffered_bytes), "256MiB", 1024, 1e13, NULL,
     "memory for all uploads of clips together"},
    {"max_clips", COUNT, AT(max_clips), "8", 1, 64, NULL, "clips on each side of /compare"},
    {"compare_max_duration_s", NUMBER, AT(compare_max_duration_s), "300", 0.2, 1e6, NULL,
     "seconds that the clips of one /compare may last in all"},
    {"min_duration_s", NUMBER, AT(min_duration_s), "0.5", 0.105, 3600, NULL,
     "shorter clips are refused"},
    {"warn_duration_s", NUMBER, AT(warn_duration_s), "2", 0, 3600, NULL,
     "shorter clips get the warning short_clip"},
    {"max_duration_s", NUMBER, AT(max_duration_s), "60", 0.2, 3600, NULL,
     "longer clips are refused or cut; sizes the workers' memory"},
    {"long_audio", EITHER, AT(truncate), "reject", 0, 1, "reject|truncate",
     "what happens to longer clips"},
    {"speech_only", FLAG, AT(speech_only), "on", 0, 1, "off|on",
     "leave long pauses out of the embedding of a clip that is less than 80 % speech"},
    {"silence_dbfs", NUMBER, AT(silence_dbfs), "-60", -200, 0, NULL,
     "RMS level below which a clip is refused as silence"},
    {"segmentation_model", TEXT, AT(segmentation_model), "auto", 0, ROOM(segmentation_model), NULL,
     "segmentation network for /diarize, .onnx or .safetensors; auto: segmentation.safetensors "
     "beside the model, where it is; none or empty: none"},
    {"diarize_max_duration_s", NUMBER, AT(diarize_max_duration_s), "3600", 1, 86400, NULL,
     "longer recordings are refused by /diarize"},
    {"diarize_max_body_bytes", BYTES, AT(diarize_max_body_bytes), "256MiB", 1024, 1e11, NULL,
     "memory for uploads of /diarize, one or all together"},
    {"diarize_timeout_s", NUMBER, AT(diarize_timeout_s), "1800", 0.05, 86400, NULL,
     "from request line to answer of /diarize"},
    {"threshold", OPTIONAL_NUMBER, AT(threshold), "", -1, 1, NULL,
     "same speaker at or above this cosine; empty: the model's own, if it has one"},
    {"calibration", PAIR, AT(calibration), "", -1e6, 1e6, NULL,
     "slope,offset: llr = slope * cosine + offset; empty: the model's own, if it has one"},
    {"voices", TEXT, AT(voices), "", 0, ROOM(voices), NULL,
     "sqlite:PATH keeps known voices in that file, for /voices and /identify; empty: nothing is "
     "kept"},
    {"enrol_min_speech_s", NUMBER, AT(enrol_min_speech_s), "10", 0, 3600, NULL,
     "seconds of speech from which a known voice is enrolled, and matched"},
    {"unknown_prior", NUMBER, AT(unknown_prior), "0.5", 1e-9, 0.999999, NULL,
     "how probable it is, beforehand, that the voice given to /identify is none of the known ones"},
    {"voices_max", COUNT, AT(voices_max), "100000", 1, 1e7, NULL,
     "known voices, in all collections together"},
    {"api_keys_file", TEXT, AT(api_keys_file), "", 0, ROOM(api_keys_file), NULL,
     "one bearer key a line; read again on SIGHUP; empty: no key is asked"},
    {"allowed_hosts", TEXT, AT(allowed_hosts), "", 0, ROOM(allowed_hosts), NULL,
     "names in Host and Origin that are answered, comma separated, * for all; empty: loopback "
     "names "
     "where listen is one, else all"},
    {"cors_origins", TEXT, AT(cors_origins), "", 0, ROOM(cors_origins), NULL,
     "origins that browsers may call from, comma separated, * for all; empty: none"},
    {"client_share_percent", COUNT, AT(client_share_percent), "25", 1, 100, NULL,
     "of upload memory, connections and queue places: what one address, or one API key, keeps "
     "when others need them; 100: whoever comes first keeps all"},
    {"trusted_proxies", TEXT, AT(trusted_proxies), "", 0, ROOM(trusted_proxies), NULL,
     "addresses and networks of balancers whose Forwarded or X-Forwarded-For is believed, comma "
     "separated; empty: none"},
    {"drain_delay_s", NUMBER, AT(drain_delay_s), "5", 0, 3600, NULL,
     "after SIGTERM: how long to go on serving while balancers take notice"},
    {"drain_timeout_s", NUMBER, AT(drain_timeout_s), "20", 0, 3600, NULL,
     "then: how long open requests may take to finish"},
    {"watchdog_s", NUMBER, AT(watchdog_s), "60", 0.1, 86400, NULL,
     "a worker this long in one job makes /livez fail"},
    {"log_format", CHOICE, AT(log_format), "json", 0, 1, "json|text", "form of the log lines"},
    {"log_level", CHOICE, AT(log_level), "info", 0, 3, "debug|info|warn|error",
     "least important level that is logged"},
    {"metrics", FLAG, AT(metrics), "on", 0, 1, "off|on", "serve /metrics"},
    {"docs", FLAG, AT(docs), "on", 0, 1, "off|on", "serve /, /docs and /openapi.yaml"},
};
enum { N_KEYS = sizeof keys / sizeof keys[0] };

const char *config_key(size_t i)
{
    return i < N_KEYS ? keys[i].name : NULL;
}

static bool fail(struct config_error *error, const struct key *key, const char *value,
                 const char *expected)
{
    snprintf(error->message, sizeof error->message, "%s = \"%.100s\": %s", key->name, value,
             expected);
    return false;
}

static bool fail_range(struct config_error *error, const struct key *key, const char *value)
{
    char expected[96];
    snprintf(expected, sizeof expected, "must be a number from %.10g to %.10g", key->min, key->max);
    return fail(error, key, value, expected);
}

/* A finite number within [min, max], nothing behind it but an allowed unit. */
static bool parse_number(const struct key *key, const char *text, double *out)
{
    char *end = NULL;
    if (*text == 0 || isspace((unsigned char)*text))
        return false;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text)
        return false;
    if (key->kind == BYTES && *end != 0) {
        static const struct {
            const char *unit;
            double factor;
        } units[] = {{"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
        for (size_t i = 0; i < 3 && *end != 0; i++) {
            if (strcmp(end, units[i].unit) == 0) {
                value *= units[i].factor;
                end += 3;
            }
        }
    }
    *out = value;
    return *end == 0 && isfinite(value) && value >= key->min && value <= key->max;
}

static bool set_count(const struct key *key, const char *value, size_t *out,
                      struct config_error *error)
{
    double number = 0;
    if (key->kind == COUNT_OR_AUTO && strcmp(value, "auto") == 0) {
        *out = 0; /* config_load fills it in */
        return true;
    }
    if (!parse_number(key, value, &number) || number != floor(number))
        return fail_range(error, key, value);
    *out = (size_t)number;
    return true;
}

static bool set_choice(const struct key *key, const char *value, unsigned *out,
                       struct config_error *error)
{
    unsigned i = 0;
    for (const char *choice = key->choices; choice != NULL; i++) {
        const char *end = strchrnul(choice, '|');
        if (strlen(value) == (size_t)(end - choice) &&
            strncmp(value, choice, (size_t)(end - choice)) == 0) {
            *out = i;
            return true;
        }
        choice = *end == '|' ? end + 1 : NULL;
    }
    if (key->kind == FLAG && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
        *out = strcmp(value, "true") == 0;
        return true;
    }
    char expected[96];
    snprintf(expected, sizeof expected, "must be one of %s", key->choices);
    return fail(error, key, value, expected);
}

static bool set_optional(struct config *config, const struct key *key, const char *value,
                         struct config_error *error)
{
    if (key->kind == OPTIONAL_NUMBER) {
        config->has_threshold = *value != 0;
        return *value == 0 || parse_number(key, value, &config->threshold) ||
               fail_range(error, key, value);
    }
    config->has_calibration = *value != 0;
    if (*value == 0)
        return true;
    const char *comma = strchr(value, ',');
    char first[64];
    if (comma == NULL || (size_t)(comma - value) >= sizeof first)
        return fail(error, key, value, "must be two numbers, \"slope,offset\"");
    memcpy(first, value, (size_t)(comma - value));
    first[comma - value] = 0;
    comma += strspn(comma + 1, " ") + 1;
    return (parse_number(key, first, &config->calibration[0]) &&
            parse_number(key, comma, &config->calibration[1])) ||
           fail(error, key, value, "must be two numbers, \"slope,offset\"");
}

static bool set_key(struct config *config, const struct key *key, const char *value,
                    struct config_error *error)
{
    char *member = (char *)config + key->offset;
    unsigned choice = 0;
    switch (key->kind) {
    case TEXT:
        if ((double)strlen(value) >= key->max)
            return fail(error, key, value, "is too long");
        if ((double)strlen(value) < key->min)
            return fail(error, key, value, "must not be empty");
        memcpy(member, value, strlen(value) + 1);
        return true;
    case COUNT:
    case COUNT_OR_AUTO:
        return set_count(key, value, (size_t *)(void *)member, error);
    case BYTES: {
        double number = 0;
        if (!parse_number(key, value, &number))
            return fail_range(error, key, value);
        *(size_t *)(void *)member = (size_t)number;
        return true;
    }
    case NUMBER:
        return parse_number(key, value, (double *)(void *)member) || fail_range(error, key, value);
    case OPTIONAL_NUMBER:
    case PAIR:
        return set_optional(config, key, value, error);
    case CHOICE:
    case EITHER:
    case FLAG:
        if (!set_choice(key, value, &choice, error))
            return false;
        if (key->kind == CHOICE)
            memcpy(member, &choice, sizeof choice); /* an enum of unsigned size, asserted below */
        else
            *(bool *)(void *)member = choice != 0;
        return true;
    }
    return false;
}
_Static_assert(sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum vp_kernel) == sizeof(unsigned),
               "enums of the choices are stored as unsigned");
_Static_assert(VP_KERNEL_AUTO == 0 && VP_KERNEL_BLAS == 1 && VP_KERNEL_AVX2 == 2 &&
                   VP_KERNEL_AVX512 == 3 && VP_KERNEL_NEON == 4,
               "the choices of kernel stand in the order of the enum");

bool config_set(struct config *config, const char *name, const char *value,
                struct config_error *error)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].name, name) == 0)
            return set_key(config, &keys[i], value, error);
    snprintf(error->message, sizeof error->message, "unknown key \"%.100s\"; see --help", name);
    return false;
}

void config_defaults(struct config *config)
{
    memset(config, 0, sizeof *config);
    struct config_error error;
    for (size_t i = 0; i < N_KEYS; i++)
        VP_BUG_IF(!set_key(config, &keys[i], keys[i].preset, &error));
}

/* The choice may be right for another machine: say which ones this one has. */
static bool validate_kernel(enum vp_kernel wanted, struct config_error *error)
{
    if (vp_kernel_available(wanted))
        return true;
    char others[64] = "auto";
    for (unsigned k = VP_KERNEL_BLAS; k < VP_N_KERNELS; k++)
        if (vp_kernel_available((enum vp_kernel)k))
            snprintf(others + strlen(others), sizeof others - strlen(others), "|%s",
                     vp_kernel_name((enum vp_kernel)k));
    snprintf(error->message, sizeof error->message,
             "kernel = \"%s\": this CPU or build cannot run it; it can run %s",
             vp_kernel_name(wanted), others);
    return false;
}

bool config_names_segmentation(const struct config *config)
{
    const char *given = config->segmentation_model;
    return *given != 0 && strcmp(given, "none") != 0 && strcmp(given, "auto") != 0;
}

static bool validate_proxies(const struct config *config, struct config_error *error)
{
    struct networks networks;
    const char *wrong = NULL;
    size_t n_wrong = 0;
    if (networks_parse(config->trusted_proxies, &networks, &wrong, &n_wrong))
        return true;
    snprintf(error->message, sizeof error->message,
             "trusted_proxies: \"%.*s\" is no address and no network such as 10.0.0.0/8, or one "
             "more than %d",
             n_wrong < 100 ? (int)n_wrong : 100, wrong, MAX_NETWORKS);
    return false;
}

const char *config_voices_path(const struct config *config)
{
    static const char scheme[] = "sqlite:";
    const size_t n = sizeof scheme - 1;
    const bool is_path = strncmp(config->voices, scheme, n) == 0 && config->voices[n] != 0 &&
                         config->voices[n] != ':'; /* ":memory:" keeps nothing */
    return is_path ? config->voices + n : NULL;
}

bool config_validate(const struct config *config, struct config_error *error)
{
    if (!validate_kernel(config->kernel, error) || !validate_proxies(config, error))
        return false;
    const char *wrong = NULL;
    if (config->max_duration_s <= config->min_duration_s)
        wrong = "max_duration_s must be above min_duration_s";
    else if (config->max_buffered_bytes < config->max_body_bytes)
        wrong = "max_buffered_bytes must hold at least one upload of max_body_bytes";
    else if (config_names_segmentation(config) && config->max_duration_s < SEGMENTATION_WINDOW_S)
        wrong = "max_duration_s must be at least 10 for the windows of the segmentation_model";
    else if (*config->voices != 0 && config_voices_path(config) == NULL)
        wrong = "voices must be empty, or \"sqlite:\" and the path of a file";
    else if (config->workers == 0 || config->queue_size == 0)
        wrong = "workers and queue_size must be at least 1";
    if (wrong != NULL)
        snprintf(error->message, sizeof error->message, "%s", wrong);
    return wrong == NULL;
}

/* A path may hold any bytes, JSON nothing but UTF-8: then every other byte is shown as '?'. */
static void print_text(FILE *out, const char *text)
{
    char plain[4096];
    json_t *string = json_string(text);
    if (string == NULL) {
        size_t n = 0;
        for (; text[n] != 0 && n + 1 < sizeof plain; n++)
            plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
        plain[n] = 0;
        string = json_string(plain);
    }
    (void)json_dumpf(string, out, JSON_ENCODE_ANY);
    json_decref(string);
}

static void print_value(const struct config *config, const struct key *key, FILE *out)
{
    const char *member = (const char *)config + key->offset;
    unsigned choice = 0;
    switch (key->kind) {
    case TEXT:
        print_text(out, member);
        return;
    case COUNT:
    case COUNT_OR_AUTO:
    case BYTES:
        fprintf(out, "%zu", *(const size_t *)(const void *)member);
        return;
    case NUMBER:
        fprintf(out, "%.17g", *(const double *)(const void *)member);
        return;
    case OPTIONAL_NUMBER:
        if (config->has_threshold)
            fprintf(out, "%.17g", config->threshold);
        else
            fputs("\"\"", out);
        return;
    case PAIR:
        if (config->has_calibration)
            fprintf(out, "[%.17g, %.17g]", config->calibration[0], config->calibration[1]);
        else
            fputs("\"\"", out);
        return;
    case CHOICE:
    case EITHER:
    case FLAG:
        if (key->kind == CHOICE)
            memcpy(&choice, member, sizeof choice);
        else
            choice = *(const bool *)(const void *)member ? 1 : 0;
        const char *text = key->choices;
        while (choice-- > 0)
            text = strchr(text, '|') + 1;
        fprintf(out, "\"%.*s\"", (int)strcspn(text, "|"), text);
        return;
    }
}

void config_print(const struct config *config, FILE *out)
{
    fputs("{\n", out);
    for (size_t i = 0; i < N_KEYS; i++) {
        fprintf(out, "  \"%s\": ", keys[i].name);
        print_value(config, &keys[i], out);
        fputs(i + 1 < N_KEYS ? ",\n" : "\n", out);
    }
    fputs("}\n", out);
}

void config_help(FILE *out)
{
    fputs("voiceprintd: voices to embeddings, and whether two recordings are one voice, by HTTP\n\n"
          "  --config FILE     read keys from a JSON file\n"
          "  --check-config    say whether the configuration is good, and end\n"
          "  --print-config    print every key with its value, and end\n"
          "  --probe           ask the running server's /readyz; exit status 0 or 1\n"
          "  --version, --help\n\n"
          "Every key below is a flag (--queue-size 8), an environment variable\n"
          "(VOICEPRINTD_QUEUE_SIZE=8) and a key of the file (\"queue_size\": 8), in this order of\n"
          "precedence.\n\n",
          out);
    for (size_t i = 0; i < N_KEYS; i++)
        fprintf(out, "  %-19s %s%s%s%s\n", keys[i].name, keys[i].help,
                *keys[i].preset != 0 ? " [" : "", keys[i].preset, *keys[i].preset != 0 ? "]" : "");
}
