/* The net in the box as part of the library, so that it is there wherever the program runs. The
 * path is that of the repository, from which the Makefile compiles. */
#include "speech/vad.h"

__asm__(".section .rodata\n"
        ".balign 64\n"
        ".global vad_weights, vad_weights_end\n"
        "vad_weights: .incbin \"models/vad.safetensors\"\n"
        "vad_weights_end: .byte 0\n"
        ".previous\n");
