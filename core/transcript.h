/*
 * A transcript with times gets a speaker for each word or segment, and is given back in its own
 * form.
 *
 *   whisper      JSON with `segments` and `words`: Whisper, faster-whisper, WhisperX, and OpenAI's
 *                `verbose_json`; each gets a member "speaker", a label or null
 *   whisper.cpp  JSON with `transcription` and its tokens; the same
 *   webvtt       WebVTT; a cue begins with a voice tag, `<v SPEAKER_00>`
 *   srt          SubRip; a subtitle begins with `SPEAKER_00: `
 *   ctm          NIST's words by time; fields 6 to 8 become confidence, type and speaker, `null`
 * for none
 *
 * Everything here is plain computing on memory: any thread, one owner at a time.
 */
#ifndef VP_TRANSCRIPT_H
#define VP_TRANSCRIPT_H

#include "diarization.h"

#define VP_TRANSCRIPT_MAX_BYTES (8u << 20)
#define VP_TRANSCRIPT_REACH_S   0.5 /* a word in nobody's turn is the nearest speaker's within it */

enum vp_transcript_form {
    VP_TRANSCRIPT_WHISPER,
    VP_TRANSCRIPT_WHISPER_CPP,
    VP_TRANSCRIPT_WEBVTT,
    VP_TRANSCRIPT_SRT,
    VP_TRANSCRIPT_CTM
};
#define VP_N_TRANSCRIPT_FORMS 5

/* "whisper", "whisper.cpp", "webvtt", "srt", "ctm"; what HTTP calls it; what a file of it ends
 * with. Borrowed static strings. */
const char *vp_transcript_form_name(enum vp_transcript_form form);
const char *vp_transcript_media_type(enum vp_transcript_form form);
const char *vp_transcript_extension(enum vp_transcript_form form);

typedef struct vp_transcript vp_transcript;

/*
 * Reads a transcript, its form told by its content: UTF-8 with or without a byte order mark, any
 * line ends. Borrows bytes for the call. Returns owned *out (vp_transcript_free), NULL on error:
 * VP_ERR_ARGUMENT names line or member and what is wrong with it, or says that it is larger than
 * VP_TRANSCRIPT_MAX_BYTES; VP_ERR_NO_MEMORY.
 */
enum vp_status vp_transcript_read(const void *bytes, size_t n_bytes, vp_transcript **out,
                                  struct vp_err *err) VP_MUST_CHECK;
void vp_transcript_free(vp_transcript *transcript); /* takes; NULL is legal */
enum vp_transcript_form vp_transcript_form_of(const vp_transcript *transcript);

/*
 * Gives each word and segment a speaker: who speaks most of its time, of equals the first; where
 * nobody does the nearest within VP_TRANSCRIPT_REACH_S; else none. A word without times has its
 * segment's. turns [n_turns], as vp_diarization_result has them: of one speaker neither overlapping
 * nor touching. VP_ERR_NO_MEMORY.
 */
enum vp_status vp_transcript_assign(vp_transcript *transcript, const struct vp_turn *turns,
                                    size_t n_turns, struct vp_err *err) VP_MUST_CHECK;

/* The transcript in its own form with the speakers. Everything else stays: in JSON by value
 * (numbers to 15 digits), else byte by byte. Returns owned *text (free()), a string of *n_chars.
 * VP_ERR_NO_MEMORY. */
enum vp_status vp_transcript_write(const vp_transcript *transcript, char **text, size_t *n_chars,
                                   struct vp_err *err) VP_MUST_CHECK;

/* What was said, a line for each time that another speaker begins: `SPEAKER_00: words`, `UNKNOWN`
 * for none. By words where segments have them, else by segments. As above. */
enum vp_status vp_transcript_text(const vp_transcript *transcript, char **text, size_t *n_chars,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
