/* Checks of the options, and the names of the engines. */
#include "diarize/options.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

#define LONGEST_OFF_S 5.0

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

enum vp_status options_check(const struct vp_diarize_options *options,
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
    if (options->channel == VP_CHANNEL_SPLIT && options->speech != NULL)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "where there is speech was said of the whole recording, and channel "
                           "split hears each channel by itself: leave one of them out");
    if (!(options->max_duration_s > 0.0))
        return status_fail(err, VP_ERR_ARGUMENT, "max_duration_s is %g; it must be above 0",
                           options->max_duration_s);
    if (options->engine == VP_DIARIZE_SEGMENTATION && segmentation == NULL)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "engine segmentation needs a segmentation model, and none is loaded; "
                           "engine vad works without");
    return VP_OK;
}

struct cluster_rules options_cluster_rules(const struct vp_diarize_options *options,
                                           double threshold)
{
    struct cluster_rules rules = {
        .min_clusters = options->min_speakers > 0 ? options->min_speakers : 1,
        .max_clusters = options->max_speakers > 0 ? options->max_speakers : VP_DIARIZE_MAX_SPEAKERS,
        .threshold = threshold,
    };
    if (options->num_speakers > 0)
        rules.min_clusters = rules.max_clusters = options->num_speakers;
    return rules;
}
