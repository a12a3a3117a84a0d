/*
 * What the tables of ISO base media (MP4, M4A, 3GP, QuickTime) ask of a demuxer: a table of equal
 * sizes states millions of packets in twelve bytes, and each of them becomes an entry in memory.
 * So they are counted before libavformat sees them. Pure; any thread.
 */
#ifndef VP_MP4_H
#define VP_MP4_H

#include "base/bytes.h"
#include "base/status.h"

#define MP4_MAX_PACKETS 4194304u  /* of all tracks; of one track of plain samples less count */
#define MP4_MAX_TRACK   1398101u  /* what libavformat's index of one track holds in 32 MiB */
#define MP4_MAX_EDITS   16777216u /* packets x entries of an edit list: each entry walks them */

/* VP_ERR_AUDIO_UNDECODABLE: more than that; VP_ERR_AUDIO_UNSUPPORTED: the tables are compressed.
 * container: its name, for the sentence. */
enum vp_status mp4_check(struct bytes file, const char *container,
                         struct vp_err *err) VP_MUST_CHECK;

#endif
