/* Ranking by cosine, and the posterior over everybody. */
#include "voices/identify.h"

#include <math.h>
#include <string.h>

/*
 * The sum over all voices needs exp() of each. Those that are no candidates are counted by their
 * cosines instead, in bins as wide as 2 / 8192, and each bin is put in by its middle: at the slope
 * 21.6 of the model in the box that is 0.3 % of a voice's part at most.
 */
enum { N_BINS = 8192 };

struct ranking {
    struct identification *out;
    size_t top;

    uint32_t bins[N_BINS];
};

static size_t bin_of(double score)
{
    const double at = (score + 1) * (N_BINS / 2);
    return at <= 0 ? 0 : at >= N_BINS ? N_BINS - 1 : (size_t)at;
}

static double middle_of(size_t bin)
{
    return ((double)bin + 0.5) * 2 / N_BINS - 1;
}

/* Among the candidates, if it is one of the best; who came first stays first among equals. */
static void rank(struct ranking *ranking, const struct voice *voice, double score)
{
    struct identification *out = ranking->out;
    size_t at = out->n;
    if (at == ranking->top && score <= out->candidates[at - 1].score)
        return;
    if (at < ranking->top)
        out->n++;
    else
        at--;
    for (; at > 0 && out->candidates[at - 1].score < score; at--)
        out->candidates[at] = out->candidates[at - 1];
    out->candidates[at] = (struct candidate){.voice = voice, .score = score};
}

static double clamp(double score)
{
    return score > 1 ? 1 : score < -1 ? -1 : score;
}

static void rank_all(struct ranking *ranking, const struct gallery *gallery, const float *probe)
{
    float scores[BLOCK_VOICES];
    for (size_t b = 0; b < gallery->n_blocks; b++) {
        const struct block *block = gallery->blocks[b];
        gallery_scores(gallery, block, probe, scores);
        for (size_t i = 0; i < block->n; i++) {
            if (!block->voices[i]->enrolled)
                continue;
            const double score = clamp((double)scores[i]);
            ranking->out->n_voices++;
            ranking->bins[bin_of(score)]++;
            rank(ranking, block->voices[i], score);
        }
    }
}

/* Posteriors, relative to the largest term so that none overflows. */
static void weigh(struct ranking *ranking, const struct decision *decision)
{
    struct identification *out = ranking->out;
    const double of_unknown = log(decision->unknown_prior);
    const double of_each = log((1 - decision->unknown_prior) / (double)out->n_voices);
    const double slope = decision->slope, offset = decision->offset + of_each;
    double most = of_unknown;
    for (size_t i = 0; i < out->n; i++)
        most = fmax(most, slope * out->candidates[i].score + offset);
    for (size_t i = 0; i < out->n; i++)
        ranking->bins[bin_of(out->candidates[i].score)]--;
    double sum = exp(of_unknown - most);
    out->unknown_probability = sum;
    for (size_t i = 0; i < out->n; i++) {
        struct candidate *candidate = &out->candidates[i];
        candidate->probability = exp(slope * candidate->score + offset - most);
        sum += candidate->probability;
    }
    for (size_t bin = 0; bin < N_BINS; bin++)
        if (ranking->bins[bin] > 0)
            out->others_probability +=
                ranking->bins[bin] * exp(slope * middle_of(bin) + offset - most);
    sum += out->others_probability;
    out->unknown_probability /= sum;
    out->others_probability /= sum;
    for (size_t i = 0; i < out->n; i++)
        out->candidates[i].probability /= sum;
}

/* The best if it is more probable than all else together, and similar enough by itself. */
static const struct voice *name_of(const struct identification *out,
                                   const struct decision *decision)
{
    if (out->n == 0 || (!decision->has_threshold && !decision->has_calibration))
        return NULL;
    const struct candidate *best = &out->candidates[0];
    const bool is_similar = !decision->has_threshold || best->score >= decision->threshold;
    const bool is_probable = !decision->has_calibration || best->probability > 0.5;
    return is_similar && is_probable ? best->voice : NULL;
}

void identify(const struct gallery *gallery, const float *probe, const struct decision *decision,
              size_t top, struct identification *out)
{
    struct ranking ranking = {.out = out, .top = top};
    *out = (struct identification){.n = 0};
    if (gallery != NULL)
        rank_all(&ranking, gallery, probe);
    if (decision->has_calibration && out->n_voices > 0)
        weigh(&ranking, decision);
    else if (decision->has_calibration)
        out->unknown_probability = 1;
    out->identity = name_of(out, decision);
}

bool identify_nearest(const struct gallery *gallery, const float *probe, const char *but,
                      struct candidate *out)
{
    float scores[BLOCK_VOICES];
    *out = (struct candidate){.voice = NULL, .score = -2};
    for (size_t b = 0; gallery != NULL && b < gallery->n_blocks; b++) {
        const struct block *block = gallery->blocks[b];
        gallery_scores(gallery, block, probe, scores);
        for (size_t i = 0; i < block->n; i++)
            if ((double)scores[i] > out->score && strcmp(block->voices[i]->id, but) != 0)
                *out = (struct candidate){.voice = block->voices[i], .score = (double)scores[i]};
    }
    return out->voice != NULL;
}
