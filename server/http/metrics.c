/* Prometheus exposition of what the loop counted. */
#include "http/metrics.h"

#include "util/thread.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What we answer, or libmicrohttpd answers for us; the last stands for any other code. 499: the
 * client left. 408: cut at a deadline. */
static const unsigned codes[N_CODES] = {200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 412, 413,
                                        414, 415, 417, 422, 429, 431, 499, 500, 503, 505, 0};
static const double bounds_s[N_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                           0.5,   1,      2.5,   5,    10,    30,   60};
static const struct {
    const char *name, *method;
} routes[N_ROUTE_LABELS] = {
    [ROUTE_EMBED] = {"embed", "POST"},
    [ROUTE_COMPARE] = {"compare", "POST"},
    [ROUTE_DIARIZE] = {"diarize", "POST"},
    [ROUTE_IDENTIFY] = {"identify", "POST"},
    [ROUTE_VOICE_VERIFY] = {"voice_verify", "POST"},
    [ROUTE_VOICE_ADD] = {"voice_add", "POST"},
    [ROUTE_VOICE_ENROL] = {"voice_enrol", "PUT"},
    [ROUTE_VOICE_DELETE] = {"voice_delete", "DELETE"},
    [ROUTE_CLIP_DELETE] = {"clip_delete", "DELETE"},
    [ROUTE_VOICES_DELETE] = {"voices_delete", "DELETE"},
    [ROUTE_VOICE] = {"voice", "GET"},
    [ROUTE_VOICES] = {"voices", "GET"},
    [ROUTE_INFO] = {"info", "GET"},
    [ROUTE_LIVEZ] = {"livez", "GET"},
    [ROUTE_READYZ] = {"readyz", "GET"},
    [ROUTE_HEALTHZ] = {"healthz", "GET"},
    [ROUTE_METRICS] = {"metrics", "GET"},
    [ROUTE_OPENAPI] = {"openapi", "GET"},
    [ROUTE_DOCS] = {"docs", "GET"},
    [ROUTE_INDEX] = {"index", "GET"},
    [ROUTE_OTHER] = {"other", "GET"},
};
static const char *const stage_names[N_STAGES] = {"queue",  "decode", "features", "inference",
                                                  "encode", "slice",  "store"};
static const char *const identified_names[N_IDENTIFIED] = {"known", "unknown"};
static const char *const state_names[] = {"loading", "ready", "draining", "stuck"};

static void observe(struct histogram *histogram, double seconds)
{
    size_t i = 0;
    while (i < N_BUCKETS && seconds > bounds_s[i])
        i++;
    if (i < N_BUCKETS)
        histogram->buckets[i]++;
    histogram->count++;
    histogram->sum_s += seconds;
}

void metrics_count_request(struct metrics *metrics, enum route_label route, unsigned status,
                           double duration_s)
{
    ON_LOOP();
    size_t i = 0;
    while (i + 1 < N_CODES && codes[i] != status)
        i++;
    metrics->requests[route][i]++;
    observe(&metrics->durations[route], duration_s);
}

void metrics_add_turn(struct metrics *metrics, double seconds)
{
    ON_LOOP();
    observe(&metrics->turns, seconds);
    if (seconds > metrics->longest_turn_s)
        metrics->longest_turn_s = seconds;
}

void metrics_add_stage(struct metrics *metrics, enum stage stage, double seconds)
{
    ON_LOOP();
    observe(&metrics->stages[stage], seconds);
}

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_number(FILE *out, const char *name, const char *type, const char *help,
                       double value)
{
    put_head(out, name, type, help);
    fprintf(out, "%s %.17g\n", name, value);
}

static void put_histogram(FILE *out, const char *name, const struct histogram *histogram)
{
    uint64_t below = 0;
    for (size_t i = 0; i < N_BUCKETS; i++) {
        below += histogram->buckets[i];
        fprintf(out, "%s_bucket{le=\"%g\"} %llu\n", name, bounds_s[i], (unsigned long long)below);
    }
    fprintf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)histogram->count);
    fprintf(out, "%s_sum %.9g\n", name, histogram->sum_s);
    fprintf(out, "%s_count %llu\n", name, (unsigned long long)histogram->count);
}

