/*
 * JSON text to values, by jansson, or the news that memory was short. A public header of
 * libvoiceprint, like diarization.h; the conventions of voiceprint.h hold here too.
 *
 * Jansson does not say which: where an allocation fails in mid-text it may go on with a string or a
 * number that has lost its end, and fail later for another reason, or not at all. So all programs
 * that link this count the allocations of jansson that fail (json_set_alloc_funcs, before main),
 * and from a text during which one did nothing is made.
 */
#ifndef VP_JSON_READ_H
#define VP_JSON_READ_H

#include <jansson.h>

#include "voiceprint.h"

/*
 * Reads text of n_bytes, in which no object has a key twice, to *root, which the caller owns; NULL
 * after an error. VP_ERR_ARGUMENT: it is not JSON, *where says for which reason and from which
 * place on. VP_ERR_NO_MEMORY. Any thread.
 */
enum vp_status vp_json_read(const char *text, size_t n_bytes, json_t **root,
                            json_error_t *where) VP_MUST_CHECK;

#endif
