/* Embedded by the assembler, which reads them from the top of the repository at build time. */
#include "assets.h"

#include <string.h>

#define EMBED(symbol, file)                                                                        \
    __asm__(".pushsection .rodata\n"                                                               \
            ".global " #symbol "_begin\n" #symbol "_begin:\n"                                      \
            ".incbin \"" file "\"\n"                                                               \
            ".global " #symbol "_end\n" #symbol "_end:\n"                                          \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const unsigned char symbol##_begin[], symbol##_end[]

EMBED(asset_openapi, "openapi.yaml");

static const struct asset assets[] = {
    {"/openapi.yaml", "application/yaml", asset_openapi_begin, asset_openapi_end},
};

const struct asset *assets_find(const char *path)
{
    for (size_t i = 0; i < sizeof assets / sizeof assets[0]; i++)
        if (strcmp(assets[i].path, path) == 0)
            return &assets[i];
    return NULL;
}

size_t assets_size(const struct asset *asset)
{
    return (size_t)(asset->end - asset->bytes);
}
