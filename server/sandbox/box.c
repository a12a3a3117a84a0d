/* Asks a decoder, and replaces it. */
#include "sandbox/box.h"

#include "sandbox/hearsay.h"
#include "sandbox/message.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that stood still, with the decoder, has had no tick meanwhile. */
enum { TICK_MS = 50, MOST_TICKS = BOX_MOST_S * 1000 / TICK_MS, LAST_WORDS_MS = 10000 };

struct box {
    struct sandbox *sandbox; /* borrowed */
    int memory;              /* a memfd, for the next decoder; -1: there will be none */
    struct shared shared;
    int channel;  /* -1: there is no decoder */
    double cpu_s; /* of it, that are counted */
    struct vp_decoder decoder;
    bool (*is_cancelled)(void *ctx);
    void *ctx;
};

static enum vp_status fail(struct vp_err *err, enum vp_status status, const char *sentence)
{
    *err = (struct vp_err){.status = status};
    snprintf(err->message, sizeof err->message, "%s", sentence);
    return status;
}

static enum vp_status fail_short(struct vp_err *err)
{
    return fail(err, VP_ERR_NO_MEMORY,
                "this machine has no process or no memory to decode the recording in; try again");
}

/* ---- a decoder and its end ------------------------------------------------------------------- */

static void start(struct box *box)
{
    box->cpu_s = 0.0;
    box->channel = -1;
    if (box->memory >= 0)
        box->channel = zygote_spawn(sandbox_zygote(box->sandbox), box->memory, box->shared.size);
}

static void count_cpu(struct box *box, const struct reply_message *reply)
{
    sandbox_count_cpu(box->sandbox, reply->cpu_s - box->cpu_s);
    box->cpu_s = reply->cpu_s;
}

/* The next message, for which at most timeout_ms are waited. 0: none; below: the channel is closed.
 */
