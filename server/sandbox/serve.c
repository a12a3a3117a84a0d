/* Requests to core's decoders. */
#include "sandbox/serve.h"

#include "sandbox/message.h"
#include "sandbox/seal.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

/* Half of the ration was there at a time: it was memory of its own that came to an end, and not the
 * machine's. What is shared counts in the peak and not in the ration. */
static bool has_wanted_too_much(const struct shared *shared)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024 >= SEAL_RATION_BYTES / 2 + shared->size.n_bytes;
}

static enum vp_status answer(const struct request_message *request, const struct shared *shared,
                             vp_stream **stream, struct reply_message *reply)
{
    const struct vp_recording recording = {shared->bytes, request->n_bytes, request->accept_damage,
                                           request->channel};
    struct vp_samples samples = {.samples = shared->samples, .capacity = shared->size.n_samples};
    enum vp_status status = VP_ERR_ARGUMENT;
    switch (request->kind) {
    case REQUEST_CLIP:
        status = vp_decode_clip(&recording, &request->limits, &samples, &reply->clip, &reply->err);
        break;
    case REQUEST_OPEN:
        vp_stream_close(*stream);
        status = vp_stream_open(&recording, &request->stream, stream, &reply->err);
        if (status == VP_OK)
            reply->n_channels = vp_stream_channels(*stream);
        break;
    case REQUEST_READ:
        if (*stream != NULL)
            status = vp_stream_read(*stream, &samples, &reply->block, &reply->err);
        break;
    }
    reply->n_samples = samples.n;
    return status;
}

void serve_recordings(int channel, const struct shared *shared)
{
    struct request_message request;
    vp_stream *stream = NULL;
    while (recv(channel, &request, sizeof request, 0) == sizeof request) {
        struct reply_message reply;
        memset(&reply, 0, sizeof reply);
        reply.kind = REPLY_ANSWER;
        reply.status = answer(&request, shared, &stream, &reply);
        reply.wanted_too_much = reply.status == VP_ERR_NO_MEMORY && has_wanted_too_much(shared);
        struct timespec used;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        reply.cpu_s = (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
        if (send(channel, &reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply)
            break;
    }
    vp_stream_close(stream);
}
