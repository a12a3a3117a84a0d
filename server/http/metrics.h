/*
 * Counters and histograms of the service, and their Prometheus text. All of it belongs to the
 * loop thread: workers report through their jobs. Label sets are closed.
 */
#ifndef VP_METRICS_H
#define VP_METRICS_H

#include "http/problem.h"
#include "sandbox/sandbox.h"

#include <stdint.h>

/* Values of the label `route`; anything unknown is OTHER. */
enum route_label {
    ROUTE_EMBED = 0,
    ROUTE_COMPARE,
    ROUTE_DIARIZE,
    ROUTE_IDENTIFY,
    ROUTE_VOICE_VERIFY,
    ROUTE_VOICE_ADD,
    ROUTE_VOICE_ENROL,
    ROUTE_VOICE_DELETE,
    ROUTE_CLIP_DELETE,
    ROUTE_VOICES_DELETE,
    ROUTE_VOICE,
    ROUTE_VOICES,
    ROUTE_INFO,
    ROUTE_LIVEZ,
    ROUTE_READYZ,
    ROUTE_HEALTHZ,
    ROUTE_METRICS,
    ROUTE_OPENAPI,
    ROUTE_DOCS,
    ROUTE_INDEX,
    ROUTE_OTHER,
    N_ROUTE_LABELS
};

enum stage {
    STAGE_QUEUE = 0,
    STAGE_DECODE,
    STAGE_FEATURES,
    STAGE_INFERENCE,
    STAGE_ENCODE,
    STAGE_SLICE, /* of a diarization */
    STAGE_STORE, /* a change of known voices, up to the disk */
    N_STAGES
};
enum { N_BUCKETS = 15, N_CODES = 23 };

enum identified { IDENTIFIED_KNOWN = 0, IDENTIFIED_UNKNOWN, N_IDENTIFIED };

struct histogram {
    uint64_t buckets[N_BUCKETS]; /* not cumulative; above the last bound only in count */
    uint64_t count;
    double sum_s;
};

struct metrics {
    uint64_t requests[N_ROUTE_LABELS][N_CODES];
    struct histogram durations[N_ROUTE_LABELS];
    struct histogram stages[N_STAGES];
    struct histogram turns; /* of the loop, see turns.h */
    double longest_turn_s;
    uint64_t rejected[N_PROBLEMS];
    uint64_t warnings[VP_N_WARNINGS];
    double audio_s, diarized_s;
    uint64_t identified[N_IDENTIFIED]; /* answers of /identify */
    uint64_t clients_gone, inference_invalid, connections_evicted, deadlines_missed;
};

/* What is not counted but read off at the moment of asking. */
struct gauges {
    size_t queue_depth, queue_capacity, workers, workers_busy, connections, clients, upload_bytes,
        diarizations, voices;
    bool has_voices;                                    /* known voices are on, and could be read */
    const struct sandbox *sandbox;                      /* borrowed; NULL: there is none */
    const char *state;                                  /* loading, ready, draining, stuck */
    const char *version, *model_digest, *blas, *kernel; /* "" while nothing is loaded */
};

void metrics_count_request(struct metrics *metrics, enum route_label route, unsigned status,
                           double duration_s);
void metrics_add_turn(struct metrics *metrics, double seconds);
void metrics_add_stage(struct metrics *metrics, enum stage stage, double seconds);
/* The exposition text, malloc'd; NULL when memory is short. [loop] */
char *metrics_text(const struct metrics *metrics, const struct gauges *gauges, size_t *n_bytes);

#endif
