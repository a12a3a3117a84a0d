/* Masks and pooled embeddings, window by window. */
#include "diarize/local/local_speakers.h"

#include <stdlib.h>
#include <string.h>

#include "voice/score.h"

/* Frames alone from which the others are left out, and trunk frames below which there is no
 * embedding: two are the fewest that have a spread. A trunk frame is 80 ms, about five masks. */
#define ENOUGH_ALONE 15u
#define FEWEST_TRUNK 3u

static size_t n_trunk(const vp_scratch *scratch)
{
    return resnet_trunk_frames(scratch->model->resnet, fbank_n_frames(SEG_WINDOW_SAMPLES));
}

enum vp_status local_speakers_init(struct local_speakers *locals, const vp_model *model,
                                   struct vp_err *err)
{
    const size_t n_frames = resnet_trunk_frames(model->resnet, fbank_n_frames(SEG_WINDOW_SAMPLES));
    const size_t n_floats = n_frames * resnet_trunk_rows(model->resnet);
    locals->dim = model->info.dim;
    locals->trunk = calloc(n_floats, sizeof *locals->trunk);
    locals->weights = calloc(n_frames, sizeof *locals->weights);
    if (locals->trunk != NULL && locals->weights != NULL)
        return VP_OK;
    return status_no_memory(err, "one window's trunk", n_floats * sizeof *locals->trunk);
}

void local_speakers_clear(struct local_speakers *locals)
{
    free(locals->masks);
    free(locals->list);
    free(locals->embeddings);
    free(locals->trunk);
    free(locals->weights);
    *locals = (struct local_speakers){0};
}

size_t local_speakers_bytes(const struct local_speakers *locals)
{
    return locals->most_windows * SEG_WINDOW_FRAMES + locals->most * sizeof *locals->list +
           locals->most_embeddings * locals->dim * sizeof(float);
}

/* Room for one more item of n_bytes in a list of *most. */
static bool grow(void **list, size_t n, size_t *most, size_t n_bytes)
{
    size_t total;
    if (n < *most)
        return true;
    const size_t wanted = *most + *most / 2 + 64;
    void *larger = size_multiply(wanted, n_bytes, &total) ? realloc(*list, total) : NULL;
    if (larger == NULL)
        return false;
    *list = larger;
    *most = wanted;
    return true;
}

static enum vp_status make_room(struct local_speakers *locals, struct vp_err *err)
{
    void *masks = locals->masks, *list = locals->list, *embeddings = locals->embeddings;
    const bool grown =
        grow(&masks, locals->n_windows, &locals->most_windows, SEG_WINDOW_FRAMES) &&
        grow(&list, locals->n + SEG_N_SPEAKERS - 1, &locals->most, sizeof *locals->list) &&
        grow(&embeddings, locals->n_embeddings + SEG_N_SPEAKERS - 1, &locals->most_embeddings,
             locals->dim * sizeof(float));
    locals->masks = masks;
    locals->list = list;
    locals->embeddings = embeddings;
    return grown ? VP_OK : status_no_memory(err, "the voices", locals->n * locals->dim);
}

/* Frames in which the local speaker is heard: in all, and alone. */
static void count(const unsigned char *masks, unsigned local, size_t *n_heard, size_t *n_alone)
{
    *n_heard = *n_alone = 0;
    for (size_t i = 0; i < SEG_WINDOW_FRAMES; i++) {
        *n_heard += masks[i] >> local & 1u;
        *n_alone += masks[i] == 1u << local;
    }
}

/* Weights of the trunk's frames, each that of the mask nearest to it. Returns how many are 1. */
static size_t set_weights(const struct local_speakers *locals, const unsigned char *masks,
                          unsigned local, bool alone, size_t n_frames)
{
    size_t n = 0;
    for (size_t t = 0; t < n_frames; t++) {
        const unsigned mask = masks[t * SEG_WINDOW_FRAMES / n_frames];
        const bool heard = alone ? mask == 1u << local : (mask >> local & 1u) != 0;
        locals->weights[t] = heard ? 1 : 0;
        n += heard;
    }
    return n;
}

/* One local speaker of the window whose trunk is there. */
static enum vp_status add_voice(struct local_speakers *locals, vp_scratch *scratch,
                                const unsigned char *masks, unsigned local, struct vp_err *err)
{
    struct local_speaker voice = {
        .window = locals->n_windows, .local = local, .embedding = LOCAL_SPEAKERS_NONE};
    size_t n_heard;
    count(masks, local, &n_heard, &voice.n_alone);
    if (n_heard == 0)
        return VP_OK;
    const size_t n_frames = n_trunk(scratch);
    size_t n = 0;
    if (voice.n_alone >= ENOUGH_ALONE)
        n = set_weights(locals, masks, local, true, n_frames);
    if (n < FEWEST_TRUNK)
        n = set_weights(locals, masks, local, false, n_frames);
    enum vp_status status = VP_OK;
    if (n >= FEWEST_TRUNK) {
        float *embedding = locals->embeddings + locals->n_embeddings * locals->dim;
        double norm;
        resnet_pool_weighted(scratch->state, locals->trunk, n_frames, locals->weights, embedding);
        status = score_judge(embedding, locals->dim, &norm, err);
        if (status == VP_OK)
            status = vp_embedding_normalize(embedding, locals->dim, &norm, err);
        voice.embedding = locals->n_embeddings++;
    }
    locals->list[locals->n++] = voice;
    return status;
}

enum vp_status local_speakers_add(struct local_speakers *locals, vp_scratch *scratch,
                                  const float *samples, const unsigned char *masks,
                                  struct vp_err *err)
{
    enum vp_status status = make_room(locals, err);
    if (status != VP_OK)
        return status;
    unsigned heard = 0;
    for (size_t i = 0; i < SEG_WINDOW_FRAMES; i++)
        heard |= masks[i];
    if (heard != 0) { /* silence costs nothing */
        const size_t n_frames =
            fbank_compute(scratch->fbank, samples, SEG_WINDOW_SAMPLES, scratch->features);
        status = resnet_trunk(scratch->state, scratch->features, n_frames, locals->trunk, err);
    }
    for (unsigned local = 0; local < SEG_N_SPEAKERS && status == VP_OK; local++)
        status = add_voice(locals, scratch, masks, local, err);
    if (status != VP_OK)
        return status;
    memcpy(locals->masks + locals->n_windows * SEG_WINDOW_FRAMES, masks, SEG_WINDOW_FRAMES);
    locals->n_windows++;
    return VP_OK;
}