/* One histogram of a family, which a label tells from the others. */
static void put_labelled(FILE *out, const char *name, const char *label, const char *value,
                         const struct histogram *histogram)
{
    uint64_t below = 0;
    for (size_t i = 0; i < N_BUCKETS; i++) {
        below += histogram->buckets[i];
        fprintf(out, "%s_bucket{%s=\"%s\",le=\"%g\"} %llu\n", name, label, value, bounds_s[i],
                (unsigned long long)below);
    }
    fprintf(out, "%s_bucket{%s=\"%s\",le=\"+Inf\"} %llu\n", name, label, value,
            (unsigned long long)histogram->count);
    fprintf(out, "%s_sum{%s=\"%s\"} %.9g\n", name, label, value, histogram->sum_s);
    fprintf(out, "%s_count{%s=\"%s\"} %llu\n", name, label, value,
            (unsigned long long)histogram->count);
}

static void put_requests(FILE *out, const struct metrics *metrics)
{
    put_head(out, "voiceprintd_http_requests_total", "counter",
             "Requests by route and status; 499: the client left, 408: cut at a deadline.");
    for (size_t i = 0; i < N_ROUTE_LABELS; i++) {
        for (size_t j = 0; j < N_CODES; j++) {
            if (metrics->requests[i][j] == 0)
                continue;
            char code[12] = "other";
            if (codes[j] != 0)
                snprintf(code, sizeof code, "%u", codes[j]);
            fprintf(out,
                    "voiceprintd_http_requests_total{route=\"%s\",method=\"%s\",code=\"%s\"} "
                    "%llu\n",
                    routes[i].name, routes[i].method, code,
                    (unsigned long long)metrics->requests[i][j]);
        }
    }
    put_head(out, "voiceprintd_http_request_duration_seconds", "histogram",
             "From the request line to the end of the answer.");
    for (size_t i = 0; i < N_ROUTE_LABELS; i++)
        if (metrics->durations[i].count > 0)
            put_labelled(out, "voiceprintd_http_request_duration_seconds", "route", routes[i].name,
                         &metrics->durations[i]);
    put_head(out, "voiceprintd_stage_duration_seconds", "histogram", "Time in each stage.");
    for (size_t i = 0; i < N_STAGES; i++)
        put_labelled(out, "voiceprintd_stage_duration_seconds", "stage", stage_names[i],
                     &metrics->stages[i]);
}

static void put_turns(FILE *out, const struct metrics *metrics)
{
    put_head(out, "voiceprintd_loop_turn_seconds", "histogram",
             "CPU time of one turn of the event loop: nobody is served meanwhile.");
    put_histogram(out, "voiceprintd_loop_turn_seconds", &metrics->turns);
    put_number(out, "voiceprintd_loop_turn_longest_seconds", "gauge",
               "The longest turn since the start.", metrics->longest_turn_s);
}

static void put_counters(FILE *out, const struct metrics *metrics)
{
    put_head(out, "voiceprintd_rejected_total", "counter", "Requests refused for a shortage.");
    for (size_t i = 1; i < N_PROBLEMS; i++)
        if (problem_rule((enum problem_kind)i)->retry)
            fprintf(out, "voiceprintd_rejected_total{reason=\"%s\"} %llu\n",
                    problem_rule((enum problem_kind)i)->name,
                    (unsigned long long)metrics->rejected[i]);
    put_number(out, "voiceprintd_audio_seconds_total", "counter", "Audio that was embedded.",
               metrics->audio_s);
    put_number(out, "voiceprintd_diarized_audio_seconds_total", "counter",
               "Audio in which speakers were told apart.", metrics->diarized_s);
    put_head(out, "voiceprintd_identify_total", "counter",
             "Answers of /identify: a known voice was named, or none.");
    for (size_t i = 0; i < N_IDENTIFIED; i++)
        fprintf(out, "voiceprintd_identify_total{result=\"%s\"} %llu\n", identified_names[i],
                (unsigned long long)metrics->identified[i]);
    put_head(out, "voiceprintd_audio_warnings_total", "counter", "Remarks on accepted clips.");
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        fprintf(out, "voiceprintd_audio_warnings_total{warning=\"%s\"} %llu\n", vp_warning_name(i),
                (unsigned long long)metrics->warnings[i]);
    put_number(out, "voiceprintd_clients_gone_total", "counter",
               "Requests dropped because the client left while they waited.",
               (double)metrics->clients_gone);
    put_number(out, "voiceprintd_inference_invalid_total", "counter",
               "Embeddings of ours that were zero, constant or not finite.",
               (double)metrics->inference_invalid);
    put_number(out, "voiceprintd_connections_evicted_total", "counter",
               "Idle connections, and ones that do not read their answers, closed to make room.",
               (double)metrics->connections_evicted);
    put_number(out, "voiceprintd_deadlines_missed_total", "counter",
               "Connections cut because the client was too slow.",
               (double)metrics->deadlines_missed);
}

