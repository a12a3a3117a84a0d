/* A decoder that does what a harmful recording may make it do: its request gets an error that says
 * so, and the next one a new decoder. */
#include "unit.h"

#include "sandbox/box.h"
#include "sandbox/message.h"
#include "sandbox/seal.h"
#include "util/clock.h"

#include <math.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { ROOM_SAMPLES = 32000, ROOM_BYTES = 1 << 20, MIB = 1 << 20 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

/* What a request asks of the false decoder, in place of a length: limits.warn_duration_s. */
enum mischief {
    ANSWER,
    CRASH,
    LEAVE,
    SPIN,
    EAT,
    RUN_MEMORY,
    MANY_SAMPLES,
    ODD_STATUS,
    ODD_SENTENCE,
    LOOK,    /* for what the recording before left */
    PRETEND, /* to have ended */
    CALL     /* and above: calls[] */
};

static const long calls[] = {
    SYS_openat,           SYS_socket, SYS_connect,   SYS_clone, SYS_execve,  SYS_kill,
    SYS_ptrace,           SYS_ioctl,  SYS_setuid,    SYS_mount, SYS_unshare, SYS_memfd_create,
    SYS_process_vm_readv, SYS_pipe2,  SYS_ftruncate, SYS_prctl, SYS_seccomp, SYS_ppoll,
    SYS_tgkill, /* of another process */
};
enum { N_CALLS = sizeof calls / sizeof calls[0] };

/* Memory without end; false: there was more than twice the ration. */
static bool eat(void)
{
    for (size_t n = 0; n < 2 * SEAL_RATION_BYTES / MIB; n++) {
        char *piece = malloc(MIB);
        if (piece == NULL)
            return true;
        memset(piece, 1, MIB);
    }
    return false;
}

