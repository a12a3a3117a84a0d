/* The net in the box as part of the library; see vad_weights.c. */
#include "diarize/target/tsvad.h"

__asm__(".section .rodata\n"
        ".balign 64\n"
        ".global tsvad_weights, tsvad_weights_end\n"
        "tsvad_weights: .incbin \"models/tsvad.safetensors\"\n"
        "tsvad_weights_end: .byte 0\n"
        ".previous\n");
