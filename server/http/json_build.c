/* JSON on jansson, with the first fault kept. */
#include "http/json_build.h"

#include "util/fault.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_TEXT_BYTES = 4096 };

static struct json_build begin(json_t *root)
{
    return (struct json_build){.root = root, .fault = root != NULL ? JSON_GOOD : JSON_NO_MEMORY};
}

struct json_build json_begin_object(void)
{
    return begin(json_object());
}

struct json_build json_begin_array(void)
{
    return begin(json_array());
}

static void fail(struct json_build *build, enum json_fault fault, const char *member)
{
    json_decref(build->root);
    *build = (struct json_build){.fault = fault, .member = member};
}

void json_put(struct json_build *build, const char *key, json_t *value)
{
    if (build->fault != JSON_GOOD) {
        json_decref(value);
        return;
    }
    /* Both take value, also when they fail. */
    int status = key != NULL ? json_object_set_new(build->root, key, value)
                             : json_array_append_new(build->root, value);
    if (status != 0)
        fail(build, JSON_NO_MEMORY, NULL);
}

void json_put_build(struct json_build *build, const char *key, struct json_build value)
{
    if (value.fault != JSON_GOOD && build->fault == JSON_GOOD)
        fail(build, value.fault, value.member != NULL ? value.member : key);
    else
        json_put(build, key, value.root);
}

void json_put_text(struct json_build *build, const char *key, const char *text)
{
    json_put(build, key, json_string(text));
}

void json_put_number(struct json_build *build, const char *key, double number)
{
    if (isfinite(number))
        json_put(build, key, json_real(number));
    else if (build->fault == JSON_GOOD)
        fail(build, JSON_NOT_FINITE, key);
}

void json_put_count(struct json_build *build, const char *key, size_t count)
{
    json_put(build, key, json_integer((json_int_t)count));
}

void json_put_flag(struct json_build *build, const char *key, bool flag)
{
    json_put(build, key, json_boolean(flag));
}

void json_put_null(struct json_build *build, const char *key)
{
    json_put(build, key, json_null());
}

struct text {
    char *bytes; /* owned, n of room used */
    size_t n, room;
};

/* Once memory was short nothing more is taken: jansson goes on after some failures. One byte is
 * always left for the final zero. */
static int on_piece(const char *piece, size_t n, void *context)
{
    struct text *text = context;
    if (text->bytes != NULL && text->room - text->n <= n) {
        text->room = 2 * text->room + n;
        char *bytes = fault_hits(FAULT_JSON) ? NULL : realloc(text->bytes, text->room);
        if (bytes == NULL)
            free(text->bytes);
        text->bytes = bytes;
    }
    if (text->bytes == NULL)
        return -1;
    memcpy(text->bytes + text->n, piece, n);
    text->n += n;
    return 0;
}

/* Not json_dumps: short of memory it can leave a piece out and still give a text. */
char *json_take_text(struct json_build build, size_t *n_bytes)
{
    json_t *root = build.root;
    struct text text = {.room = FIRST_TEXT_BYTES};
    text.bytes = root == NULL || fault_hits(FAULT_JSON) ? NULL : malloc(text.room);
    bool good =
        text.bytes != NULL &&
        json_dump_callback(root, on_piece, &text, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
        text.bytes != NULL;
    json_decref(root);
    *n_bytes = good ? text.n : 0;
    if (good) {
        text.bytes[text.n] = 0;
        return text.bytes;
    }
    free(text.bytes);
    return NULL;
}
