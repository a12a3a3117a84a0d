/* The answer of a diarization as text. */
#include "diarize_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

const char *diarize_extension(const struct cli *cli)
{
    return cli->rttm ? "rttm" : cli->json ? "json" : "txt";
}

/* ---- JSON: the fields of POST /diarize, and the file ----------------------------------------- */

/* Milliseconds stay as they are; more digits would be noise. */
static json_t *seconds(double s)
{
    return json_real(round(s * 1000.0) / 1000.0);
}

static json_t *label(unsigned speaker)
{
    char text[VP_SPEAKER_LABEL_CHARS];
    return json_string(vp_speaker_label(speaker, text));
}

static json_t *turns(const struct vp_turn *list, size_t n, bool with_confidence)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *turn = json_pack("{s:o, s:o, s:o}", "start", seconds(list[i].start_s), "end",
                                 seconds(list[i].end_s), "speaker", label(list[i].speaker));
        if (with_confidence)
            json_object_set_new(turn, "confidence",
                                list[i].confidence < 0.0 ? json_null()
                                                         : json_real(list[i].confidence));
        json_array_append_new(array, turn);
    }
    return array;
}

static json_t *speakers(const struct vp_diarization_result *result, size_t dim, bool embeddings)
{
    json_t *array = json_array();
    for (unsigned s = 0; s < result->n_speakers; s++) {
        const struct vp_diarized_speaker *speaker = &result->speakers[s];
        json_t *object =
            json_pack("{s:o, s:o, s:f, s:I, s:f}", "speaker", label(s), "speech_s",
                      seconds(speaker->speech_s), "share", speaker->share, "segments",
                      (json_int_t)speaker->n_segments, "coherence", speaker->coherence);
        if (speaker->channel != VP_CHANNEL_MIX)
            json_object_set_new(object, "channel", json_integer((json_int_t)speaker->channel));
        if (embeddings) {
            json_t *values = json_array();
            for (size_t d = 0; d < dim; d++)
                json_array_append_new(values, json_real((double)speaker->embedding[d]));
            json_object_set_new(object, "embedding", values);
        }
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *warnings(const struct vp_diarization_result *result)
{
    json_t *list = cli_warnings(result->clip.warnings);
    for (unsigned i = 0; i < VP_N_DIARIZE_WARNINGS; i++)
        if (result->warnings & 1u << i)
            json_array_append_new(list, json_string(vp_diarize_warning_name(i)));
    return list;
}

static json_t *segmentation_facts(const vp_segmentation *segmentation,
                                  const struct vp_diarization_result *result)
{
    if (segmentation == NULL || result->engine != VP_DIARIZE_SEGMENTATION)
        return json_null();
    const struct vp_segmentation_info *info = vp_segmentation_info(segmentation);
    return json_pack("{s:s, s:s, s:b}", "name", info->name, "digest", info->digest, "untrained",
                     info->untrained);
}

static char *as_json(const struct cli *cli, const vp_model *model,
                     const vp_segmentation *segmentation, const char *path,
                     const struct vp_diarization_result *result)
{
    const struct vp_model_info *info = vp_model_info(model);
    json_t *line = json_pack(
        "{s:o, s:s, s:s, s:o, s:s, s:f, s:o, s:o, s:o, s:I, s:s, s:o, s:o, s:o, s:o}", "file",
        name_json(path), "model", info->name, "model_digest", info->digest, "segmentation",
        segmentation_facts(segmentation, result), "engine", vp_diarize_engine_name(result->engine),
        "threshold", result->threshold, "duration_s", seconds(result->duration_s), "speech_s",
        seconds(result->speech_s), "overlap_s", seconds(result->overlap_s), "num_speakers",
        (json_int_t)result->n_speakers, "num_speakers_from",
        result->num_speakers_given ? "request" : "estimated", "segments",
        turns(result->segments, result->n_segments, true), "exclusive",
        turns(result->exclusive, result->n_exclusive, false), "speakers",
        speakers(result, info->dim, cli->embeddings), "warnings", warnings(result));
    if (line != NULL && info->untrained)
        json_object_set_new(line, "untrained", json_true());
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    char *whole = text != NULL ? malloc(strlen(text) + 2) : NULL;
    if (whole != NULL)
        sprintf(whole, "%s\n", text);
    free(text);
    json_decref(line);
    return whole;
}

/* ---- table ----------------------------------------------------------------------------------- */

static void print_time(FILE *to, double s)
{
    const unsigned minutes = (unsigned)(s / 60.0);
    fprintf(to, "%3u:%06.3f  ", minutes, s - 60.0 * minutes);
}

static void print_speaker(FILE *to, unsigned number, const struct vp_diarized_speaker *speaker)
{
    char label[VP_SPEAKER_LABEL_CHARS];
    fprintf(to, "  %s  %7.1f s  %3.0f %%  %zu turn%s", vp_speaker_label(number, label),
            speaker->speech_s, 100.0 * speaker->share, speaker->n_segments,
            speaker->n_segments == 1 ? "" : "s");
    if (speaker->channel != VP_CHANNEL_MIX)
        fprintf(to, ", channel %u", speaker->channel);
    fputc('\n', to);
}

static char *as_table(const char *path, const struct vp_diarization_result *result)
{
    char *text = NULL;
    size_t n;
    char name[VP_SPEAKER_LABEL_CHARS];
    FILE *to = open_memstream(&text, &n);
    if (to == NULL)
        return NULL;
    fprintf(to, "%s: %.1f s, of which %.1f s speech, %zu speaker%s\n", path, result->duration_s,
            result->speech_s, result->n_speakers, result->n_speakers == 1 ? "" : "s");
    for (unsigned s = 0; s < result->n_speakers; s++)
        print_speaker(to, s, &result->speakers[s]);
    for (size_t i = 0; i < result->n_segments; i++) {
        fputs("  ", to);
        print_time(to, result->segments[i].start_s);
        print_time(to, result->segments[i].end_s);
        fprintf(to, "%s\n", vp_speaker_label(result->segments[i].speaker, name));
    }
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        if (result->clip.warnings & 1u << i)
            fprintf(to, "  remark: %s\n", vp_warning_name(i));
    for (unsigned i = 0; i < VP_N_DIARIZE_WARNINGS; i++)
        if (result->warnings & 1u << i)
            fprintf(to, "  remark: %s\n", vp_diarize_warning_name(i));
    const bool good = ferror(to) == 0;
    if (fclose(to) == 0 && good)
        return text;
    free(text);
    return NULL;
}

char *diarize_text(const struct cli *cli, const vp_model *model,
                   const vp_segmentation *segmentation, const char *path, const char *name,
                   const struct vp_diarization_result *result, struct vp_err *err)
{
    char *text = NULL;
    size_t n_chars;
    if (cli->rttm)
        return vp_diarization_rttm(result, name, &text, &n_chars, err) == VP_OK ? text : NULL;
    text = cli->json ? as_json(cli, model, segmentation, path, result) : as_table(path, result);
    if (text == NULL) {
        memset(err, 0, sizeof *err);
        err->status = VP_ERR_NO_MEMORY;
        snprintf(err->message, sizeof err->message, "no memory for the answer");
    }
    return text;
}
