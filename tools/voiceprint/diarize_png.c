#include "diarize_png.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"
#include "waveform.h"

/* Pixels. */
#define WIDTH       1600u
#define LEFT        148u /* of the waveform: "SPEAKER_00" and a gap */
#define RIGHT       1580u
#define WAVE_TOP    20u
#define WAVE_HEIGHT 200u
#define LANE_HEIGHT 34u
#define AXIS_HEIGHT 44u
#define LANES_TOP   (WAVE_TOP + WAVE_HEIGHT + 10u)
#define TICK_APART  110.0 /* at least */

#define INK   0x1b1d22u
#define QUIET 0x9aa0abu /* the waveform where nobody speaks */
#define LINE  0xd5d8deu

/* As on the page, where they are told to have enough contrast on white. */
static const uint32_t colours[] = {0x2456c4, 0xb3540e, 0x17804a, 0x8b3fb0,
                                   0xa3232b, 0x0f7f8c, 0x8a6d00, 0xb0327c};

static uint32_t colour_of(unsigned speaker)
{
    return colours[speaker % (sizeof colours / sizeof colours[0])];
}

struct sheet {
    struct picture picture;
    const struct vp_diarization_result *result;
};

static double x_of(const struct sheet *sheet, double s)
{
    return LEFT + (RIGHT - LEFT) * s / sheet->result->duration_s;
}

/* Loudest at full height; a column of silence is one pixel high. */
static void draw_wave(struct sheet *sheet, const struct vp_wave_column *columns, size_t n)
{
    const struct vp_diarization_result *result = sheet->result;
    float peak = 1e-4f;
    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fmaxf(columns[i].high, -columns[i].low));
    const double middle = WAVE_TOP + WAVE_HEIGHT / 2.0, scale = WAVE_HEIGHT / 2.0 / (double)peak;
    size_t at = 0; /* of exclusive, which is sorted and does not overlap */
    for (size_t i = 0; i < n; i++) {
        const double s = ((double)i + 0.5) / (double)n * result->duration_s;
        while (at < result->n_exclusive && result->exclusive[at].end_s <= s)
            at++;
        const bool spoken = at < result->n_exclusive && result->exclusive[at].start_s <= s;
        const double left = LEFT + (double)i, top = middle - scale * (double)columns[i].high;
        const double bottom = fmax(middle - scale * (double)columns[i].low, top + 1.0);
        picture_fill(&sheet->picture, left, top, left + 1, bottom,
                     spoken ? colour_of(result->exclusive[at].speaker) : QUIET);
    }
}

static void draw_lanes(struct sheet *sheet)
{
    const struct vp_diarization_result *result = sheet->result;
    for (unsigned s = 0; s < result->n_speakers; s++) {
        char label[VP_SPEAKER_LABEL_CHARS];
        const double top = LANES_TOP + (double)LANE_HEIGHT * s;
        picture_text(&sheet->picture, 14, top + (LANE_HEIGHT - PICTURE_TEXT_HEIGHT) / 2.0,
                     vp_speaker_label(s, label), colour_of(s));
        picture_fill(&sheet->picture, LEFT, top + LANE_HEIGHT - 1, RIGHT, top + LANE_HEIGHT, LINE);
    }
    for (size_t i = 0; i < result->n_segments; i++) {
        const struct vp_turn *turn = &result->segments[i];
        const double top = LANES_TOP + (double)LANE_HEIGHT * turn->speaker;
        const double left = x_of(sheet, turn->start_s);
        picture_fill(&sheet->picture, left, top + 6, fmax(x_of(sheet, turn->end_s), left + 1),
                     top + LANE_HEIGHT - 7, colour_of(turn->speaker));
    }
}

/* A tick at every round time that leaves room for its words. */
static void draw_axis(struct sheet *sheet, double top)
{
    static const double steps_s[] = {0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600};
    const double duration_s = sheet->result->duration_s;
    const double least_s = TICK_APART / (RIGHT - LEFT) * duration_s;
    size_t i = 0;
    while (i + 1 < sizeof steps_s / sizeof steps_s[0] && steps_s[i] < least_s)
        i++;
    const double step_s = fmax(steps_s[i], least_s);
    for (unsigned tick = 0; tick * step_s <= duration_s; tick++) {
        char label[32];
        const double s = tick * step_s, x = x_of(sheet, s);
        const unsigned minutes = (unsigned)(s / 60.0 + 1e-9);
        snprintf(label, sizeof label, step_s < 1.0 ? "%u:%04.1f" : "%u:%02.0f", minutes,
                 fmax(s - 60.0 * minutes, 0.0));
        picture_fill(&sheet->picture, x, top, x + 1, top + 8, INK);
        const double width = (double)strlen(label) * PICTURE_CHAR_WIDTH - 2;
        picture_text(&sheet->picture, fmin(x - width / 2, WIDTH - width - 4), top + 14, label, INK);
    }
}

bool diarize_png(const char *path, const void *bytes, size_t n_bytes, unsigned channel,
                 const struct vp_diarization_result *result, struct vp_err *err)
{
    struct sheet sheet = {.result = result};
    const unsigned axis_top = LANES_TOP + LANE_HEIGHT * (unsigned)result->n_speakers + 4;
    const size_t n_columns = RIGHT - LEFT;
    char reason[128] = "no memory";
    bool good = false, drawn = false;
    struct vp_wave_column *columns = calloc(n_columns, sizeof *columns);
    if (columns == NULL || !picture_new(WIDTH, axis_top + AXIS_HEIGHT, &sheet.picture))
        goto out;
    drawn =
        vp_waveform(bytes, n_bytes, channel, result->duration_s, columns, n_columns, err) == VP_OK;
    if (!drawn)
        goto out;
    draw_wave(&sheet, columns, n_columns);
    draw_lanes(&sheet);
    draw_axis(&sheet, axis_top);
    good = picture_write(&sheet.picture, path, reason, sizeof reason);
out:
    if (!good && (drawn || sheet.picture.rgb == NULL)) { /* else vp_waveform has said it */
        memset(err, 0, sizeof *err);
        err->status = VP_ERR_IO;
        snprintf(err->message, sizeof err->message, "cannot write %s: %s", path, reason);
    }
    picture_free(&sheet.picture);
    free(columns);
    return good;
}
