/*
 * What a Vorbis setup header asks of its decoder. libvorbis takes any codebook that the format
 * can state, in memory and on the stack: some 300 bytes are enough to ask for gigabytes. So the
 * codebooks are measured before it sees them. Pure; any thread.
 */
#ifndef VP_VORBIS_H
#define VP_VORBIS_H

#include "base/bytes.h"
#include "base/status.h"

/* Far above what encoders write (libvorbis: some 20,000 entries, 14,641 in the largest book). */
#define VORBIS_MAX_BOOK_ENTRIES 65536u
#define VORBIS_MAX_ENTRIES      262144u
#define VORBIS_MAX_VALUES       2097152u /* entries x dimensions of books with values */

#define VORBIS_IDENT_BYTES  30u
#define VORBIS_MAX_CHANNELS 8u

/* ident: the first packet of a stream, [VORBIS_IDENT_BYTES]. VP_ERR_AUDIO_UNDECODABLE: a decoder
 * would refuse it. */
enum vp_status vorbis_check_ident(struct bytes ident, struct vp_err *err) VP_MUST_CHECK;

/* setup: the third packet of a stream. VP_ERR_AUDIO_UNDECODABLE: it is no setup header, its
 * codebooks are cut, or ask for more than the limits above. */
enum vp_status vorbis_check_setup(struct bytes setup, struct vp_err *err) VP_MUST_CHECK;

/* The three headers as Matroska and libavformat keep them beside the samples: false where they pass
 * neither check or state more than VORBIS_MAX_CHANNELS. */
bool vorbis_are_sane_headers(struct bytes headers) VP_MUST_CHECK;

/* A packet among the samples may be a header too, and change the decoder: false where it passes no
 * check. */
bool vorbis_is_sane_packet(struct bytes packet) VP_MUST_CHECK;

#endif
