/* POST /diarize: one recording of several voices to turns, one label a speaker. */
#include "request/answer.h"
#include "request/lifecycle.h"
#include "request/score_json.h"
#include "request/upload.h"
#include "util/clock.h"
#include "util/thread.h"
#include "voices/naming.h"

#include <math.h>
#include <stdio.h>

/* An upload may take as long as any other request, and longer at this rate. */
enum { SLOWEST_BYTES_PER_S = 1 << 20 };

/* ---- the request ---------------------------------------------------------------------------- */

/* Names for the speakers, and what does not go with them. */
static bool judge_identify(const struct query *query, bool has_store, struct problem *problem)
{
    if (!query->identify) {
        if ((query->seen & QUERY_COLLECTION) != 0)
            problem_set_field(problem, "collection",
                              "whose voices they are is asked with identify=true");
    } else if (!has_store) {
        problem_set_field(problem, "identify",
                          "known voices are off: leave identify out, or have the operator set the "
                          "key voices to sqlite:PATH");
    } else if (query->clip.channel == VP_CHANNEL_SPLIT) {
        problem_set_field(problem, "identify",
                          "one person may speak in several channels, so channel=split goes without "
                          "identify: ask for one channel at a time");
    } else if (query->format != FORMAT_JSON) {
        problem_set_field(problem, "format",
                          "identities stand in JSON: leave format out, or identify");
    }
    return problem->kind == PROBLEM_NONE;
}

/* Options that this service, or this request, cannot have. They may come in the form, too. */
static bool judge_options(const struct query *query, const struct engine *engine, bool has_store,
                          struct problem *problem)
{
    if (!judge_identify(query, has_store, problem))
        return false;
    if (query->lines && query->format != FORMAT_JSON) {
        problem_set_field(problem, "format",
                          "lines of progress end with JSON: ask for another format without "
                          "`Accept: application/x-ndjson`");
        return false;
    }
    if (query->engine == VP_DIARIZE_SEGMENTATION && engine->segmentation == NULL) {
        problem_set_field(problem, "engine",
                          "this service has no segmentation model: leave engine out, or say vad");
        return false;
    }
    return true;
}

void route_diarize_head(struct request *request)
{
    ON_LOOP();
    struct service *service = request->service;
    const size_t max_bytes = service->config->diarize_max_body_bytes;
    const uint64_t declared = request->head.declared_bytes;
    request->uploads = &service->conversations;
    request->max_body_bytes = /* a transcript beside the recording counts too */
        upload_max_bytes(max_bytes, multipart_is_type(request->head.content_type));
    request->needs_worker = true;
    if (ndjson_accepted(request->head.accept))
        request->stream.state = NDJSON_WANTED;
    request->query.lines = request->stream.state == NDJSON_WANTED;
    (void)judge_options(&request->query, service->engine, service->store != NULL,
                        &request->problem);
    const double n_bytes = declared < max_bytes ? (double)declared : (double)max_bytes;
    request->body_extra_s = n_bytes / SLOWEST_BYTES_PER_S;
    request->work_timeout_s = service->config->diarize_timeout_s;
}

static void set_options(const struct job *job, struct vp_diarize_options *options)
{
    const struct query *query = &job->query;
    vp_diarize_options_default(options);
    options->num_speakers = query->num_speakers;
    options->min_speakers = query->min_speakers;
    options->max_speakers = query->max_speakers;
    options->engine = query->engine;
    options->max_duration_s = job->config->diarize_max_duration_s;
    options->accept_damage = query->clip.accept_damage;
    options->channel = query->clip.channel;
    if (query->has_threshold)
        options->threshold = query->threshold;
    if (query->has_min_on)
        options->min_on_s = query->min_on_s;
    if (query->has_min_off)
        options->min_off_s = query->min_off_s;
}

static bool judge_transcript(struct job *job, const struct part *part)
{
    const bool is_asked_for =
        job->query.format == FORMAT_TRANSCRIPT || job->query.format == FORMAT_TEXT;
    if (part->bytes != NULL)
        return upload_judge_clip(part, VP_TRANSCRIPT_MAX_BYTES, &job->problem);
    if (is_asked_for)
        problem_set_field(&job->problem, "transcript",
                          "format=transcript and format=text give a transcript back: send it as a "
                          "part \"transcript\" beside the part \"file\"");
    return !is_asked_for;
}

