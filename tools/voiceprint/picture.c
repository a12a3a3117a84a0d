#include "picture.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7, DOT = 2 }; /* DOT: pixels a dot of the raster */

/* Five dots a row, the leftmost in bit 4. */
static const struct {
    char letter;
    uint8_t rows[GLYPH_HEIGHT];
} glyphs[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}},
    {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}},
    {'3', {0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}},
    {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}},
    {'7', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}},
    {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {':', {0x00, 0x04, 0x04, 0x00, 0x04, 0x04, 0x00}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}},
    {'_', {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1f}},
    {'A', {0x0e, 0x11, 0x11, 0x11, 0x1f, 0x11, 0x11}},
    {'E', {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f}},
    {'K', {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11}},
    {'P', {0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10}},
    {'R', {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}},
    {'S', {0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e}},
};

bool picture_new(unsigned width, unsigned height, struct picture *out)
{
    size_t n_pixels, n_bytes;
    *out = (struct picture){.width = width, .height = height};
    if (__builtin_mul_overflow((size_t)width, height, &n_pixels) ||
        __builtin_mul_overflow(n_pixels, 3u, &n_bytes))
        return false;
    out->rgb = malloc(n_bytes);
    if (out->rgb != NULL)
        memset(out->rgb, 0xff, n_bytes);
    return out->rgb != NULL;
}

void picture_free(struct picture *picture)
{
    free(picture->rgb);
    picture->rgb = NULL;
}

static unsigned inside(double at, unsigned end)
{
    return at <= 0.0 ? 0 : at >= end ? end : (unsigned)lround(at);
}

void picture_fill(struct picture *picture, double left, double top, double right, double bottom,
                  uint32_t colour)
{
    const unsigned x_end = inside(right, picture->width), y_end = inside(bottom, picture->height);
    for (unsigned y = inside(top, picture->height); y < y_end; y++)
        for (unsigned x = inside(left, picture->width); x < x_end; x++) {
            uint8_t *pixel = picture->rgb + 3 * ((size_t)y * picture->width + x);
            pixel[0] = (uint8_t)(colour >> 16);
            pixel[1] = (uint8_t)(colour >> 8);
            pixel[2] = (uint8_t)colour;
        }
}

static const uint8_t *rows_of(char letter)
{
    for (size_t i = 0; i < sizeof glyphs / sizeof glyphs[0]; i++)
        if (glyphs[i].letter == letter)
            return glyphs[i].rows;
    return NULL;
}

void picture_text(struct picture *picture, double left, double top, const char *text,
                  uint32_t colour)
{
    for (; *text != '\0'; text++, left += PICTURE_CHAR_WIDTH) {
        const uint8_t *rows = rows_of(*text);
        for (int y = 0; rows != NULL && y < GLYPH_HEIGHT; y++)
            for (int x = 0; x < GLYPH_WIDTH; x++)
                if (rows[y] & 1u << (GLYPH_WIDTH - 1 - x))
                    picture_fill(picture, left + DOT * x, top + DOT * y, left + DOT * (x + 1),
                                 top + DOT * (y + 1), colour);
    }
}

bool picture_write(const struct picture *picture, const char *path, char *reason, size_t n_reason)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = picture->width,
                       .height = picture->height,
                       .format = PNG_FORMAT_RGB};
    const bool good = png_image_write_to_file(&image, path, 0, picture->rgb, 0, NULL) != 0;
    if (!good)
        snprintf(reason, n_reason, "%s", image.message);
    png_image_free(&image);
    return good;
}
