/* Where configuration values come from: a JSON file, the environment, flags; and the CPU count. */
#include "config/config.h"

#include "json_read.h"

#include <ctype.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1 << 20 };

static const char env_prefix[] = "VOICEPRINTD_";

/* Puts the place (a file and line, a variable, a flag) in front of the message. */
static bool fail_at(struct config_error *error, const char *place)
{
    struct config_error inner = *error;
    snprintf(error->message, sizeof error->message, "%.120s: %.380s", place, inner.message);
    return false;
}

static char *read_file(const char *path, struct config_error *error)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(MAX_FILE_BYTES);
    size_t n = file != NULL && text != NULL ? fread(text, 1, MAX_FILE_BYTES, file) : 0;
    bool good = file != NULL && text != NULL && !ferror(file) && n < MAX_FILE_BYTES;
    if (file != NULL)
        fclose(file);
    if (!good) {
        snprintf(error->message, sizeof error->message, "%.200s: cannot be read", path);
        free(text);
        return NULL;
    }
    text[n] = 0;
    return text;
}

/* The number of the line with that key, which jansson does not keep. */
static size_t line_of_key(const char *text, const char *key)
{
    char quoted[128];
    snprintf(quoted, sizeof quoted, "\"%.120s\"", key);
    const char *found = strstr(text, quoted);
    size_t line = 1;
    for (const char *c = text; found != NULL && c < found; c++)
        line += *c == '\n';
    return line;
}

/* A JSON value as the text that a flag would carry. False for a type that no key takes. */
static bool value_text(const json_t *value, char *text, size_t room)
{
    if (json_is_string(value))
        return snprintf(text, room, "%s", json_string_value(value)) < (int)room;
    if (json_is_integer(value))
        return snprintf(text, room, "%lld", (long long)json_integer_value(value)) < (int)room;
    if (json_is_real(value))
        return snprintf(text, room, "%.17g", json_real_value(value)) < (int)room;
    if (json_is_boolean(value))
        return snprintf(text, room, "%s", json_is_true(value) ? "true" : "false") < (int)room;
    if (json_is_null(value))
        return snprintf(text, room, "%s", "") < (int)room;
    if (json_is_array(value) && json_array_size(value) == 2 &&
        json_is_number(json_array_get(value, 0)) && json_is_number(json_array_get(value, 1)))
        return snprintf(text, room, "%.17g,%.17g", json_number_value(json_array_get(value, 0)),
                        json_number_value(json_array_get(value, 1))) < (int)room;
    return false;
}

static bool load_file(struct config *config, const char *path, struct config_error *error)
{
    char *text = read_file(path, error);
    if (text == NULL)
        return false;
    json_error_t where;
    json_t *root;
    const enum vp_status status = vp_json_read(text, strlen(text), &root, &where);
    bool good = status == VP_OK && json_is_object(root);
    if (status == VP_ERR_NO_MEMORY)
        snprintf(error->message, sizeof error->message, "%.120s: memory is short", path);
    else if (!good)
        snprintf(error->message, sizeof error->message, "%.120s:%d: %.160s", path,
                 root == NULL ? where.line : 1, root == NULL ? where.text : "no JSON object");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) /* does nothing for NULL or a non-object */
    {
        char as_text[4200], place[200];
        if (!good)
            break;
        snprintf(place, sizeof place, "%.120s:%zu", path, line_of_key(text, key));
        if (!value_text(value, as_text, sizeof as_text)) {
            snprintf(error->message, sizeof error->message,
                     "%s: %.100s has a value of a wrong kind", place, key);
            good = false;
        } else if (!config_set(config, key, as_text, error)) {
            good = fail_at(error, place);
        }
    }
    json_decref(root);
    free(text);
    return good;
}

