/* The frames of a clip that are embedded. Inside the library only; vp_clip_speech is public. */
#ifndef VP_CLIP_SPEECH_H
#define VP_CLIP_SPEECH_H

#include "voice/scratch.h"

/* The scratch's features, mean not removed, without the frames far from speech: n_frames becomes
 * the number of the others, which close up. */
void clip_keep_speech(vp_scratch *scratch);

#endif
