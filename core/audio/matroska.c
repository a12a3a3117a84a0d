/*
 * EBML elements: an identifier, a length, a body. libavformat finds tags wherever a reference to
 * them or a damaged place leads it, so their identifier is searched for and the tree not walked.
 *
 *   12 54 C3 67   Tags, of groups   73 73   Tag, of   67 C8   SimpleTag, possibly within another
 */
#include "audio/matroska.h"

/* The body of the element whose length stands at `at`, cut to the file. The first byte has as many
 * zeros in front as bytes follow; all other bits set: the length is not known. */
static struct bytes body_at(struct bytes file, size_t at)
{
    const unsigned first = (unsigned)bytes_little(file, at, 1);
    if (first == 0)
        return bytes_from(file, at, UINT64_MAX);
    const unsigned n_more = (unsigned)__builtin_clz(first) - 24;
    const uint64_t most = (UINT64_C(1) << 7 * (n_more + 1)) - 1;
    const uint64_t n = bytes_big(file, at, n_more + 1) & most;
    return bytes_from(file, at + 1 + n_more, n == most ? UINT64_MAX : n);
}

static size_t count_tags(struct bytes body)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < body.n; i++)
        n += (body.at[i] == 0x73 && body.at[i + 1] == 0x73) ||
             (body.at[i] == 0x67 && body.at[i + 1] == 0xC8);
    return n;
}

enum vp_status matroska_check(struct bytes file, const char *container, struct vp_err *err)
{
    static const unsigned char name[4] = {0x12, 0x54, 0xC3, 0x67};
    const unsigned char *found;
    size_t at = 0, counted = 0, n = 0; /* up to where they were counted */
    while ((found = memmem(file.at + at, file.n - at, name, sizeof name)) != NULL) {
        at = (size_t)(found - file.at) + sizeof name;
        const struct bytes body = body_at(file, at);
        const size_t end = body.n > 0 ? (size_t)(body.at - file.at) + body.n : 0;
        if (end > counted) {
            const size_t begin = at > counted ? at : counted;
            n += count_tags(bytes_from(file, begin, end - begin));
            counted = end;
        }
        if (n > MATROSKA_MAX_TAGS)
            return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                               "the %s file has more than %u tags: take them out, "
                               "ffmpeg -i FILE -vn -map_metadata -1 -c:a copy FILE.mka does",
                               container, MATROSKA_MAX_TAGS);
    }
    return VP_OK;
}