static void put_gauges(FILE *out, const struct gauges *gauges)
{
    put_number(out, "voiceprintd_queue_depth", "gauge", "Requests waiting for a worker.",
               (double)gauges->queue_depth);
    put_number(out, "voiceprintd_queue_capacity", "gauge", "Requests that may wait.",
               (double)gauges->queue_capacity);
    put_number(out, "voiceprintd_workers", "gauge", "Inference threads.", (double)gauges->workers);
    put_number(out, "voiceprintd_workers_busy", "gauge", "Inference threads at work.",
               (double)gauges->workers_busy);
    put_number(out, "voiceprintd_diarizations", "gauge", "Diarizations under way.",
               (double)gauges->diarizations);
    if (gauges->has_voices)
        put_number(out, "voiceprintd_voices", "gauge", "Known voices.", (double)gauges->voices);
    put_number(out, "voiceprintd_connections", "gauge", "Open connections.",
               (double)gauges->connections);
    put_number(out, "voiceprintd_clients", "gauge",
               "Addresses and keys that hold a connection, an upload or a place in the queue.",
               (double)gauges->clients);
    put_number(out, "voiceprintd_upload_bytes_buffered", "gauge", "Memory reserved for uploads.",
               (double)gauges->upload_bytes);
    put_head(out, "voiceprintd_state", "gauge", "1 for the state the service is in.");
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++)
        fprintf(out, "voiceprintd_state{state=\"%s\"} %d\n", state_names[i],
                strcmp(state_names[i], gauges->state) == 0);
    put_head(out, "voiceprintd_build_info", "gauge", "What is running.");
    fprintf(out,
            "voiceprintd_build_info{version=\"%s\",model_digest=\"%s\",blas=\"%s\",kernel=\"%s\"} "
            "1\n",
            gauges->version, gauges->model_digest, gauges->blas, gauges->kernel);
}

/* Seconds since the epoch at which this process started, from /proc. */
static double start_time_s(void)
{
    char text[1024];
    unsigned long long boot = 0, start_ticks = 0;
    FILE *file = fopen("/proc/self/stat", "r");
    if (file == NULL)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    const char *at = strrchr(text, ')'); /* the name may hold blanks; starttime is 20 fields on */
    if (at == NULL || sscanf(at + 1,
                             " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
                             "%*d %*d %*d %*d %*d %llu",
                             &start_ticks) != 1)
        return 0;
    file = fopen("/proc/stat", "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        if (sscanf(text, "btime %llu", &boot) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (double)boot + (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
}

static size_t count_open_fds(void)
{
    size_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

/* Why decoders were replaced. */
static void put_decoders(FILE *out, const struct sandbox *sandbox)
{
    put_head(out, "voiceprintd_decoder_restarts_total", "counter",
             "Decoders that ended before their time and were replaced.");
    for (enum decoder_end end = 0; end < N_DECODER_ENDS; end++)
        fprintf(out, "voiceprintd_decoder_restarts_total{reason=\"%s\"} %llu\n",
                sandbox_end_name(end), (unsigned long long)sandbox_ends(sandbox, end));
}

static void put_process(FILE *out, double decoders_s)
{
    struct rusage usage;
    unsigned long total = 0, resident = 0;
    getrusage(RUSAGE_SELF, &usage);
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &total, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    put_number(out, "process_cpu_seconds_total", "counter",
               "User and system time, decoders included.",
               decoders_s + (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    put_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
               (double)resident * (double)sysconf(_SC_PAGESIZE));
    put_number(out, "process_open_fds", "gauge", "Open file descriptors.",
               (double)count_open_fds());
    put_number(out, "process_start_time_seconds", "gauge", "Start, since the epoch.",
               start_time_s());
}

char *metrics_text(const struct metrics *metrics, const struct gauges *gauges, size_t *n_bytes)
{
    ON_LOOP();
    char *text = NULL;
    FILE *out = open_memstream(&text, n_bytes);
    if (out == NULL)
        return NULL;
    put_requests(out, metrics);
    put_turns(out, metrics);
    put_counters(out, metrics);
    put_gauges(out, gauges);
    if (gauges->sandbox != NULL)
        put_decoders(out, gauges->sandbox);
    put_process(out, gauges->sandbox != NULL ? sandbox_cpu_s(gauges->sandbox) : 0.0);
    bool good = !ferror(out);
    if (fclose(out) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
