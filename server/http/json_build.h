/*
 * A JSON object or array in the making. The first thing that cannot be put in ends it: nothing more
 * is added, and what was wrong is kept, so that a number that JSON cannot carry is not taken for a
 * shortage of memory. Passed by value; put into another one, or made into text, exactly once.
 */
#ifndef VP_JSON_BUILD_H
#define VP_JSON_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum json_fault { JSON_GOOD = 0, JSON_NO_MEMORY, JSON_NOT_FINITE };

struct json_build {
    json_t *root; /* owned; NULL after a fault */
    enum json_fault fault;
    const char *member; /* JSON_NOT_FINITE: which one, a borrowed static string; NULL: unknown */
};

struct json_build json_begin_object(void); /* [any], as all of these */
struct json_build json_begin_array(void);
/* key names the member, a static string; NULL in an array. */
void json_put(struct json_build *build, const char *key, json_t *value); /* takes; NULL: a fault */
void json_put_build(struct json_build *build, const char *key, struct json_build value); /* takes */
void json_put_text(struct json_build *build, const char *key, const char *text);         /* UTF-8 */
void json_put_number(struct json_build *build, const char *key, double number);
void json_put_count(struct json_build *build, const char *key, size_t count);
void json_put_flag(struct json_build *build, const char *key, bool flag);
void json_put_null(struct json_build *build, const char *key);
/* Compact text, malloc'd, with a final zero; numbers have nine significant digits, which carry a
 * float32 exactly. Takes build; NULL after a fault, or when memory is short. */
char *json_take_text(struct json_build build, size_t *n_bytes);

#endif