static void misbehave(int what, const struct shared *shared, struct reply_message *reply)
{
    switch (what) {
    case ANSWER:
        shared->samples[0] = 0.5F;
        reply->n_samples = 1;
        break;
    case CRASH:
        raise(SIGSEGV);
        break;
    case LEAVE:
        _exit(3);
    case SPIN:
        for (volatile int i = 0;; i++)
            ;
    case EAT:
        reply->status = eat() ? VP_ERR_NO_MEMORY : VP_OK;
        reply->wanted_too_much = true;
        break;
    case RUN_MEMORY:
        (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        break;
    case MANY_SAMPLES:
        reply->n_samples = ROOM_SAMPLES + 1;
        break;
    case ODD_STATUS:
        reply->status = VP_ERR_MODEL;
        break;
    case ODD_SENTENCE:
        reply->status = VP_ERR_AUDIO_RATE;
        reply->err.value = NAN;
        memset(reply->err.message, '\n', sizeof reply->err.message);
        memset(reply->err.detected, 0xff, sizeof reply->err.detected);
        break;
    case LOOK:
        for (size_t i = 0; i < ROOM_SAMPLES; i++)
            reply->n_samples += shared->samples[i] != 0.0F;
        for (size_t i = 1; i < ROOM_BYTES; i++)
            reply->n_samples += shared->bytes[i] != 0;
        break;
    case PRETEND:
        reply->kind = REPLY_ENDED;
        reply->wait_status = SIGKILL;
        break;
    default:
        (void)syscall(calls[what - CALL], 0L, 0L, 0L, 0L, 0L, 0L);
        break;
    }
}

static void serve_mischief(int channel, const struct shared *shared)
{
    struct request_message request;
    while (recv(channel, &request, sizeof request, 0) == sizeof request) {
        struct reply_message reply;
        memset(&reply, 0, sizeof reply);
        reply.kind = REPLY_ANSWER;
        misbehave((int)request.limits.warn_duration_s, shared, &reply);
        (void)!send(channel, &reply, sizeof reply, MSG_NOSIGNAL);
    }
}

static struct sandbox *sandbox;
static struct box *box;
static float samples[ROOM_SAMPLES];

static int open_box(void **state)
{
    struct vp_err err;
    (void)state;
    sandbox = sandbox_new(serve_mischief, &err);
    assert_non_null(sandbox);
    assert_int_equal(box_new(sandbox, ROOM_BYTES, ROOM_SAMPLES, &box, &err), VP_OK);
    return 0;
}

static int close_box(void **state)
{
    (void)state;
    box_free(box);
    sandbox_free(sandbox);
    return 0;
}

static enum vp_status ask_for(int what, struct vp_samples *out, struct vp_err *err)
{
    struct vp_limits limits;
    struct vp_clip_info info;
    vp_limits_default(&limits);
    limits.warn_duration_s = what;
    *out = (struct vp_samples){samples, ROOM_SAMPLES, 0};
    const struct vp_decoder *decoder = box_decoder(box);
    return decoder->clip(decoder->ctx, &(struct vp_recording){"x", 1, false, VP_CHANNEL_MIX},
                         &limits, out, &info, err);
}

static void expect_an_answer(void)
{
    struct vp_samples out;
    struct vp_err err;
    if (ask_for(ANSWER, &out, &err) != VP_OK)
        fail_msg("%s", err.message);
    assert_true(out.n == 1 && samples[0] == 0.5F);
}

/* The request gets `status`, one more decoder ended so, and the next request is answered. */
static void expect_end(int what, enum vp_status status, enum decoder_end end)
{
    struct vp_samples out;
    struct vp_err err;
    const uint64_t before = sandbox_ends(sandbox, end);
    if (ask_for(what, &out, &err) != status || err.status != status)
        fail_msg("%d: not %s", what, vp_status_name(status));
    if (sandbox_ends(sandbox, end) != before + 1)
        fail_msg("%d: no decoder ended as %s", what, sandbox_end_name(end));
    assert_true(strlen(err.message) > 20);
    expect_an_answer();
}

static void a_crash_is_the_recordings(void **state)
{
    (void)state;
    expect_end(CRASH, VP_ERR_AUDIO_UNDECODABLE, DECODER_CRASHED);
    expect_end(LEAVE, VP_ERR_AUDIO_UNDECODABLE, DECODER_CRASHED);
}

static void every_other_call_is_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < N_CALLS; i++)
        if (!IS_SANITIZED || (calls[i] != SYS_openat && calls[i] != SYS_prctl))
            expect_end(CALL + i, VP_ERR_AUDIO_UNDECODABLE, DECODER_FORBIDDEN);
    expect_end(RUN_MEMORY, VP_ERR_AUDIO_UNDECODABLE, DECODER_FORBIDDEN);
}

static void memory_is_rationed(void **state)
{
    (void)state;
    if (!IS_SANITIZED)
        expect_end(EAT, VP_ERR_AUDIO_UNDECODABLE, DECODER_TOO_MUCH_MEMORY);
}

static void so_is_time(void **state)
{
    (void)state;
    if (!IS_SANITIZED)
        expect_end(SPIN, VP_ERR_AUDIO_UNDECODABLE, DECODER_TOO_LONG);
}

static bool yes(void *ctx)
{
    (void)ctx;
    return true;
}

static void nobody_waits_for_what_is_not_wanted(void **state)
{
    (void)state;
    struct vp_samples out;
    struct vp_err err;
    const uint64_t before = sandbox_ends(sandbox, DECODER_CANCELLED);
    box_watch(box, yes, NULL);
    assert_int_equal(ask_for(SPIN, &out, &err), VP_ERR_CANCELLED);
    box_watch(box, NULL, NULL);
    assert_int_equal(sandbox_ends(sandbox, DECODER_CANCELLED), before + 1);
    expect_an_answer();
}

