/* One recording on its way: hear, cluster, answer. */
#include "diarization.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio/sniff.h"
#include "base/constants.h"
#include "cluster/cluster.h"
#include "diarize/activity.h"
#include "diarize/answer.h"
#include "diarize/crowd.h"
#include "diarize/hearing.h"
#include "diarize/labels.h"
#include "diarize/listening.h"
#include "diarize/speech/vad.h"
#include "diarize/tracking.h"
#include "voice/scratch.h"

/* Where a step ends changes nothing but the latency of others. */
#define STEP_S          0.04
#define TRACKING_STEP_S 0.01 /* a stretch by itself takes 0.035 */
#define HEARING_SHARE   0.97 /* of the whole work */
#define TRACKING_SHARE  0.36 /* of it, where voices are tracked */
#define LONGEST_OFF_S   5.0
#define THRESHOLD       0.70 /* of models that state none */

struct vp_diarization {
    const vp_model *model; /* borrowed */
    struct vp_diarize_options options;
    struct container container;
    struct hearing *hearing;     /* owned; NULL with a segmentation network */
    struct listening *listening; /* owned; NULL without */
    struct cluster *cluster;     /* owned; NULL before clustering */
    struct tsvad *tsvad;         /* owned; NULL where there is none for the model */
    float *directions;           /* owned, [n_clusters, dim]; NULL before they are known */
    struct tracking *tracking;   /* owned; NULL before tracking, and where voices are not tracked */
    struct answer answer;
    bool done;
    enum vp_status failed; /* of an earlier step, with its sentence */
    struct vp_err failure;
};

/* ---- names ----------------------------------------------------------------------------------- */

static const char *const engine_names[] = {"auto", "vad", "segmentation"};
#define N_ENGINES (sizeof engine_names / sizeof engine_names[0])

const char *vp_diarize_engine_name(enum vp_diarize_engine engine)
{
    return (unsigned)engine < N_ENGINES ? engine_names[engine] : "unknown";
}

bool vp_diarize_engine_parse(const char *name, enum vp_diarize_engine *out)
{
    for (unsigned i = 0; i < N_ENGINES; i++) {
        if (strcmp(name, engine_names[i]) == 0) {
            *out = (enum vp_diarize_engine)i;
            return true;
        }
    }
    return false;
}

const char *vp_diarize_warning_name(unsigned i)
{
    static const char *const names[VP_N_DIARIZE_WARNINGS] = {
        "no_speech",     "fewer_speakers_than_asked", "short_audio",
        "many_speakers", "no_overlap_detection",
    };
    return i < VP_N_DIARIZE_WARNINGS ? names[i] : "unknown";
}

/* ---- options --------------------------------------------------------------------------------- */

void vp_diarize_options_default(struct vp_diarize_options *out)
{
    *out = (struct vp_diarize_options){
        .threshold = (double)NAN,
        .engine = VP_DIARIZE_AUTO,
        .min_on_s = 0.2,
        .min_off_s = 0.3,
        .max_duration_s = 3600.0,
    };
}

static enum vp_status check_numbers(const struct vp_diarize_options *options, struct vp_err *err)
{
    const struct {
        const char *name;
        unsigned value;
    } numbers[] = {{"num_speakers", options->num_speakers},
                   {"min_speakers", options->min_speakers},
                   {"max_speakers", options->max_speakers}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].value > VP_DIARIZE_MAX_SPEAKERS)
            return status_fail_limit(err, VP_ERR_ARGUMENT, numbers[i].value,
                                     VP_DIARIZE_MAX_SPEAKERS, "%s is %u; 1 to %u can be told apart",
                                     numbers[i].name, numbers[i].value, VP_DIARIZE_MAX_SPEAKERS);
    if (options->num_speakers > 0 && (options->min_speakers > 0 || options->max_speakers > 0))
        return status_fail(err, VP_ERR_ARGUMENT,
                           "num_speakers says how many there are: give it, or min_speakers and "
                           "max_speakers, not both");
    if (options->max_speakers > 0 && options->min_speakers > options->max_speakers)
        return status_fail_limit(err, VP_ERR_ARGUMENT, options->min_speakers, options->max_speakers,
                                 "min_speakers is %u, above max_speakers, "
                                 "which is %u",
                                 options->min_speakers, options->max_speakers);
    return VP_OK;
}

static enum vp_status check_seconds(const char *name, double value, struct vp_err *err)
{
    if (value >= 0.0 && value <= LONGEST_OFF_S)
        return VP_OK;
    return status_fail_limit(err, VP_ERR_ARGUMENT, isfinite(value) ? value : 0.0, LONGEST_OFF_S,
                             "%s is %g; 0 to %g seconds make sense", name, value, LONGEST_OFF_S);
}