static bool read_body(struct job *job)
{
    struct conversation *conversation = &job->conversation;
    struct part clip, transcript;
    if (!upload_find_clip(job, job->config->diarize_max_body_bytes, &clip, &transcript) ||
        !judge_options(&job->query, job->engine, job->store != NULL, &job->problem) ||
        !judge_transcript(job, &transcript))
        return false;
    set_options(job, &conversation->options);
    conversation->bytes = clip.bytes;
    conversation->n_bytes = clip.n_bytes;
    conversation->words.bytes = transcript.bytes;
    conversation->words.n_bytes = transcript.n_bytes;
    conversation->type_guessed = upload_is_guess(clip.content_type);
    return true;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* [n] turns; the exclusive ones go without confidence. */
static struct json_build turns(const struct vp_turn *turn, size_t n, bool with_confidence)
{
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < n; i++, turn++) {
        char label[VP_SPEAKER_LABEL_CHARS];
        struct json_build item = json_begin_object();
        json_put_number(&item, "start", turn->start_s);
        json_put_number(&item, "end", turn->end_s);
        json_put_text(&item, "speaker", vp_speaker_label(turn->speaker, label));
        if (with_confidence && turn->confidence < 0)
            json_put_null(&item, "confidence");
        else if (with_confidence)
            json_put_number(&item, "confidence", turn->confidence);
        json_put_build(&array, NULL, item);
    }
    return array;
}

/* Who the speakers are, and by what that was decided. */
struct named {
    struct decision decision;
    struct naming names[VP_DIARIZE_MAX_SPEAKERS];
};

static void put_name(struct json_build *item, const struct naming *name,
                     const struct decision *decision)
{
    if (name->identity != NULL)
        json_put_text(item, "identity", name->identity->id);
    else
        json_put_null(item, "identity");
    score_put_or_null(item, "score", name->has_score, name->score);
    score_put_or_null(item, "probability", name->has_score && decision->has_calibration,
                      name->probability);
}

/* named NULL: nobody asked. */
static struct json_build speakers(const struct vp_diarization_result *result, size_t dim,
                                  const struct query *query, const struct named *named)
{
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < result->n_speakers; i++) {
        const struct vp_diarized_speaker *speaker = &result->speakers[i];
        char label[VP_SPEAKER_LABEL_CHARS];
        struct json_build item = json_begin_object();
        json_put_text(&item, "speaker", vp_speaker_label((unsigned)i, label));
        if (speaker->channel != VP_CHANNEL_MIX)
            json_put_count(&item, "channel", speaker->channel);
        json_put_number(&item, "speech_s", speaker->speech_s);
        json_put_number(&item, "share", speaker->share);
        json_put_count(&item, "segments", speaker->n_segments);
        json_put_number(&item, "coherence", speaker->coherence);
        if (named != NULL)
            put_name(&item, &named->names[i], &named->decision);
        if (query->embeddings)
            json_put_embedding(&item, "embedding", speaker->embedding, dim, query->base64);
        json_put_build(&array, NULL, item);
    }
    return array;
}

/* Of the diarization, then those of the recording, as /embed names them. */
static struct json_build warnings(const struct vp_diarization_result *result, bool type_guessed)
{
    const unsigned of_clip =
        result->clip.warnings | (type_guessed ? (unsigned)VP_WARN_CONTENT_TYPE_GUESSED : 0U);
    struct json_build array = json_begin_array();
    for (unsigned i = 0; i < VP_N_DIARIZE_WARNINGS; i++)
        if ((result->warnings & 1U << i) != 0)
            json_put_text(&array, NULL, vp_diarize_warning_name(i));
    for (unsigned i = 0; i < VP_N_WARNINGS; i++)
        if ((of_clip & 1U << i) != 0)
            json_put_text(&array, NULL, vp_warning_name(i));
    return array;
}

static struct json_build timing(const struct job *job)
{
    struct json_build object = json_begin_object();
    json_put_number(&object, "queue", job_times(job).queue_ms);
    json_put_number(&object, "work", job->conversation.work_ms);
    json_put_number(&object, "total", clock_ms_since(job->asked_ns, clock_now_ns()));
    return object;
}

static struct json_build identification(const struct job *job, const struct named *named)
{
    struct json_build object = json_begin_object();
    json_put_text(&object, "collection", job->query.collection);
    score_put_decision(&object, &named->decision);
    return object;
}

