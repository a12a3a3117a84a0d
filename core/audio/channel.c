/* The words for a choice of channels. */
#include <string.h>

#include "voiceprint.h"

bool vp_channel_parse(const char *word, unsigned *out)
{
    static const struct {
        const char *word;
        unsigned channel;
    } words[] = {{"mix", VP_CHANNEL_MIX}, {"left", 1}, {"right", 2}, {"split", VP_CHANNEL_SPLIT}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].word) == 0) {
            *out = words[i].channel;
            return true;
        }
    }
    *out = (unsigned)(word[0] - '0');
    return word[0] >= '1' && word[0] <= '0' + (int)VP_MAX_CHANNELS && word[1] == '\0';
}
