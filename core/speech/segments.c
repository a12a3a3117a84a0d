/* Runs of ones. */
#include "speech/segments.h"

#include <stdlib.h>

#include "base/array.h"
#include "features/frames.h"

void segments_clear(struct segments *segments)
{
    free(segments->list);
    *segments = (struct segments){0};
}

enum vp_status segments_add(struct segments *segments, const struct segment *segment,
                            struct vp_err *err)
{
    struct segment *list =
        array_room(segments->list, &segments->capacity, segments->n + 1, sizeof *list);
    if (list == NULL)
        return status_no_memory(err, "segments of speech", (segments->n + 1) * sizeof *list);
    segments->list = list;
    segments->list[segments->n++] = *segment;
    return VP_OK;
}

/* Closes what is open at this frame. */
static enum vp_status close_at(struct segments *segments, size_t end, struct vp_err *err)
{
    segments->open = false;
    return segments_add(segments,
                        &(struct segment){
                            .first = segments->first,
                            .end = end,
                            .start_s = (double)segments->first / FRAMES_A_SECOND,
                            .end_s = (double)end / FRAMES_A_SECOND,
                        },
                        err);
}

enum vp_status segments_push(struct segments *segments, const unsigned char *speech, size_t n,
                             struct vp_err *err)
{
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < n && status == VP_OK; i++) {
        const size_t t = segments->n_frames++;
        if (speech[i] && !segments->open) {
            segments->open = true;
            segments->first = t;
        } else if (!speech[i] && segments->open) {
            status = close_at(segments, t, err);
        }
    }
    return status;
}

enum vp_status segments_finish(struct segments *segments, double end_s, struct vp_err *err)
{
    if (!segments->open)
        return VP_OK;
    enum vp_status status = close_at(segments, segments->n_frames, err);
    if (status == VP_OK && segments->list[segments->n - 1].end_s < end_s)
        segments->list[segments->n - 1].end_s = end_s;
    return status;
}
