/*
 * The configuration: one table of keys, each with type, range, default and help. A value comes
 * from a flag (--queue-size), else the environment (VOICEPRINTD_QUEUE_SIZE), else the file (key
 * "queue_size"), else the default. An unknown key or a bad value is an error that names its place.
 */
#ifndef VP_CONFIG_H
#define VP_CONFIG_H

#include "util/log.h"
#include "voiceprint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config {
    char listen[256], admin_listen[256]; /* host:port; admin empty: the same listener */
    char model[4096];
    char api_keys_file[4096];    /* empty: no keys asked */
    char allowed_hosts[1024];    /* comma separated, "*" for all; empty: see hosts.h */
    char trusted_proxies[1024];  /* comma separated, see address.h; empty: none */
    size_t client_share_percent; /* see clients.h; 100: no shares */
    char cors_origins[1024];     /* comma separated, "*" for all; empty: off */
    enum vp_kernel kernel;
    size_t workers, threads_per_request, queue_size, max_connections, max_clips;
    size_t min_body_rate_bytes_per_s; /* of an upload, over ten seconds; 0: none */
    double header_timeout_s, request_timeout_s, idle_timeout_s;
    double queue_timeout_ms;
    double drain_delay_s, drain_timeout_s, watchdog_s;
    size_t max_body_bytes;         /* /embed, and each clip of /compare, which takes 4 x as much */
    size_t max_buffered_bytes;     /* all uploads together, without those of /diarize */
    char segmentation_model[4096]; /* a path; "auto": beside the model; "none" or empty: none */
    size_t diarize_max_body_bytes; /* one upload of /diarize, and all of them together */
    double diarize_max_duration_s, diarize_timeout_s;
    double compare_max_duration_s;
    char voices[4096]; /* "sqlite:PATH"; empty: none are known */
    double enrol_min_speech_s, unknown_prior;
    size_t voices_max;
    double min_duration_s, warn_duration_s, max_duration_s, silence_dbfs;
    bool truncate;                       /* long_audio=truncate */
    bool decodes_inline;                 /* decoder=inline */
    bool speech_only;                    /* pauses are not embedded */
    bool has_threshold, has_calibration; /* else as the model says */
    double threshold, calibration[2];    /* slope, offset */
    enum log_format log_format;
    enum log_level log_level;
    bool metrics, docs;
};

/* What the command line asks for. */
enum config_action {
    CONFIG_RUN,
    CONFIG_CHECK,
    CONFIG_PRINT,
    CONFIG_PROBE,
    CONFIG_HELP,
    CONFIG_VERSION
};

struct config_error {
    char message[512]; /* the place and what is wrong with it */
};

/* Defaults only. [start] */
void config_defaults(struct config *config);
/* One value by key. False, with a sentence, for an unknown key or a bad value. [start] */
bool config_set(struct config *config, const char *key, const char *value,
                struct config_error *error);
enum { SEGMENTATION_WINDOW_S = 10 }; /* a clip to the worker's scratch: max_duration_s holds it */
/* The path that voices names; NULL: it is empty. [any] */
const char *config_voices_path(const struct config *config);
/* Does segmentation_model name a file, and not "auto" or "none"? [any] */
bool config_names_segmentation(const struct config *config);
/* What single keys cannot see: sizes that contradict each other. [start] */
bool config_validate(const struct config *config, struct config_error *error);
/* Everything: defaults, file, environment, flags, validated. [start] */
bool config_load(int argc, char **argv, char **environment, struct config *config,
                 enum config_action *action, struct config_error *error);
/* The file form of config, every key. [start] */
void config_print(const struct config *config, FILE *out);
void config_help(FILE *out); /* [start] */

/* For config_load: the keys in table order, NULL after the last. [start] */
const char *config_key(size_t i);

/* CPUs that this process may use: affinity and cgroup quota, at least 1. [any] */
size_t config_count_cpus(void);

#endif
