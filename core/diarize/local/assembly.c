/* One-to-one mapping of windows, and votes of windows on frames. */
#include "diarize/local/assembly.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "cluster/assignment.h"

#define RATE_HZ 16000.0
#define LIKELY                                                                                     \
    0.1 /* cosine by which another speaker must be nearer than the one clustering chose */

/* ---- speakers ----------------------------------------------------------------------------- */

/* Cosines of the tracks of voices first .. first + n - 1 with all directions, -2 where there is no
 * embedding; and the same with what speaks for the likely one. */
static void compare(const struct local_speakers *locals, const struct tracks *tracks,
                    const size_t *likely, size_t first, size_t n, const float *directions,
                    size_t n_speakers, double *cosines, double *evidence)
{
    const int dim = (int)locals->dim;
    for (size_t i = 0; i < n; i++) {
        const size_t track = tracks->of_voice[first + i];
        const float *sum = tracks->sums + track * locals->dim;
        const double norm = (double)cblas_snrm2(dim, sum, 1);
        const bool known = locals->list[first + i].embedding != LOCAL_SPEAKERS_NONE && norm > 0;
        for (size_t s = 0; s < n_speakers; s++) {
            const float *direction = directions + s * locals->dim;
            const double cosine = known ? (double)cblas_sdot(dim, sum, 1, direction, 1) / norm : -2;
            cosines[i * n_speakers + s] = cosine;
            evidence[i * n_speakers + s] = cosine + (likely[track] == s ? LIKELY : 0);
        }
    }
}

static size_t nearest(const double *cosines, size_t n_speakers, size_t but)
{
    size_t best = LOCAL_SPEAKERS_NONE;
    for (size_t s = 0; s < n_speakers; s++)
        if (s != but && (best == LOCAL_SPEAKERS_NONE || cosines[s] > cosines[best]))
            best = s;
    return best;
}

/* Mapping of one window, from its cosines [n, n_speakers]. */
static enum vp_status assign_window(const struct local_speaker *list, size_t n,
                                    const double *cosines, const double *evidence,
                                    size_t n_speakers, size_t *speakers, double *margins,
                                    struct vp_err *err)
{
    const enum vp_status status = assignment_solve(evidence, n, n_speakers, speakers, err);
    for (size_t i = 0; i < n && status == VP_OK; i++) {
        const double *row = cosines + i * n_speakers;
        margins[i] = -1;
        if (list[i].embedding == LOCAL_SPEAKERS_NONE) {
            speakers[i] = LOCAL_SPEAKERS_NONE;
            continue;
        }
        if (speakers[i] == ASSIGNMENT_NONE) /* more voices than speakers */
            speakers[i] = nearest(row, n_speakers, LOCAL_SPEAKERS_NONE);
        const size_t next = nearest(row, n_speakers, speakers[i]);
        if (next != LOCAL_SPEAKERS_NONE)
            margins[i] = fmin(fmax(row[speakers[i]] - row[next], 0), 1);
    }
    return status;
}

enum vp_status assembly_assign(const struct local_speakers *locals, const struct tracks *tracks,
                               const size_t *likely, const float *directions, size_t n_speakers,
                               size_t *speakers, double *margins, struct vp_err *err)
{
    const size_t most = SEG_N_SPEAKERS * n_speakers;
    double *cosines = calloc(2 * most, sizeof *cosines);
    if (cosines == NULL)
        return status_no_memory(err, "the mapping of speakers", 2 * most * sizeof *cosines);
    enum vp_status status = VP_OK;
    for (size_t i = 0, n; i < locals->n && status == VP_OK; i += n) {
        for (n = 1; i + n < locals->n && locals->list[i + n].window == locals->list[i].window;)
            n++;
        compare(locals, tracks, likely, i, n, directions, n_speakers, cosines, cosines + most);
        status = assign_window(locals->list + i, n, cosines, cosines + most, n_speakers,
                               speakers + i, margins + i, err);
    }
    free(cosines);
    return status;
}

/* ---- frames ------------------------------------------------------------------------------- */

/* The recording's frames, all windows added up. */
struct frame_votes {
    size_t n_frames, n_speakers;
    uint8_t *windows; /* owned, [n_frames]: that cover the frame */
    uint8_t *heard;   /* owned, [n_frames]: local speakers in them */
    uint8_t *votes;   /* owned, [n_frames, n_speakers] */
    float *margins;   /* owned, [n_frames, n_speakers], sums of those of the votes */
};

static enum vp_status new_votes(struct frame_votes *votes, size_t n_windows, size_t n_speakers,
                                struct vp_err *err)
{
    const size_t n = n_windows > 0 ? tracks_first_frame(n_windows - 1) + SEG_WINDOW_FRAMES : 0;
    *votes = (struct frame_votes){.n_frames = n, .n_speakers = n_speakers};
    votes->windows = calloc(n + 1, 1);
    votes->heard = calloc(n + 1, 1);
    votes->votes = calloc(n + 1, n_speakers);
    votes->margins = calloc(n + 1, n_speakers * sizeof *votes->margins);
    if (votes->windows != NULL && votes->heard != NULL && votes->votes != NULL &&
        votes->margins != NULL)
        return VP_OK;
    return status_no_memory(err, "the votes on frames", n * n_speakers);
}