static int hear(const struct box *box, struct reply_message *reply, int timeout_ms)
{
    struct pollfd polled = {.fd = box->channel, .events = POLLIN};
    const int n = poll(&polled, 1, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    if (n == 0)
        return 0;
    ssize_t n_bytes;
    do /* ECONNRESET, once: it ended with a question unread; what is said of that comes behind */
        n_bytes = recv(box->channel, reply, sizeof *reply, MSG_DONTWAIT);
    while (n_bytes < 0 && errno == ECONNRESET);
    if (n_bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n_bytes == sizeof *reply ? 1 : -1;
}

/* Ends the decoder where it has not ended, and waits until it has: its word alone is not enough for
 * that, but when the channel has no other end any more, neither it nor the zygote hold one. Then
 * another takes its place. wait_status is left alone where the zygote says nothing. */
static void replace(struct box *box, int *wait_status)
{
    struct reply_message reply;
    shutdown(box->channel, SHUT_WR); /* upon which the zygote kills it */
    while (hear(box, &reply, LAST_WORDS_MS) > 0) {
        if (reply.kind != REPLY_ENDED)
            continue;
        count_cpu(box, &reply);
        *wait_status = reply.wait_status;
    }
    close(box->channel);
    start(box);
}

/* It was ended for a reason of ours. */
static void give_up(struct box *box, enum decoder_end end)
{
    int ignored;
    replace(box, &ignored);
    sandbox_count_end(box->sandbox, end);
}

/* It ended by itself, as it says. */
static enum vp_status judge_end(struct box *box, int wait_status, struct vp_err *err)
{
    replace(box, &wait_status);
    const int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    const enum decoder_end end = number == SIGSYS ? DECODER_FORBIDDEN
                                 : number == SIGKILL || nursery_seal_error(wait_status) > 0
                                     ? DECODER_KILLED
                                     : DECODER_CRASHED;
    sandbox_count_end(box->sandbox, end);
    if (end == DECODER_KILLED)
        return fail(err, VP_ERR_NO_MEMORY,
                    "the process that decoded the recording was ended from outside, as a system "
                    "does that is short of memory; try again");
    return fail(err, VP_ERR_AUDIO_UNDECODABLE,
                end == DECODER_FORBIDDEN
                    ? "the decoder did on this recording what no decoder needs to do, and was "
                      "ended; convert it and try again"
                    : "the decoder crashed on this recording; convert it and try again");
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* A decoder that ended while nobody asked it is replaced before it is asked. */
static void look_in(struct box *box)
{
    struct reply_message reply;
    int n = 0;
    while (box->channel >= 0 && (n = hear(box, &reply, 0)) > 0)
        if (reply.kind == REPLY_ENDED || reply.kind == REPLY_NO_FORK)
            break;
    if (n > 0 && reply.kind == REPLY_ENDED) {
        struct vp_err err;
        (void)judge_end(box, reply.wait_status, &err);
    } else if (n != 0) {
        close(box->channel);
        start(box);
    } else if (box->channel < 0) {
        start(box);
    }
}

/* It has nothing more to say: its process, or the zygote, is not there. */
static enum vp_status fail_gone(struct box *box, struct vp_err *err)
{
    if (box->channel >= 0)
        close(box->channel);
    box->channel = -1;
    return fail_short(err);
}

static enum vp_status wait_for_answer(struct box *box, struct reply_message *reply,
                                      struct vp_err *err)
{
    for (int tick = 0; tick < MOST_TICKS;) {
        const int n = hear(box, reply, TICK_MS);
        if (n < 0 || (n > 0 && reply->kind == REPLY_NO_FORK))
            return fail_gone(box, err);
        if (n > 0 && reply->kind == REPLY_ANSWER) {
            count_cpu(box, reply);
            return VP_OK;
        }
        if (n > 0 && reply->kind == REPLY_ENDED)
            return judge_end(box, reply->wait_status, err);
        if (box->is_cancelled != NULL && box->is_cancelled(box->ctx)) {
            give_up(box, DECODER_CANCELLED);
            return fail(err, VP_ERR_CANCELLED, "the result is not wanted any more");
        }
        tick++;
    }
    give_up(box, DECODER_TOO_LONG);
    return fail(err, VP_ERR_AUDIO_UNDECODABLE,
                "decoding this recording took too long and was given up; convert it and try again");
}

static bool put(const struct box *box, const struct request_message *request)
{
    return send(box->channel, request, sizeof *request, MSG_NOSIGNAL) == sizeof *request;
}

/* One question, one answer; what it says of an error is heard. */
static enum vp_status ask(struct box *box, const struct request_message *request,
                          struct reply_message *reply, struct vp_err *err)
{
    if (!put(box, request)) {
        look_in(box); /* it ended just now, of something else */
        if (box->channel < 0 || !put(box, request))
            return fail_gone(box, err);
    }
    enum vp_status status = wait_for_answer(box, reply, err);
    if (status != VP_OK)
        return status;
    status = hearsay_error(reply, err);
    if (reply->status != VP_ERR_NO_MEMORY || !reply->wanted_too_much)
        return status;
    give_up(box, DECODER_TOO_MUCH_MEMORY);
    return fail(err, VP_ERR_AUDIO_UNDECODABLE,
                "decoding this recording takes too much memory; convert it and try again");
}

/* Into out, of which no more is written than there is room for. */
static void take_samples(const struct box *box, const struct reply_message *reply,
                         struct vp_samples *out)
{
    out->n = reply->n_samples;
    if (out->n <= out->capacity && out->n <= box->shared.size.n_samples)
        memcpy(out->samples, box->shared.samples, out->n * sizeof *out->samples);
    else
        out->n = SIZE_MAX; /* which nobody takes for a length */
}

/* The whole pages among them, to the system; whoever reads them again finds something else. */
static void give_back(const unsigned char *bytes, size_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t start = ((uintptr_t)bytes + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)bytes + n) / page * page;
    if (start < end)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

/* Moved rather than copied: no large recording is in memory twice. */
static bool give_bytes(struct box *box, const struct vp_recording *recording)
{
    enum { PIECE = 1 << 20 };
    const unsigned char *bytes = recording->bytes;
    if (recording->n_bytes > box->shared.size.n_bytes)
        return false;
    for (size_t at = 0, n; at < recording->n_bytes; at += n) {
        n = recording->n_bytes - at < PIECE ? recording->n_bytes - at : PIECE;
        memcpy(box->shared.bytes + at, bytes + at, n);
        if (recording->n_bytes > PIECE)
            give_back(bytes + at, n);
    }
    return true;
}

/* Once, whoever opens it how often. From then on the decoder alone holds the bytes: when the loop
 * frees the box, it has nothing large to give back. */
static bool give_stream(struct box *box, const struct vp_recording *recording)
{
    if (box->memory < 0)
        return true;
    if (!give_bytes(box, recording))
        return false;
    shared_leave_bytes(&box->shared);
    close(box->memory);
    box->memory = -1;
    return true;
}

static enum vp_status decode_clip(void *ctx, const struct vp_recording *recording,
                                  const struct vp_limits *limits, struct vp_samples *out,
                                  struct vp_clip_info *info, struct vp_err *err)
{
    struct box *box = ctx;
    const struct request_message request = {.kind = REQUEST_CLIP,
                                            .n_bytes = recording->n_bytes,
                                            .accept_damage = recording->accept_damage,
                                            .channel = recording->channel,
                                            .limits = *limits};
    struct reply_message reply;
    look_in(box);
    if (box->channel < 0 || !give_bytes(box, recording))
        return fail_short(err);
    const enum vp_status status = ask(box, &request, &reply, err);
    size_t n_written = box->shared.size.n_samples; /* or less, before it failed */
    if (status == VP_OK) {
        take_samples(box, &reply, out);
        *info = reply.clip;
        n_written = reply.n_samples;
    }
    shared_forget(&box->shared, recording->n_bytes, n_written);
    return status;
}

static enum vp_status open_stream(void *ctx, const struct vp_recording *recording,
                                  const struct vp_stream_options *options, unsigned *n_channels,
                                  struct vp_err *err)
{
    struct box *box = ctx;
    const struct request_message request = {.kind = REQUEST_OPEN,
                                            .n_bytes = recording->n_bytes,
                                            .accept_damage = recording->accept_damage,
                                            .stream = *options};
    struct reply_message reply;
    if (box->memory >= 0)
        look_in(box);
    if (box->channel < 0 || !give_stream(box, recording))
        return fail_short(err);
    const enum vp_status status = ask(box, &request, &reply, err);
    if (status == VP_OK)
        *n_channels = reply.n_channels;
    return status;
}

static enum vp_status read_stream(void *ctx, struct vp_samples *out, struct vp_block *block,
                                  struct vp_err *err)
{
    struct box *box = ctx;
    const struct request_message request = {.kind = REQUEST_READ};
    struct reply_message reply;
    if (box->channel < 0)
        return fail_short(err);
    const enum vp_status status = ask(box, &request, &reply, err);
    if (status == VP_OK) {
        take_samples(box, &reply, out);
        *block = reply.block;
    }
    return status;
}

/* ---- the box --------------------------------------------------------------------------------- */

enum vp_status box_new(struct sandbox *sandbox, size_t n_bytes, size_t n_samples, struct box **out,
                       struct vp_err *err)
{
    const struct shared_size size = {.n_samples = n_samples, .n_bytes = n_bytes};
    *out = NULL;
    struct box *box = calloc(1, sizeof *box);
    if (box == NULL)
        return fail_short(err);
    *box = (struct box){.sandbox = sandbox,
                        .memory = shared_create(size),
                        .channel = -1,
                        .decoder = {decode_clip, open_stream, read_stream, box}};
    if (box->memory < 0 || !shared_map(&box->shared, box->memory, size)) {
        box_free(box);
        return fail_short(err);
    }
    start(box);
    *out = box;
    return VP_OK;
}

void box_free(struct box *box)
{
    if (box == NULL)
        return;
    if (box->channel >= 0)
        close(box->channel);
    if (box->memory >= 0)
        close(box->memory);
    shared_unmap(&box->shared);
    free(box);
}

const struct vp_decoder *box_decoder(const struct box *box)
{
    return &box->decoder;
}

void box_watch(struct box *box, bool (*is_cancelled)(void *ctx), void *ctx)
{
    box->is_cancelled = is_cancelled;
    box->ctx = ctx;
}
