/*
 * Containers that libavformat reads, told by their magic: MP4 and its kin, Matroska and WebM, AMR,
 * ASF, ADTS. Pure functions of the bytes; any thread.
 */
#ifndef VP_MEDIA_H
#define VP_MEDIA_H

#include "audio/container.h"

/* Does stream begin like one of them? Then fills *out, its codec left open: the decoder tells. */
bool media_read(struct bytes stream, struct container *out);

/* A stream in a container that other parsers know, with a codec that they do not: `demuxer` shall
 * read it. */
void media_of(struct bytes stream, const char *container, const char *demuxer,
              struct container *out);

#endif
