/*
 * Memory that is done with goes back to the system a piece in each turn of the loop: 250 MiB at
 * once would keep it from everybody else for 25 to 40 ms. One for the process.
 */
#ifndef VP_SPENT_H
#define VP_SPENT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* From now on what is large is freed piece by piece. [start] */
bool spent_open(uv_loop_t *loop);
/* Takes bytes[n_bytes] of malloc's; NULL is legal. Before spent_open and after spent_close: freed
 * at once. [loop] */
void spent_free(void *bytes, size_t n_bytes);
void spent_close(void); /* [loop] frees the rest; legal twice */

#endif
