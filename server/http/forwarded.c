/* Two headers that say the same in two ways. Nothing in them is an error: at worst they say
 * nothing. */
#include "http/forwarded.h"

#include "util/thread.h"

#include <string.h>
#include <strings.h>

/* Longer than any address, with brackets, port and a zone; what is longer is none. */
enum { NODE_ROOM = 80 };

/* One hop: the right-most that is not trusted stays. */
static void hear(struct forwarded *forwarded, const char *node, size_t n,
                 const struct networks *trusted)
{
    struct address address;
    if (!address_parse(node, n, &address)) {
        forwarded->says = FORWARDED_UNCLEAR;
    } else if (!networks_have(trusted, &address)) {
        forwarded->says = FORWARDED_ADDRESS;
        forwarded->address = address;
    }
}

void forwarded_read_list(struct forwarded *forwarded, const char *value,
                         const struct networks *trusted)
{
    for (const char *at = value; *at != 0;) {
        at += strspn(at, ", \t");
        size_t n = strcspn(at, ",");
        const char *next = at + n;
        while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
            n--;
        if (n > 0)
            hear(forwarded, at, n, trusted);
        at = next;
    }
}

/* A value of a parameter, quotes and their escapes taken off, into node. Returns what follows it,
 * NULL: it is ill-formed or too long. */
static const char *read_value(const char *at, char node[NODE_ROOM], size_t *n)
{
    const bool is_quoted = *at == '"';
    at += is_quoted;
    for (*n = 0; *at != 0 && (is_quoted ? *at != '"' : strchr("\"\\,; \t", *at) == NULL); at++) {
        if (is_quoted && *at == '\\' && *++at == 0)
            return NULL;
        if (*n == NODE_ROOM)
            return NULL;
        node[(*n)++] = *at;
    }
    if (!is_quoted)
        return *n > 0 ? at : NULL;
    return *at == '"' ? at + 1 : NULL;
}

/* The parameters of one element, up to its comma or the end. `for` may stand there once. Returns
 * where it ends, NULL: it is ill-formed. */
static const char *read_element(struct forwarded *forwarded, const char *at,
                                const struct networks *trusted)
{
    size_t n_for = 0;
    while (*at != 0 && *at != ',') {
        char node[NODE_ROOM];
        size_t n_node = 0;
        at += strspn(at, "; \t");
        const size_t n_name = strcspn(at, "=,; \t\"");
        if (n_name == 0 && (*at == 0 || *at == ','))
            break;
        const bool is_for = n_name == 3 && strncasecmp(at, "for", 3) == 0;
        if (n_name == 0 || at[n_name] != '=' ||
            (at = read_value(at + n_name + 1, node, &n_node)) == NULL)
            return NULL;
        at += strspn(at, " \t");
        if (*at != 0 && *at != ',' && *at != ';')
            return NULL;
        if (is_for && n_for++ == 0)
            hear(forwarded, node, n_node, trusted);
    }
    return n_for <= 1 ? at : NULL;
}

void forwarded_read_elements(struct forwarded *forwarded, const char *value,
                             const struct networks *trusted)
{
    for (const char *at = value + strspn(value, ", \t"); *at != 0; at += strspn(at, ", \t")) {
        at = read_element(forwarded, at, trusted);
        if (at == NULL) { /* a quote that a client left open may have swallowed the rest */
            forwarded->says = FORWARDED_UNCLEAR;
            return;
        }
    }
}

struct walk {
    const struct networks *trusted;
    struct forwarded list, elements;
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct walk *walk = context;
    if (value == NULL)
        return MHD_YES;
    if (strcasecmp(name, "x-forwarded-for") == 0)
        forwarded_read_list(&walk->list, value, walk->trusted);
    else if (strcasecmp(name, "forwarded") == 0)
        forwarded_read_elements(&walk->elements, value, walk->trusted);
    return MHD_YES;
}

bool forwarded_address(struct MHD_Connection *handle, const struct networks *trusted,
                       struct address *address)
{
    ON_LOOP();
    struct walk walk = {.trusted = trusted};
    MHD_get_connection_values(handle, MHD_HEADER_KIND, on_header, &walk);
    const struct forwarded *list = &walk.list, *elements = &walk.elements;
    const struct forwarded *one = list->says != FORWARDED_NOBODY ? list : elements;
    const struct forwarded *other = one == list ? elements : list;
    if (one->says != FORWARDED_ADDRESS ||
        (other->says != FORWARDED_NOBODY &&
         (other->says != FORWARDED_ADDRESS ||
          memcmp(&one->address, &other->address, sizeof one->address) != 0)))
        return false;
    *address = one->address;
    return true;
}