static enum vp_status check_speech(const struct vp_diarize_options *options, struct vp_err *err)
{
    double before_s = 0.0;
    for (size_t i = 0; options->speech != NULL && i < options->n_speech; i++) {
        const struct vp_span *span = &options->speech[i];
        if (!(span->start_s >= before_s && span->end_s > span->start_s && span->end_s < 1e9))
            return status_fail(err, VP_ERR_ARGUMENT,
                               "stretch %zu of the speech given is empty, or not behind the one "
                               "before",
                               i);
        before_s = span->end_s;
    }
    return VP_OK;
}

static enum vp_status check_options(const struct vp_diarize_options *options,
                                    const vp_segmentation *segmentation, struct vp_err *err)
{
    enum vp_status status = check_numbers(options, err);
    if (status == VP_OK)
        status = check_seconds("min_on", options->min_on_s, err);
    if (status == VP_OK)
        status = check_seconds("min_off", options->min_off_s, err);
    if (status == VP_OK)
        status = check_speech(options, err);
    if (status != VP_OK)
        return status;
    if (!isnan(options->threshold) && !(fabs(options->threshold) <= 1.0))
        return status_fail_limit(err, VP_ERR_ARGUMENT, 0.0, 1.0,
                                 "threshold is %g; a cosine lies between -1 and 1",
                                 options->threshold);
    if (!(options->max_duration_s > 0.0))
        return status_fail(err, VP_ERR_ARGUMENT, "max_duration_s is %g; it must be above 0",
                           options->max_duration_s);
    if (options->engine == VP_DIARIZE_SEGMENTATION && segmentation == NULL)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "engine segmentation needs a segmentation model, and none is loaded; "
                           "engine vad works without");
    return VP_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The net that tells who speaks, if there is one for the model. */
static enum vp_status load_tsvad(vp_diarization *diarization, struct vp_err *err)
{
    const vp_model *model = diarization->model;
    const enum vp_status status = tsvad_new(NULL, 0, &diarization->tsvad, err);
    if (status == VP_OK && !(tsvad_serves(diarization->tsvad, model->info.digest) &&
                             resnet_trunk_rows(model->resnet) == TSVAD_TRUNK_ROWS &&
                             model->info.n_mels == VAD_N_MELS)) {
        tsvad_free(diarization->tsvad);
        diarization->tsvad = NULL;
    }
    return status;
}

enum vp_status vp_diarization_new(const vp_model *model, const vp_segmentation *segmentation,
                                  const struct vp_diarize_options *options, const void *bytes,
                                  size_t n_bytes, vp_diarization **out, struct vp_err *err)
{
    *out = NULL;
    enum vp_status status = check_options(options, segmentation, err);
    if (status != VP_OK)
        return status;
    vp_diarization *diarization = calloc(1, sizeof *diarization);
    if (diarization == NULL)
        return status_no_memory(err, "a diarization", sizeof *diarization);
    diarization->model = model;
    diarization->options = *options;
    const bool segments =
        options->engine == VP_DIARIZE_SEGMENTATION ||
        (options->engine == VP_DIARIZE_AUTO && segmentation != NULL && options->speech == NULL);
    diarization->answer.result.engine = segments ? VP_DIARIZE_SEGMENTATION : VP_DIARIZE_VAD;
    diarization->answer.result.threshold = !isnan(options->threshold) ? options->threshold
                                           : segments ? crowd_threshold(&model->info)
                                           : model->has_diarize_threshold ? model->diarize_threshold
                                                                          : THRESHOLD;
    status = sniff_container((struct bytes){bytes, n_bytes}, &diarization->container, err);
    if (status == VP_OK && segments)
        status = listening_new(model, segmentation, &diarization->container,
                               options->max_duration_s, &diarization->listening, err);
    else if (status == VP_OK)
        status = hearing_new(model, &diarization->container, options, &diarization->hearing, err);
    if (status == VP_OK && !segments)
        status = load_tsvad(diarization, err);
    if (status == VP_OK)
        *out = diarization;
    else
        vp_diarization_free(diarization);
    return status;
}

void vp_diarization_free(vp_diarization *diarization)
{
    if (diarization == NULL)
        return;
    hearing_free(diarization->hearing);
    listening_free(diarization->listening);
    tracking_free(diarization->tracking);
    tsvad_free(diarization->tsvad);
    free(diarization->directions);
    cluster_free(diarization->cluster);
    answer_clear(&diarization->answer);
    free(diarization);
}