static void free_votes(struct frame_votes *votes)
{
    free(votes->windows);
    free(votes->heard);
    free(votes->votes);
    free(votes->margins);
}

static void add_voice(struct frame_votes *votes, const struct local_speakers *locals, size_t i,
                      size_t speaker, double margin)
{
    const struct local_speaker *voice = &locals->list[i];
    const unsigned char *masks = locals->masks + voice->window * SEG_WINDOW_FRAMES;
    const size_t first = tracks_first_frame(voice->window);
    for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
        if (!(masks[k] >> voice->local & 1u))
            continue;
        votes->heard[first + k]++;
        if (speaker == LOCAL_SPEAKERS_NONE)
            continue;
        votes->votes[(first + k) * votes->n_speakers + speaker]++;
        votes->margins[(first + k) * votes->n_speakers + speaker] += (float)margin;
    }
}

/* Speakers of frame t, as bits: the mean count's worth of those with the most votes. */
static uint32_t elect(const struct frame_votes *votes, size_t t)
{
    const uint8_t *row = votes->votes + t * votes->n_speakers;
    const size_t n_windows = votes->windows[t];
    const size_t count = n_windows > 0 ? (2 * votes->heard[t] + n_windows) / (2 * n_windows) : 0;
    uint32_t elected = 0;
    for (size_t i = 0; i < count; i++) {
        size_t best = LOCAL_SPEAKERS_NONE;
        for (size_t s = 0; s < votes->n_speakers; s++)
            if (!(elected >> s & 1u) && row[s] > 0 &&
                (best == LOCAL_SPEAKERS_NONE || row[s] > row[best]))
                best = s;
        if (best == LOCAL_SPEAKERS_NONE)
            break;
        elected |= 1u << best;
    }
    return elected;
}

/* A frame stands for the 270 samples around its middle; the first one for what is before, too, and
 * the last one for the samples behind, which are too few for another. */
static double frame_start_s(const struct frame_votes *votes, size_t t)
{
    const size_t before = SEG_FRAME_CENTRE - SEG_FRAME_STEP / 2;
    return t == 0                 ? 0
           : t == votes->n_frames ? HUGE_VAL
                                  : (double)(before + t * SEG_FRAME_STEP) / RATE_HZ;
}

/* Runs of frames of one speaker -> turns. */
static enum vp_status speaker_turns(const struct frame_votes *votes, const uint32_t *elected,
                                    size_t s, double end_s, struct turns *out, struct vp_err *err)
{
    enum vp_status status = VP_OK;
    for (size_t t = 0, end; t < votes->n_frames && status == VP_OK; t = end + 1) {
        double margin = 0, n_votes = 0;
        for (end = t; end < votes->n_frames && (elected[end] >> s & 1u); end++) {
            margin += (double)votes->margins[end * votes->n_speakers + s];
            n_votes += (double)votes->votes[end * votes->n_speakers + s];
        }
        if (end == t || frame_start_s(votes, t) >= end_s)
            continue;
        const struct vp_turn turn = {.start_s = frame_start_s(votes, t),
                                     .end_s = fmin(frame_start_s(votes, end), end_s),
                                     .speaker = (unsigned)s,
                                     .confidence = votes->n_speakers > 1 ? margin / n_votes : -1};
        status = turns_add(out, &turn, err);
    }
    return status;
}

enum vp_status assembly_turns(const struct local_speakers *locals, const size_t *speakers,
                              const double *margins, size_t n_speakers, size_t n_samples,
                              struct turns *out, struct vp_err *err)
{
    struct frame_votes votes;
    uint32_t *elected = NULL;
    enum vp_status status = new_votes(&votes, locals->n_windows, n_speakers, err);
    if (status == VP_OK && (elected = calloc(votes.n_frames + 1, sizeof *elected)) == NULL)
        status = status_no_memory(err, "the frames", votes.n_frames * sizeof *elected);
    if (status != VP_OK)
        goto out;
    for (size_t w = 0; w < locals->n_windows; w++)
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
            votes.windows[tracks_first_frame(w) + k]++;
    for (size_t i = 0; i < locals->n; i++)
        add_voice(&votes, locals, i, speakers[i], margins[i]);
    for (size_t t = 0; t < votes.n_frames; t++)
        elected[t] = elect(&votes, t);
    for (size_t s = 0; s < n_speakers && status == VP_OK; s++)
        status = speaker_turns(&votes, elected, s, (double)n_samples / RATE_HZ, out, err);
out:
    free(elected);
    free_votes(&votes);
    return status;
}