static void what_it_says_is_not_believed(void **state)
{
    (void)state;
    struct vp_samples out;
    struct vp_err err;
    assert_int_equal(ask_for(MANY_SAMPLES, &out, &err), VP_OK);
    assert_true(out.n > out.capacity); /* elsewhere.c refuses it */
    assert_int_equal(ask_for(ODD_STATUS, &out, &err), VP_ERR_AUDIO_UNDECODABLE);
    assert_int_equal(ask_for(ODD_SENTENCE, &out, &err), VP_ERR_AUDIO_RATE);
    assert_true(err.value == 0.0 && strlen(err.message) == sizeof err.message - 1);
    for (const char *at = err.message; *at != 0; at++)
        assert_int_equal(*at, '?');
    assert_int_equal(strlen(err.detected), sizeof err.detected - 1);
    expect_an_answer();
}

/* The zygote's word counts, which comes last, and the old decoder is gone before the next begins.
 */
static void an_end_is_no_matter_of_words(void **state)
{
    (void)state;
    struct vp_samples out;
    struct vp_err err;
    assert_int_not_equal(ask_for(PRETEND, &out, &err), VP_OK);
    expect_an_answer();
}

/* Of a recording whose every byte is 1, and whose first sample is not 0. */
static void nothing_is_left_for_the_next_one(void **state)
{
    (void)state;
    struct vp_samples out = {samples, ROOM_SAMPLES, 0};
    struct vp_limits limits;
    struct vp_clip_info info;
    struct vp_err err;
    static char ones[ROOM_BYTES];
    memset(ones, 1, sizeof ones);
    vp_limits_default(&limits);
    limits.warn_duration_s = ANSWER;
    const struct vp_decoder *decoder = box_decoder(box);
    const struct vp_recording recording = {ones, sizeof ones, false, VP_CHANNEL_MIX};
    assert_int_equal(decoder->clip(decoder->ctx, &recording, &limits, &out, &info, &err), VP_OK);
    assert_int_equal(ask_for(LOOK, &out, &err), VP_OK);
    assert_int_equal(out.n, 0);
}

static void a_recording_larger_than_the_box_is_refused(void **state)
{
    (void)state;
    struct vp_limits limits;
    struct vp_clip_info info;
    struct vp_err err;
    struct vp_samples out = {samples, ROOM_SAMPLES, 0};
    vp_limits_default(&limits);
    const struct vp_decoder *decoder = box_decoder(box);
    const struct vp_recording large = {samples, (size_t)ROOM_BYTES + 1, false, VP_CHANNEL_MIX};
    assert_int_equal(decoder->clip(decoder->ctx, &large, &limits, &out, &info, &err),
                     VP_ERR_NO_MEMORY);
    expect_an_answer();
}

static void without_the_zygote_memory_is_short(void **state)
{
    (void)state;
    struct vp_samples out;
    struct vp_err err;
    kill(sandbox_zygote(sandbox)->pid, SIGKILL);
    const uint64_t until_ns = clock_now_ns() + clock_from_seconds(20);
    while (!sandbox_is_gone(sandbox) && clock_now_ns() < until_ns)
        ;
    assert_int_equal(ask_for(ANSWER, &out, &err), VP_ERR_NO_MEMORY);
    assert_int_equal(ask_for(ANSWER, &out, &err), VP_ERR_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_is_the_recordings),
        cmocka_unit_test(every_other_call_is_the_end),
        cmocka_unit_test(memory_is_rationed),
        cmocka_unit_test(nobody_waits_for_what_is_not_wanted),
        cmocka_unit_test(so_is_time),
        cmocka_unit_test(what_it_says_is_not_believed),
        cmocka_unit_test(an_end_is_no_matter_of_words),
        cmocka_unit_test(nothing_is_left_for_the_next_one),
        cmocka_unit_test(a_recording_larger_than_the_box_is_refused),
        cmocka_unit_test(without_the_zygote_memory_is_short), /* the last */
    };
    return cmocka_run_group_tests_name("box", tests, open_box, close_box);
}