static struct json_build answer_of(const struct job *job, const struct named *named)
{
    const struct vp_model_info *info = job->engine->info;
    const struct vp_diarization_result *result =
        vp_diarization_result(job->conversation.diarization);
    const bool is_segmented = result->engine == VP_DIARIZE_SEGMENTATION;
    struct json_build root = json_begin_object();
    json_put_text(&root, "model", info->name);
    json_put_text(&root, "model_digest", info->digest);
    json_put_flag(&root, "untrained", info->untrained);
    json_put_segmentation(&root, "segmentation", is_segmented ? job->engine->segmentation : NULL);
    json_put_text(&root, "engine", vp_diarize_engine_name(result->engine));
    json_put_number(&root, "duration_s", result->duration_s);
    json_put_number(&root, "speech_s", result->speech_s);
    json_put_number(&root, "overlap_s", result->overlap_s);
    json_put_count(&root, "num_speakers", result->n_speakers);
    json_put_text(&root, "num_speakers_from", result->num_speakers_given ? "request" : "estimated");
    json_put_number(&root, "threshold", result->threshold);
    json_put_build(&root, "segments", turns(result->segments, result->n_segments, true));
    json_put_build(&root, "exclusive", turns(result->exclusive, result->n_exclusive, false));
    json_put_build(&root, "speakers", speakers(result, info->dim, &job->query, named));
    if (named != NULL)
        json_put_build(&root, "identification", identification(job, named));
    json_put_build(&root, "warnings", warnings(result, job->conversation.type_guessed));
    json_put_build(&root, "timing_ms", timing(job));
    if (job->conversation.words.written != NULL)
        json_put_build(&root, "transcript", words_json(&job->conversation.words));
    json_put_text(&root, "request_id", job->request_id);
    return root;
}

static char *take(char **text)
{
    char *taken = *text;
    *text = NULL;
    return taken;
}

static bool write_json(struct job *job, const struct named *named)
{
    job->written.type = "application/json";
    job->written.text =
        json_take_answer(answer_of(job, named), &job->written.n_bytes, &job->problem);
    return job->written.text != NULL;
}

static bool find_names(struct job *job, const struct voice_set *set, struct named *named)
{
    const struct vp_diarization_result *result =
        vp_diarization_result(job->conversation.diarization);
    const float *embeddings[VP_DIARIZE_MAX_SPEAKERS];
    VP_BUG_IF(result->n_speakers > VP_DIARIZE_MAX_SPEAKERS);
    for (size_t i = 0; i < result->n_speakers; i++)
        embeddings[i] = result->speakers[i].embedding;
    named->decision = score_decision(job);
    if (!name_speakers(voice_set_gallery(set, job->query.collection, job->engine->info->digest),
                       embeddings, result->n_speakers, &named->decision, named->names)) {
        problem_set_no_memory(&job->problem);
        return false;
    }
    job->n_identified = result->n_speakers;
    for (size_t i = 0; i < result->n_speakers; i++)
        if (named->names[i].identity != NULL)
            snprintf(job->identified[i], VOICE_ID_ROOM, "%s", named->names[i].identity->id);
    return true;
}

/* Among the voices as they are by now. */
static bool write_named(struct job *job)
{
    struct named named;
    struct voice_set *set = store_hold_set(job->store);
    if (set == NULL)
        problem_set_not_read(&job->problem);
    const bool is_written = set != NULL && find_names(job, set, &named) && write_json(job, &named);
    voice_set_release(set);
    return is_written;
}

/* An hour of talk is some thousands of turns: tens of milliseconds, which the loop does not have.
 */
static bool write_answer(struct job *job)
{
    ON_WORKER();
    struct written *written = &job->written;
    struct words *words = &job->conversation.words;
    struct vp_err err;
    written->type = "text/plain; charset=utf-8";
    switch (job->query.format) {
    case FORMAT_RTTM:
        if (vp_diarization_rttm(vp_diarization_result(job->conversation.diarization),
                                job->query.uri, &written->text, &written->n_bytes, &err) == VP_OK)
            return true;
        problem_set_no_memory(&job->problem);
        return false;
    case FORMAT_TRANSCRIPT:
        written->type = vp_transcript_media_type(vp_transcript_form_of(words->transcript));
        written->text = take(&words->written);
        written->n_bytes = words->n_written;
        return true;
    case FORMAT_TEXT:
        written->text = take(&words->text);
        written->n_bytes = words->n_text;
        return true;
    default:
        return job->query.identify ? write_named(job) : write_json(job, NULL);
    }
}

void route_diarize_done(struct request *request)
{
    ON_LOOP();
    struct written *written = &request->ticket.job->written;
    (void)answer_text(request, MHD_HTTP_OK, written->type, take(&written->text), written->n_bytes);
}

/* ---- the job -------------------------------------------------------------------------------- */

void route_diarize_body(struct request *request)
{
    ON_LOOP();
    struct job *job = upload_begin(request, JOB_DIARIZE, read_body);
    if (job == NULL)
        return;
    job->is_large = true;
    job->write = write_answer;
    job->asked_ns = request->started_ns;
    request_submit(request, job);
}
