/* The two engines of a diarization. */
#ifndef VP_DIARIZE_ENGINES_H
#define VP_DIARIZE_ENGINES_H

#include "diarize/pipeline.h"

/* Speech detection, windows of 1.5 s, clustering; then each voice is tracked by itself. */
extern const struct diarize_engine diarize_vad;
/* The same on the speech that a segmentation network hears, which also says how many speak. */
extern const struct diarize_engine diarize_segmentation;

#endif
