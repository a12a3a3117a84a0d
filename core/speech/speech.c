/* Which frames are speech. */
#include "speech/speech.h"

#include <string.h>

const struct speech_settings speech_default = {
    .on = 0.7F, .off = 0.3F, .min_on_frames = 20, .min_off_frames = 10, .pad_frames = 1};

void speech_start(struct speech *speech, const struct speech_settings *settings)
{
    memset(speech, 0, sizeof *speech);
    speech->settings = *settings;
}

size_t speech_delay(const struct speech_settings *settings)
{
    return settings->min_on_frames + settings->min_off_frames + 2 * settings->pad_frames;
}

/* Decides frames up to `end`, if they are not yet. Returns where the next decision goes. */
static unsigned char *decide(struct speech *speech, size_t end, bool is_speech,
                             unsigned char *decided)
{
    if (end <= speech->n_decided)
        return decided;
    const size_t n = end - speech->n_decided;
    memset(decided, is_speech, n);
    speech->n_decided = end;
    return decided + n;
}

/* Is the pause between the last speech and a frame too long to be filled? */
static bool is_pause(const struct speech *speech, size_t frame)
{
    const struct speech_settings *s = &speech->settings;
    return !speech->any_speech || frame - speech->last_end >= s->min_off_frames + 2 * s->pad_frames;
}

/* Frames from the last speech on that nothing may make speech again but one that begins at `frame`
 * or later. */
static unsigned char *decide_pause(struct speech *speech, size_t frame, unsigned char *decided)
{
    const size_t pad = speech->settings.pad_frames;
    if (speech->any_speech) {
        const size_t padded = speech->last_end + pad;
        decided = decide(speech, padded < frame ? padded : frame, true, decided);
    }
    if (is_pause(speech, frame) && frame > pad)
        decided = decide(speech, frame - pad, false, decided);
    return decided;
}

/* The next frame's probability. */
static unsigned char *take(struct speech *speech, float probability, unsigned char *decided)
{
    const struct speech_settings *s = &speech->settings;
    const size_t t = speech->n_frames++;
    const bool was_in_run = speech->in_run;
    speech->in_run = probability >= (was_in_run ? s->off : s->on);
    if (speech->in_run && !was_in_run)
        speech->run_start = t;
    if (!speech->in_run)
        return decide_pause(speech, t + 1, decided);
    decided = decide_pause(speech, speech->run_start, decided);
    if (t + 1 - speech->run_start < s->min_on_frames)
        return decided; /* too short as yet */
    decided = decide(speech, t + 1, true, decided);
    speech->any_speech = true;
    speech->last_end = t + 1;
    return decided;
}

size_t speech_push(struct speech *speech, const float *probabilities, size_t n,
                   unsigned char *decided)
{
    unsigned char *const first = decided;
    for (size_t i = 0; i < n; i++)
        decided = take(speech, probabilities[i], decided);
    return (size_t)(decided - first);
}

size_t speech_finish(struct speech *speech, unsigned char *decided)
{
    unsigned char *const first = decided;
    const size_t end = speech->n_frames;
    if (speech->any_speech) {
        const size_t padded = speech->last_end + speech->settings.pad_frames;
        decided = decide(speech, padded < end ? padded : end, true, decided);
    }
    decided = decide(speech, end, false, decided);
    return (size_t)(decided - first);
}
