/* POST /identify, POST /voices/{id}/verify: a recording among known voices, or against one. */
#include "request/answer.h"
#include "request/lifecycle.h"
#include "request/score_json.h"
#include "request/upload.h"
#include "request/voice_request.h"
#include "request/voice_upload.h"
#include "util/clock.h"
#include "util/thread.h"
#include "voices/identify.h"

#include <stdio.h>

/* ---- identify ------------------------------------------------------------------------------- */

void route_identify_head(struct request *request)
{
    ON_LOOP();
    voice_request_open(request);
}

static struct json_build candidates(const struct identification *found,
                                    const struct decision *decision)
{
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < found->n; i++) {
        const struct candidate *candidate = &found->candidates[i];
        struct json_build object = json_begin_object();
        json_put_text(&object, "id", candidate->voice->id);
        json_put_number(&object, "score", candidate->score);
        score_put_or_null(&object, "probability", decision->has_calibration,
                          candidate->probability);
        json_put_build(&array, NULL, object);
    }
    return array;
}

static struct json_build answer_of(const struct job *job, const struct decision *decision,
                                   const struct identification *found)
{
    const struct vp_model_info *info = job->engine->info;
    struct json_build root = json_begin_object();
    if (found->identity != NULL)
        json_put_text(&root, "identity", found->identity->id);
    else
        json_put_null(&root, "identity");
    json_put_build(&root, "candidates", candidates(found, decision));
    score_put_or_null(&root, "unknown_probability", decision->has_calibration,
                      found->unknown_probability);
    score_put_decision(&root, decision);
    json_put_text(&root, "collection", job->query.collection);
    json_put_count(&root, "voices", found->n_voices);
    json_put_build(&root, "side", score_side(&job->sides[0]));
    json_put_text(&root, "model", info->name);
    json_put_text(&root, "model_digest", info->digest);
    json_put_flag(&root, "untrained", info->untrained);
    json_put_text(&root, "request_id", job->request_id);
    return root;
}

/* The request's own threshold goes before the service's. */
static struct decision decision_of(const struct job *job)
{
    struct decision decision = score_decision(job);
    if (job->query.has_threshold) {
        decision.has_threshold = true;
        decision.threshold = job->query.threshold;
    }
    return decision;
}

/* Among the voices as they are by now: one that was deleted meanwhile is not found any more. */
static bool write_answer(struct job *job)
{
    ON_WORKER();
    const struct decision decision = decision_of(job);
    struct identification found;
    struct voice_set *set = store_hold_set(job->store);
    if (set == NULL) {
        problem_set_not_read(&job->problem);
        return false;
    }
    identify(voice_set_gallery(set, job->query.collection, job->engine->info->digest),
             job->sides[0].embedding, &decision, job->query.top, &found);
    job->n_identified = 1;
    if (found.identity != NULL)
        snprintf(job->identified[0], VOICE_ID_ROOM, "%s", found.identity->id);
    job->written.type = "application/json";
    job->written.text =
        json_take_answer(answer_of(job, &decision, &found), &job->written.n_bytes, &job->problem);
    voice_set_release(set);
    return job->written.text != NULL;
}

void route_identify_body(struct request *request)
{
    ON_LOOP();
    struct job *job = upload_begin(request, JOB_PROBE, voice_upload_probe);
    if (job == NULL)
        return;
    job->write = write_answer;
    request_submit(request, job);
}

void route_identify_done(struct request *request)
{
    ON_LOOP();
    struct written *written = &request->ticket.job->written;
    char *text = written->text;
    written->text = NULL;
    (void)answer_text(request, MHD_HTTP_OK, written->type, text, written->n_bytes);
}

/* ---- verify --------------------------------------------------------------------------------- */

/* False: it is not there, or cannot be matched. Before the recording is sent, and once more when it
 * is embedded. */
static bool find_usable(struct request *request, const struct engine *engine,
                        struct voice_set **set, struct place *place)
{
    *set = voice_request_set(request);
    return *set != NULL && voice_request_find(request, *set, place) &&
           voice_request_usable(request, engine, place);
}

void route_verify_head(struct request *request)
{
    ON_LOOP();
    struct voice_set *set = NULL;
    struct place place;
    if (voice_request_read(request) && find_usable(request, request->service->engine, &set, &place))
        voice_request_open(request);
    voice_set_release(set);
}

void route_verify_body(struct request *request)
{
    ON_LOOP();
    struct job *job = upload_begin(request, JOB_PROBE, voice_upload_probe);
    if (job != NULL)
        request_submit(request, job);
}

static struct json_build known_side(const struct voice *voice)
{
    struct json_build side = json_begin_object();
    json_put_text(&side, "id", voice->id);
    json_put_count(&side, "clips", voice->n_clips);
    json_put_number(&side, "speech_s", voice->speech_s);
    json_put_number(&side, "coherence", voice->coherence);
    return side;
}

static void answer_verified(struct request *request, const struct place *place)
{
    const struct job *job = request->ticket.job;
    const struct vp_model_info *info = job->engine->info;
    const uint64_t start_ns = clock_now_ns();
    struct json_build root = json_begin_object();
    score_put(&root, &job->query, job->engine,
              vp_cosine(job->sides[0].embedding, place->row, info->dim));
    json_put_build(&root, "side", score_side(&job->sides[0]));
    json_put_build(&root, "voice", known_side(place->voice));
    json_put_text(&root, "model", info->name);
    json_put_text(&root, "model_digest", info->digest);
    json_put_flag(&root, "untrained", info->untrained);
    json_put_text(&root, "request_id", request->id);
    request->encode_ms = clock_ms_since(start_ns, clock_now_ns());
    (void)answer_json(request, MHD_HTTP_OK, root);
}

void route_verify_done(struct request *request)
{
    ON_LOOP();
    struct voice_set *set = NULL;
    struct place place;
    if (find_usable(request, request->ticket.job->engine, &set, &place))
        answer_verified(request, &place);
    else
        (void)answer_problem(request);
    voice_set_release(set);
}
