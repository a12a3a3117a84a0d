/*
 * A small picture: rectangles, and words in a raster font of the few letters that ours need.
 * libpng writes it. A drawing library would bring fonts and a dozen packages along.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PICTURE_TEXT_HEIGHT 14u
#define PICTURE_CHAR_WIDTH  12u /* one letter and the gap behind it */

struct picture {
    unsigned width, height;
    uint8_t *rgb; /* owned, [height, width, 3] */
};

/* White. False without memory. */
bool picture_new(unsigned width, unsigned height, struct picture *out);
void picture_free(struct picture *picture); /* what is inside, not the struct */

/* colour: 0xRRGGBB. What lies outside the picture is left out. */
void picture_fill(struct picture *picture, double left, double top, double right, double bottom,
                  uint32_t colour);
/* text: of 0-9 : . _ A E K P R S, any other character is a gap. left, top: of the first letter. */
void picture_text(struct picture *picture, double left, double top, const char *text,
                  uint32_t colour);

/* Writes a PNG file. False with a sentence in reason. */
bool picture_write(const struct picture *picture, const char *path, char *reason, size_t n_reason);

#endif
