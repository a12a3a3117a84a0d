/* Segment by segment, voice by voice. */
#include "diarize/target/target_turns.h"

#include <math.h>

#include "base/argmax.h"

#define ON     0.7F
#define OFF    0.3F
#define PART_S 0.02
#define SLACK  1e-6 /* of a part: times are decimal */

/* A stretch of time, and the parts that it touches. */
struct stretch {
    double start_s, end_s;
    size_t first, end;
};

/* From the segment *next on, what touches with its margin; *next moves behind it. */
static struct stretch next_stretch(const struct target_activity *activity, size_t *next)
{
    const struct segments *segments = activity->segments;
    const double margin_s = activity->exact ? 0.0 : TARGET_TURNS_MARGIN_S;
    struct stretch stretch = {.start_s = fmax(segments->list[*next].start_s - margin_s, 0.0),
                              .end_s = segments->list[*next].end_s + margin_s};
    (*next)++;
    while (*next < segments->n && segments->list[*next].start_s - margin_s <= stretch.end_s)
        stretch.end_s = segments->list[(*next)++].end_s + margin_s;
    stretch.end_s = fmin(stretch.end_s, activity->duration_s);
    stretch.first = (size_t)(stretch.start_s / PART_S + SLACK);
    stretch.end = (size_t)ceil(fmax(stretch.end_s / PART_S - SLACK, 0.0));
    if (stretch.end > activity->n_parts)
        stretch.end = activity->n_parts;
    return stretch;
}

/* Parts first .. end - 1 of a voice; what touches the stretch's ends takes their exact times. */
static enum vp_status add(const struct target_activity *activity, const struct stretch *stretch,
                          size_t voice, size_t first, size_t end, struct turns *out,
                          struct vp_err *err)
{
    double sum = 0.0;
    for (size_t i = first; i < end; i++)
        sum += (double)activity->probabilities[i * activity->n_voices + voice];
    return turns_add(
        out,
        &(struct vp_turn){
            .start_s = first == stretch->first ? stretch->start_s : PART_S * (double)first,
            .end_s = end == stretch->end ? stretch->end_s : PART_S * (double)end,
            .speaker = (unsigned)voice,
            .confidence = activity->n_voices > 1 ? sum / (double)(end - first) : -1.0,
        },
        err);
}

static enum vp_status add_voice(const struct target_activity *activity,
                                const struct stretch *stretch, size_t voice, struct turns *out,
                                struct vp_err *err)
{
    enum vp_status status = VP_OK;
    bool speaks = false;
    size_t first = 0;
    for (size_t i = stretch->first; i < stretch->end && status == VP_OK; i++) {
        const float *probabilities = activity->probabilities + i * activity->n_voices;
        bool now = probabilities[voice] >= (speaks ? OFF : ON);
        if (activity->exact && argmax_f32(probabilities, activity->n_voices) == voice)
            now = true;
        if (now && !speaks)
            first = i;
        else if (!now && speaks)
            status = add(activity, stretch, voice, first, i, out, err);
        speaks = now;
    }
    if (speaks && status == VP_OK)
        status = add(activity, stretch, voice, first, stretch->end, out, err);
    return status;
}

enum vp_status target_turns_find(const struct target_activity *activity, struct turns *out,
                                 struct vp_err *err)
{
    enum vp_status status = VP_OK;
    for (size_t next = 0; next < activity->segments->n && status == VP_OK;) {
        const struct stretch stretch = next_stretch(activity, &next);
        for (size_t v = 0; v < activity->n_voices && status == VP_OK; v++)
            status = add_voice(activity, &stretch, v, out, err);
    }
    return status;
}
