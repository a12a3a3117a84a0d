/* A cursor over the segments. */
#include "diarize/windows/windows.h"

#include "features/frames.h"

#define FLUSH_LEAST 10u /* frames left over that are worth a window of their own */

/* Windows in a closed segment of n frames, the one flush with its end included. */
static size_t count_windows(size_t n, size_t step)
{
    if (n <= WINDOW_FRAMES)
        return 1;
    const size_t n_steps = (n - WINDOW_FRAMES) / step;
    return n_steps + 1 + (n - WINDOW_FRAMES - n_steps * step >= FLUSH_LEAST);
}

static void place(struct windows *windows, size_t first, size_t end, size_t step,
                  struct window *out)
{
    size_t at = first + windows->n * step;
    if (at + WINDOW_FRAMES > end)
        at = end - first > WINDOW_FRAMES ? end - WINDOW_FRAMES : first;
    *out = (struct window){
        .first = at,
        .end = end - at < WINDOW_FRAMES ? end : at + WINDOW_FRAMES,
        .segment = windows->segment,
    };
    windows->n++;
}

bool windows_next(struct windows *windows, const struct segments *segments, struct window *out)
{
    while (windows->segment < segments->n) {
        const struct segment *segment = &segments->list[windows->segment];
        const size_t n = segment->end - segment->first;
        const size_t step = n < WINDOW_LONG ? WINDOW_STEP_SHORT : WINDOW_STEP;
        if (windows->n < count_windows(n, step)) {
            place(windows, segment->first, segment->end, step, out);
            return true;
        }
        windows->segment++;
        windows->n = 0;
    }
    /* of the open segment, what is sure whatever its length becomes */
    if (!segments->open || segments->n_frames - segments->first < WINDOW_LONG ||
        segments->first + windows->n * WINDOW_STEP + WINDOW_FRAMES > segments->n_frames)
        return false;
    place(windows, segments->first, segments->n_frames, WINDOW_STEP, out);
    return true;
}

static double middle_s(const struct window *window)
{
    return 0.5 * (double)(window->first + window->end) / FRAMES_A_SECOND;
}

size_t windows_nearest(const struct window *windows, size_t n, double at_s)
{
    size_t low = 0, high = n - 1; /* middles rise with the windows */
    while (low < high) {
        const size_t between = (low + high) / 2;
        if (0.5 * (middle_s(&windows[between]) + middle_s(&windows[between + 1])) < at_s)
            low = between + 1;
        else
            high = between;
    }
    return low;
}