size_t vp_diarization_bytes(const vp_diarization *diarization)
{
    size_t n_bytes = sizeof *diarization;
    if (diarization->hearing != NULL)
        n_bytes += hearing_bytes(diarization->hearing);
    if (diarization->listening != NULL)
        n_bytes += listening_bytes(diarization->listening);
    if (diarization->cluster != NULL)
        n_bytes += cluster_bytes(diarization->cluster);
    if (diarization->tsvad != NULL)
        n_bytes += tsvad_bytes(diarization->tsvad);
    if (diarization->tracking != NULL)
        n_bytes += tracking_bytes(diarization->tracking);
    return n_bytes;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Turns of the voices as they were tracked; a voice that was never heard clearly keeps those that
 * its windows gave it. */
static enum vp_status track_turns(const vp_diarization *diarization, size_t n_voices,
                                  struct turns *turns, struct vp_err *err)
{
    struct turns of_windows = *turns;
    *turns = (struct turns){0};
    bool heard[VP_DIARIZE_MAX_SPEAKERS] = {false};
    struct activity activity = {.n_voices = n_voices,
                                .segments = hearing_segments(diarization->hearing),
                                .exact = diarization->options.speech != NULL,
                                .duration_s = hearing_clip(diarization->hearing)->duration_s};
    activity.probabilities = tracking_probabilities(diarization->tracking, &activity.n_parts);
    enum vp_status status = activity_turns(&activity, turns, err);
    for (size_t i = 0; i < turns->n; i++) /* what is shorter will be dropped */
        if (turns->list[i].end_s - turns->list[i].start_s >= diarization->options.min_on_s)
            heard[turns->list[i].speaker] = true;
    for (size_t i = 0; i < of_windows.n && status == VP_OK; i++)
        if (!heard[of_windows.list[i].speaker])
            status = turns_add(turns, &of_windows.list[i], err);
    turns_clear(&of_windows);
    return status;
}

/* Turns and speakers from windows and their clusters; partition NULL: there was no speech. */
static enum vp_status conclude(vp_diarization *diarization, const struct partition *partition,
                               struct vp_err *err)
{
    const size_t dim = diarization->model->info.dim;
    struct answer_voice voices[VP_DIARIZE_MAX_SPEAKERS];
    struct turns turns = {0};
    size_t n_voices = 0;
    enum vp_status status = VP_OK;
    diarization->answer.result.clip = *hearing_clip(diarization->hearing);
    diarization->answer.tells_overlap =
        diarization->tracking != NULL || (partition == NULL && diarization->tsvad != NULL);
    if (partition != NULL) {
        n_voices = partition->n_clusters;
        status = labels_turns(partition, hearing_units(diarization->hearing)->windows,
                              hearing_segments(diarization->hearing), &turns, err);
    }
    if (status == VP_OK && diarization->tracking != NULL)
        status = track_turns(diarization, n_voices, &turns, err);
    for (size_t v = 0; v < n_voices && status == VP_OK; v++)
        voices[v] = (struct answer_voice){
            .embedding = diarization->directions + v * dim,
            .coherence = partition->lengths[v] / (double)partition->sizes[v],
        };
    if (status == VP_OK)
        status = answer_make(&diarization->answer, &diarization->options, &turns, voices, n_voices,
                             dim, err);
    turns_clear(&turns);
    diarization->done = status == VP_OK;
    return status;
}

/* The voices are known: their directions, and the second hearing where there can be one. */
static enum vp_status settle(vp_diarization *diarization, struct partition *partition,
                             const vp_scratch *scratch, struct vp_err *err)
{
    const struct hearing *hearing = diarization->hearing;
    const size_t n = partition->n_clusters, dim = partition->dim;
    enum vp_status status = labels_smooth(partition, hearing_units(hearing)->windows, err);
    if (status != VP_OK)
        return status;
    diarization->directions = malloc(n * dim * sizeof *diarization->directions);
    if (diarization->directions == NULL)
        return status_no_memory(err, "the speakers", n * dim * sizeof *diarization->directions);
    for (size_t v = 0; v < partition->n_clusters; v++)
        partition_direction(partition, v, diarization->directions + v * dim);
    size_t n_probabilities;
    const float *probabilities = hearing_probabilities(hearing, &n_probabilities);
    const struct tracking_known known = {.max_duration_s = diarization->options.max_duration_s,
                                         .n_frames = n_probabilities,
                                         .probabilities = probabilities,
                                         .segments = hearing_segments(hearing),
                                         .directions = diarization->directions,
                                         .n_voices = partition->n_clusters};
    if (diarization->tsvad == NULL || known.n_frames < TRACKING_LEAST_FRAMES ||
        (double)scratch->audio.capacity < TRACKING_SCRATCH_S * SAMPLE_RATE_HZ)
        return conclude(diarization, partition, err);
    return tracking_new(diarization->model, diarization->tsvad, &diarization->container, &known,
                        &diarization->tracking, err);
}

static struct cluster_rules rules_of(const vp_diarization *diarization)
{
    const struct vp_diarize_options *options = &diarization->options;
    struct cluster_rules rules = {
        .min_clusters = options->min_speakers > 0 ? options->min_speakers : 1,
        .max_clusters = options->max_speakers > 0 ? options->max_speakers : VP_DIARIZE_MAX_SPEAKERS,
        .threshold = diarization->answer.result.threshold,
    };
    if (options->num_speakers > 0)
        rules.min_clusters = rules.max_clusters = options->num_speakers;
    return rules;
}

/* The same with a segmentation network: a piece of hearing, or all that follows. */
static enum vp_status advance_listening(vp_diarization *diarization, vp_scratch *scratch,
                                        struct vp_err *err)
{
    bool done = false;
    enum vp_status status = listening_step(diarization->listening, scratch, &done, err);
    if (status != VP_OK || !done)
        return status;
    diarization->answer.result.clip = *listening_clip(diarization->listening);
    status = crowd_conclude(listening_voices(diarization->listening),
                            listening_n_samples(diarization->listening), &diarization->options,
                            NULL, 0, &diarization->answer, err);
    diarization->done = status == VP_OK;
    return status;
}

/* A piece of work, whatever is next: some milliseconds, or a tenth of a second of clustering. */
static enum vp_status advance(vp_diarization *diarization, vp_scratch *scratch, struct vp_err *err)
{
    bool done = false;
    enum vp_status status = VP_OK;
    if (diarization->listening != NULL)
        return advance_listening(diarization, scratch, err);
    if (diarization->cluster == NULL) {
        status = hearing_step(diarization->hearing, scratch, &done, err);
        if (status != VP_OK || !done)
            return status;
        const struct units *units = hearing_units(diarization->hearing);
        if (units->n == 0)
            return conclude(diarization, NULL, err);
        const struct cluster_rules rules = rules_of(diarization);
        return cluster_new(units->embeddings, units->n, units->dim, &rules, &diarization->cluster,
                           err);
    }
    if (diarization->tracking == NULL) {
        status = cluster_step(diarization->cluster, &done, err);
        return status == VP_OK && done
                   ? settle(diarization, cluster_result(diarization->cluster), scratch, err)
                   : status;
    }
    status = tracking_step(diarization->tracking, scratch, &done, err);
    return status == VP_OK && done
               ? conclude(diarization, cluster_result(diarization->cluster), err)
               : status;
}

/* Of the whole work; the hearing's share is smaller where voices are tracked. */
static double fraction(const vp_diarization *diarization)
{
    const double tracking = diarization->tsvad != NULL ? TRACKING_SHARE : 0.0;
    const double hearing = HEARING_SHARE - tracking;
    if (diarization->done)
        return 1.0;
    if (diarization->tracking != NULL)
        return hearing + tracking * tracking_progress(diarization->tracking);
    if (diarization->cluster != NULL)
        return hearing;
    return hearing * (diarization->listening != NULL ? listening_progress(diarization->listening)
                                                     : hearing_progress(diarization->hearing));
}

static void report(const vp_diarization *diarization, struct vp_diarize_progress *progress)
{
    const struct listening *listening = diarization->listening;
    *progress = (struct vp_diarize_progress){
        .fraction = fraction(diarization),
        .stage = diarization->done               ? "done"
                 : diarization->tracking != NULL ? "track"
                 : diarization->cluster != NULL  ? "cluster"
                                                 : "embed",
        .heard_s = listening != NULL ? listening_heard_s(listening)
                                     : hearing_heard_s(diarization->hearing),
        .done = diarization->done,
    };
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum vp_status vp_diarization_step(vp_diarization *diarization, vp_scratch *scratch,
                                   struct vp_diarize_progress *progress, struct vp_err *err)
{
    scratch_check(scratch);
    const unsigned least_s = diarization->listening != NULL  ? 10
                             : diarization->tracking != NULL ? (unsigned)TRACKING_SCRATCH_S
                                                             : 2;
    if (scratch->model != diarization->model ||
        scratch->audio.capacity < (size_t)least_s * SAMPLE_RATE_HZ)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "a diarization needs a scratch of the same model, for clips of %u s or "
                           "more; raise max_duration_s",
                           least_s);
    scratch->step = SCRATCH_EMPTY;
    const double start_s = now_s();
    while (!diarization->done && diarization->failed == VP_OK) {
        diarization->failed = advance(diarization, scratch, &diarization->failure);
        if (now_s() - start_s >= (diarization->tracking != NULL ? TRACKING_STEP_S : STEP_S))
            break;
    }
    report(diarization, progress);
    if (diarization->failed != VP_OK && err != NULL)
        *err = diarization->failure;
    return diarization->failed;
}

const struct vp_diarization_result *vp_diarization_result(const vp_diarization *diarization)
{
    return diarization->done ? &diarization->answer.result : NULL;
}
