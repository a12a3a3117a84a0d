/*
 * The outline of a recording, for pictures. A public header of libvoiceprint, like diarization.h;
 * the conventions of voiceprint.h hold here too.
 */
#ifndef VP_WAVEFORM_H
#define VP_WAVEFORM_H

#include "voiceprint.h"

/* Lowest and highest sample of one column, -1..1 in a recording that is not overdriven. */
struct vp_wave_column {
    float low, high;
};

/*
 * Decodes a recording once more, as the engine hears it (mono, 16 kHz; channel: one of its own, or
 * VP_CHANNEL_MIX), and writes the outline of its first duration_s seconds to columns [n_columns],
 * from left to right; columns beyond its end are 0. Borrows bytes for the call. Nothing is kept of
 * the samples: memory does not grow with the recording. duration_s > 0 and n_columns > 0, else
 * VP_ERR_ARGUMENT. Other errors: VP_ERR_AUDIO_* of decoding, VP_ERR_NO_MEMORY. Any thread.
 */
enum vp_status vp_waveform(const void *bytes, size_t n_bytes, unsigned channel, double duration_s,
                           struct vp_wave_column *columns, size_t n_columns,
                           struct vp_err *err) VP_MUST_CHECK;

#endif
