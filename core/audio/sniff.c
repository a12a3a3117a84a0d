/* Magic numbers: which parser reads a recording, and the names of what is refused. */
#include "audio/sniff.h"

#include "audio/apple.h"
#include "audio/flac.h"
#include "audio/media.h"
#include "audio/mp3.h"
#include "audio/ogg.h"
#include "audio/riff.h"
#include "audio/tags.h"

/* ---- what is refused ------------------------------------------------------------------------ */

struct magic {
    const char *text, *name; /* no text holds a zero byte: it would end there */
};

static const struct magic refused[] = {
    {"NIST_1A", "nist sphere"},
    {"#!SILK_V3", "silk"},
    {"ADIF", "aac"},
    {"wvpk", "wavpack"},
    {"MAC ", "monkey's audio"},
    {"TTA1", "true audio"},
    {"MPCK", "musepack"},
    {"MP+", "musepack"},
    {"DSD ", "dsd"},
    {"FRM8", "dsd"},
    {"Creative Voice File", "voc"},
    {"MThd", "midi"},
    {"RIFX", "big-endian wav (rifx)"},
    {"FLV\x01", "flash video"},
    {"PK\x03\x04", "zip"},
    {"\x1F\x8B", "gzip"},
    {"%PDF", "pdf"},
    {"\x89PNG", "png image"},
    {"\xFF\xD8\xFF", "jpeg image"},
    {"GIF8", "gif image"},
    {"\x93NUMPY", "numpy array"},
    {"\x7F"
     "ELF",
     "program"},
};

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "html or xml", "json", "text" for bytes that a person could read; NULL for others. */
static const char *text_kind(struct bytes file)
{
    const struct bytes head = bytes_from(file, 0, 256);
    for (size_t i = 0; i < head.n; i++)
        if (head.at[i] >= 0x7F || (head.at[i] < ' ' && !is_blank(head.at[i])))
            return NULL;
    size_t first = 0;
    while (first < head.n && is_blank(head.at[first]))
        first++;
    if (bytes_match(head, first, "<"))
        return "html or xml";
    if (bytes_match(head, first, "{") || bytes_match(head, first, "["))
        return "json";
    return "text";
}

static enum vp_status refuse_by_name(struct bytes file, struct vp_err *err)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (bytes_match(file, 0, refused[i].text))
            return container_refuse(err, "%s", refused[i].name);
    if (bytes_match(file, 4, "ftyp"))
        return container_refuse(err, "heif or avif image");
    if (bytes_match(file, 0, "RIFF") || bytes_match(file, 0, "FORM"))
        return container_refuse(err, bytes_match(file, 8, "AVI ") ? "avi" : "unknown riff or iff");
    /* ADTS: twelve sync bits, layer 0 */
    if ((bytes_big(file, 0, 2) & 0xFFF6) == 0xFFF0)
        return container_refuse(err, "aac (adts)");
    const char *text = text_kind(file);
    return container_refuse(err, "%s", text != NULL ? text : "unknown format");
}

/* ---- what is accepted ----------------------------------------------------------------------- */

enum vp_status sniff_container(struct bytes file, struct container *out, struct vp_err *err)
{
    memset(out, 0, sizeof *out);
    if (file.n == 0)
        return status_fail(err, VP_ERR_AUDIO_EMPTY, "there are no bytes: send a recording");
    bool cut;
    const struct bytes stream = tags_skip_front(file, &cut);
    if (cut)
        return container_cut(err, "mp3", "its ID3 tag", tags_length(file, 0), file.n);
    if (riff_is(stream))
        return riff_read(stream, out, err);
    if (apple_is(stream))
        return apple_read(stream, out, err);
    if (bytes_match(stream, 0, "OggS"))
        return ogg_read(stream, out, err);
    if (flac_is(stream))
        return flac_read(stream, out, err);
    if (media_read(stream, out))
        return VP_OK;
    if (mp3_is(stream))
        return mp3_read(stream, out, err);
    return refuse_by_name(stream.n > 0 ? stream : file, err);
}