/* "QUEUE_SIZE" or "queue-size" -> "queue_size". */
static void normalise_key(const char *name, size_t n, char *key, size_t room)
{
    size_t i = 0;
    for (; i < n && i + 1 < room; i++)
        key[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    key[i] = 0;
}

static bool is_key(const char *name)
{
    for (size_t i = 0; config_key(i) != NULL; i++)
        if (strcmp(config_key(i), name) == 0)
            return true;
    return false;
}

static bool load_environment(struct config *config, char **environment, struct config_error *error)
{
    for (char **entry = environment; *entry != NULL; entry++) {
        if (strncmp(*entry, env_prefix, sizeof env_prefix - 1) != 0)
            continue;
        const char *name = *entry + sizeof env_prefix - 1;
        const char *equals = strchr(name, '=');
        char key[64], place[80];
        if (equals == NULL || strncmp(name, "CONFIG=", 7) == 0)
            continue;
        normalise_key(name, (size_t)(equals - name), key, sizeof key);
        /* Kubernetes plants VOICEPRINTD_PORT and VOICEPRINTD_SERVICE_HOST for a service of this
         * name: foreign, not a misspelt key. */
        if (!is_key(key) && (strncmp(key, "port", 4) == 0 || strncmp(key, "service_", 8) == 0))
            continue;
        snprintf(place, sizeof place, "environment %.*s", (int)(equals - *entry), *entry);
        if (!config_set(config, key, equals + 1, error))
            return fail_at(error, place);
    }
    return true;
}

static bool is_action(const char *flag, enum config_action *action)
{
    static const struct {
        const char *flag;
        enum config_action action;
    } actions[] = {{"--check-config", CONFIG_CHECK},
                   {"--print-config", CONFIG_PRINT},
                   {"--probe", CONFIG_PROBE},
                   {"--help", CONFIG_HELP},
                   {"-h", CONFIG_HELP},
                   {"--version", CONFIG_VERSION}};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(flag, actions[i].flag) == 0) {
            *action = actions[i].action;
            return true;
        }
    }
    return false;
}

/* Walks the flags: with config NULL only --config and the actions are looked at. */
static bool load_flags(int argc, char **argv, struct config *config, const char **file,
                       enum config_action *action, struct config_error *error)
{
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i];
        if (is_action(flag, action))
            continue;
        char key[64];
        size_t n = strcspn(flag, "=");
        bool dashed = strncmp(flag, "--", 2) == 0;
        normalise_key(flag + (dashed ? 2 : 0), n - (dashed ? 2 : 0), key, sizeof key);
        if (!dashed || (strcmp(key, "config") != 0 && !is_key(key))) {
            snprintf(error->message, sizeof error->message,
                     "unknown argument \"%.100s\"; see --help", flag);
            return false;
        }
        const char *value = flag[n] == '=' ? flag + n + 1 : ++i < argc ? argv[i] : NULL;
        if (value == NULL) {
            snprintf(error->message, sizeof error->message, "flag %.100s needs a value", flag);
            return false;
        }
        if (strcmp(key, "config") == 0)
            *file = value;
        else if (config != NULL && !config_set(config, key, value, error))
            return fail_at(error, "flag");
    }
    return true;
}

bool config_load(int argc, char **argv, char **environment, struct config *config,
                 enum config_action *action, struct config_error *error)
{
    const char *file = NULL;
    *action = CONFIG_RUN;
    config_defaults(config);
    for (char **entry = environment; *entry != NULL; entry++)
        if (strncmp(*entry, "VOICEPRINTD_CONFIG=", 19) == 0)
            file = *entry + 19;
    if (!load_flags(argc, argv, NULL, &file, action, error))
        return false;
    if (*action == CONFIG_HELP || *action == CONFIG_VERSION)
        return true;
    if ((file != NULL && *file != 0 && !load_file(config, file, error)) ||
        !load_environment(config, environment, error) ||
        !load_flags(argc, argv, config, &file, action, error))
        return false;
    if (config->workers == 0)
        config->workers = config_count_cpus();
    if (config->threads_per_request == 0) /* no more than the engine can use */
        config->threads_per_request = config->workers < 32 ? config->workers : 32;
    if (config->queue_size == 0)
        config->queue_size = 4 * config->workers;
    return config_validate(config, error);
}

/* CPUs that a cgroup's quota amounts to, rounded up; infinity where there is none. */
static double quota_cpus(void)
{
    double quota = 0, period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (file != NULL) {
        int n = fscanf(file, "%lf %lf", &quota, &period); /* "max 100000" gives n = 0 */
        fclose(file);
        return n == 2 && period > 0 ? ceil(quota / period) : HUGE_VAL;
    }
    file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
    FILE *second = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
    int n = file != NULL && second != NULL
                ? fscanf(file, "%lf", &quota) + fscanf(second, "%lf", &period)
                : 0;
    if (file != NULL)
        fclose(file);
    if (second != NULL)
        fclose(second);
    return n == 2 && quota > 0 && period > 0 ? ceil(quota / period) : HUGE_VAL;
}

size_t config_count_cpus(void)
{
    cpu_set_t set;
    size_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    double quota = quota_cpus();
    if (quota < (double)n)
        n = quota < 1 ? 1 : (size_t)quota;
    return n > 0 ? n : 1;
}
