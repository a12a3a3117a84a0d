/* Requests byte by byte: each state is a function of the next byte. */
#include "http/wire.h"

#include <string.h>

static const char version_prefix[] = "HTTP/1.";

static bool fail(struct wire *wire, const char *fault)
{
    wire->fault_is_in_body = wire->n_heads > wire->n_bodies;
    wire->fault_at = wire->n_bodies;
    wire->fault = fault;
    wire->state = WIRE_FAULT;
    return false;
}

static bool is_token_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* In a value or an extension: visible, blank, tab, or beyond ASCII. */
static bool is_text_byte(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- heads ---------------------------------------------------------------------------------- */

static void begin_head(struct wire *wire)
{
    wire->n_lengths = wire->n_encodings = 0;
    wire->n_line = wire->n_version = 0;
    wire->declared_bytes = 0;
    wire->in_trailer = false;
    wire->state = WIRE_METHOD;
}

static void end_request(struct wire *wire)
{
    wire->n_bodies++;
    wire->state = WIRE_START;
}

static void begin_chunk(struct wire *wire)
{
    wire->left_bytes = 0;
    wire->n_line = 0;
    wire->state = WIRE_CHUNK_SIZE;
}

static bool end_head(struct wire *wire)
{
    if (wire->n_lengths > 1)
        return fail(wire, "more than one Content-Length");
    if (wire->n_encodings > 1)
        return fail(wire, "more than one Transfer-Encoding");
    if (wire->n_lengths > 0 && wire->n_encodings > 0)
        return fail(wire, "Content-Length together with Transfer-Encoding");
    wire->n_heads++;
    if (wire->n_encodings > 0) {
        begin_chunk(wire);
    } else {
        wire->left_bytes = wire->declared_bytes;
        wire->state = WIRE_BODY;
        if (wire->left_bytes == 0)
            end_request(wire);
    }
    return true;
}

static bool take_length(struct wire *wire)
{
    wire->n_lengths++;
    wire->declared_bytes = 0;
    if (wire->n_value == 0 || wire->n_value >= WIRE_VALUE_ROOM)
        return fail(wire, "Content-Length is not a number");
    for (size_t i = 0; i < wire->n_value; i++) {
        if (wire->value[i] < '0' || wire->value[i] > '9')
            return fail(wire, "Content-Length is not a number");
        wire->declared_bytes = 10 * wire->declared_bytes + (uint64_t)(wire->value[i] - '0');
    }
    return true;
}

static bool is_name(const struct wire *wire, const char *name)
{
    return wire->n_name == strlen(name) && memcmp(wire->name, name, wire->n_name) == 0;
}

static bool end_line(struct wire *wire)
{
    wire->state = WIRE_LINE;
    while (wire->n_value > 0 && wire->n_value < WIRE_VALUE_ROOM &&
           (wire->value[wire->n_value - 1] == ' ' || wire->value[wire->n_value - 1] == '\t'))
        wire->n_value--;
    if (wire->in_trailer)
        return true;
    if (is_name(wire, "content-length"))
        return take_length(wire);
    if (!is_name(wire, "transfer-encoding"))
        return true;
    wire->n_encodings++;
    return (wire->n_value == 7 && memcmp(wire->value, "chunked", 7) == 0) ||
           fail(wire, "a Transfer-Encoding other than chunked");
}

static bool read_line_start(struct wire *wire, unsigned char c)
{
    if (c == ' ' || c == '\t')
        return fail(wire, "a header line is folded");
    if (!is_token_byte(c))
        return fail(wire, "a header name has a byte that no name may have");
    wire->n_name = wire->n_value = 0;
    wire->name[wire->n_name++] = (char)lower(c);
    wire->state = WIRE_NAME;
    return true;
}

static bool read_name(struct wire *wire, unsigned char c)
{
    if (c == ':') {
        wire->state = WIRE_VALUE;
        return true;
    }
    if (!is_token_byte(c))
        return fail(wire, "a header name has a byte that no name may have");
    if (wire->n_name < WIRE_NAME_ROOM)
        wire->name[wire->n_name++] = (char)lower(c);
    return true;
}

static bool read_value(struct wire *wire, unsigned char c)
{
    if (!is_text_byte(c))
        return fail(wire, "a header value has a control byte");
    if (wire->n_value == 0 && (c == ' ' || c == '\t'))
        return true;
    if (wire->n_value < WIRE_VALUE_ROOM)
        wire->value[wire->n_value++] = (char)lower(c);
    return true;
}

static bool read_request_line(struct wire *wire, unsigned char c)
{
    if (wire->state == WIRE_METHOD) {
        if (c == ' ')
            wire->state = WIRE_TARGET;
        else if (!is_token_byte(c))
            return fail(wire, "the method has a byte that none may have");
        return true;
    }
    if (wire->state == WIRE_TARGET) {
        if (c == ' ' && wire->n_line > 0)
            wire->state = WIRE_VERSION;
        else if (c <= ' ' || c == 0x7f)
            return fail(wire, "the target is empty, or has a blank or a control character");
        wire->n_line++;
        return true;
    }
    bool good = wire->n_version < sizeof version_prefix - 1
                    ? c == (unsigned char)version_prefix[wire->n_version]
                    : wire->n_version == sizeof version_prefix - 1 && (c == '0' || c == '1');
    wire->n_version++;
    return good || fail(wire, "the version is neither HTTP/1.1 nor HTTP/1.0");
}

/* ---- chunks --------------------------------------------------------------------------------- */

static bool read_chunk_size(struct wire *wire, unsigned char c)
{
    if (c == ';' && wire->n_line > 0) {
        wire->state = WIRE_CHUNK_EXTENSION;
        wire->n_line++;
        return true;
    }
    int digit = hex_digit(c);
    if (digit < 0)
        return fail(wire, "the size of a chunk is not a hexadecimal number");
    if (wire->n_line++ >= 15)
        return fail(wire, "the size of a chunk has more than 15 digits");
    wire->left_bytes = 16 * wire->left_bytes + (uint64_t)digit;
    return true;
}

static bool read_extension(struct wire *wire, unsigned char c)
{
    if (!is_text_byte(c))
        return fail(wire, "a chunk's extension has a control byte");
    return ++wire->n_line < WIRE_CHUNK_LINE_MAX ||
           fail(wire, "a chunk's extensions are longer than 256 bytes");
}

static bool end_chunk_line(struct wire *wire)
{
    if (wire->n_line == 0)
        return fail(wire, "a chunk has no size");
    wire->n_line = 0;
    wire->in_trailer = wire->left_bytes == 0;
    wire->state = wire->in_trailer ? WIRE_LINE : WIRE_CHUNK_DATA;
    return true;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* What CR LF ends; false and a fault where a line cannot end. */
static bool read_line_end(struct wire *wire)
{
    switch (wire->state) {
    case WIRE_START:
        return true;
    case WIRE_VERSION:
        wire->state = WIRE_LINE;
        return wire->n_version == sizeof version_prefix ||
               fail(wire, "the version is neither HTTP/1.1 nor HTTP/1.0");
    case WIRE_LINE:
        if (!wire->in_trailer)
            return end_head(wire);
        end_request(wire);
        return true;
    case WIRE_VALUE:
        return end_line(wire);
    case WIRE_CHUNK_SIZE:
    case WIRE_CHUNK_EXTENSION:
        return end_chunk_line(wire);
    case WIRE_CHUNK_END:
        begin_chunk(wire);
        return true;
    default:
        return fail(wire, "a line ends too early");
    }
}

static bool read_byte(struct wire *wire, unsigned char c)
{
    if (wire->after_cr) {
        wire->after_cr = false;
        return c == '\n' ? read_line_end(wire) : fail(wire, "a CR without LF");
    }
    if (c == '\r') {
        wire->after_cr = true;
        return true;
    }
    if (c == '\n')
        return fail(wire, "a line ends in LF without CR");
    if (wire->in_trailer && wire->state >= WIRE_LINE && ++wire->n_line > WIRE_TRAILER_MAX)
        return fail(wire, "the trailer of a chunked body is longer than 4 KiB");
    switch (wire->state) {
    case WIRE_START:
        begin_head(wire);
        return is_token_byte(c) || fail(wire, "the method has a byte that none may have");
    case WIRE_METHOD:
    case WIRE_TARGET:
    case WIRE_VERSION:
        return read_request_line(wire, c);
    case WIRE_LINE:
        return read_line_start(wire, c);
    case WIRE_NAME:
        return read_name(wire, c);
    case WIRE_VALUE:
        return read_value(wire, c);
    case WIRE_CHUNK_SIZE:
        return read_chunk_size(wire, c);
    case WIRE_CHUNK_EXTENSION:
        return read_extension(wire, c);
    case WIRE_CHUNK_END:
        return fail(wire, "a chunk is longer than its size");
    case WIRE_BODY:
    case WIRE_CHUNK_DATA:
    case WIRE_FAULT:
        break;
    }
    return false;
}

/* The bytes of a body are passed over, not looked at. Returns how many of n belong to it. */
static size_t skip_body(struct wire *wire, size_t n)
{
    if (wire->state != WIRE_BODY && wire->state != WIRE_CHUNK_DATA)
        return 0;
    size_t passed = wire->left_bytes < n ? (size_t)wire->left_bytes : n;
    wire->left_bytes -= passed;
    if (wire->left_bytes == 0 && wire->state == WIRE_BODY)
        end_request(wire);
    else if (wire->left_bytes == 0)
        wire->state = WIRE_CHUNK_END;
    return passed;
}

size_t wire_read(struct wire *wire, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    size_t n_good = 0;
    while (n_good < n && wire->state != WIRE_FAULT) {
        size_t passed = skip_body(wire, n - n_good);
        if (passed == 0)
            passed = read_byte(wire, at[n_good]);
        n_good += passed;
    }
    return n_good;
}

const char *wire_judge(const struct wire *wire, uint64_t index)
{
    if (wire->fault != NULL && index >= wire->fault_at)
        return wire->fault;
    return wire->n_heads > index ? NULL : "the head does not end where it seems to";
}
