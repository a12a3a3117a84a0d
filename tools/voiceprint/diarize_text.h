/* The answer of a diarization as text: a table, RTTM or JSON. */
#ifndef DIARIZE_TEXT_H
#define DIARIZE_TEXT_H

#include "cli.h"
#include "diarization.h"

/* "txt", "rttm" or "json", as cli->format asks. Static. */
const char *diarize_extension(const struct cli *cli);

/* Returns owned text (free()), NULL with *err filled. */
char *diarize_text(const struct cli *cli, const vp_model *model,
                   const vp_segmentation *segmentation, const char *path, const char *name,
                   const struct vp_diarization_result *result, struct vp_err *err);

#endif
