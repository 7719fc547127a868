/* Text: is it UTF-8, has it the form that its field needs, and how is it shown in a message.
 *
 * Nearly all text is ASCII, so eight bytes are looked at at once until one is not. */
#include <stdio.h>
#include "wire_internal.h"

static const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);

/* The length of the UTF-8 sequence at `p`, 0 if there is none: RFC 3629, so no overlong forms, surrogates, or values
 * above U+10FFFF. */
static size_t sequence_length(const uint8_t *p, size_t left) {
    uint8_t lead = p[0], low = 0x80, high = 0xBF;
    size_t length;
    if (lead < 0x80)
        return 1;
    else if (lead >= 0xC2 && lead <= 0xDF)
        length = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        length = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        length = 4;
    else
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    if (lead == 0xED)
        high = 0x9F;
    if (lead == 0xF0)
        low = 0x90;
    if (lead == 0xF4)
        high = 0x8F;
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* How many bytes from the start are ASCII and not NUL, perhaps fewer. */
static size_t plain_bytes(const char *text, size_t length) {
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if ((word | ((word - ones) & ~word)) & highs)
            break;
    }
    return i;
}

const char *wire_text_problem(const char *text, size_t length) {
    for (size_t i = plain_bytes(text, length); i < length;) {
        if (text[i] == '\0')
            return "holds a NUL byte";
        size_t step = sequence_length((const uint8_t *)text + i, length - i);
        if (step == 0)
            return "is not UTF-8 text";
        i += step;
    }
    return NULL;
}

void wire_text_mend(char *text, size_t length) {
    for (size_t i = 0; i < length;) {
        size_t step = text[i] ? sequence_length((const uint8_t *)text + i, length - i) : 0;
        if (step == 0)
            text[i] = '?';
        i += step ? step : 1;
    }
}

size_t wire_text_cut(const char *text, size_t length, size_t most) {
    if (length <= most)
        return length;
    size_t cut = most;
    while (cut > 0 && most - cut < 3 && ((uint8_t)text[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

/* The end of a quotation: room for the longest piece, three dots, the quote and the NUL has to be left. */
const char *wire_quote(char out[WIRE_QUOTE_BYTES], const void *data, size_t length) {
    const uint8_t *p = data;
    size_t used = 0, i = 0;
    out[used++] = '"';
    while (i < length && used + 4 + 3 + 2 <= WIRE_QUOTE_BYTES) {
        size_t step = sequence_length(p + i, length - i);
        bool control = p[i] < 0x20 || p[i] == 0x7F || (p[i] == 0xC2 && step == 2 && p[i + 1] < 0xA0);
        if (step == 0 || control) {
            used += (size_t)snprintf(out + used, WIRE_QUOTE_BYTES - used, "\\x%02x", p[i]);
            step = 1;
        } else {
            if (p[i] == '"' || p[i] == '\\')
                out[used++] = '\\';
            memcpy(out + used, p + i, step);
            used += step;
        }
        i += step;
    }
    snprintf(out + used, WIRE_QUOTE_BYTES - used, "%s\"", i < length ? "..." : "");
    return out;
}

/* ---- forms ----------------------------------------------------------------------------------------------------- */

/* Names stand in tables and logs, a line each. */
static bool has_no_controls(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return true;
}

static bool is_label(const char *text, size_t length) {
    return length > 0 && text[0] != '=' && has_no_controls(text, length);
}

static bool is_variable(const char *text, size_t length) {
    return length > 0 && text[0] != '=' && memchr(text, '=', length);
}

static bool is_header(const char *text, size_t length) {
    return length > 0 && text[0] != ':' && memchr(text, ':', length) && !memchr(text, '\r', length) &&
           !memchr(text, '\n', length);
}

static bool is_method(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z') || text[i] == '-'))
            return false;
    return true;
}

static bool is_filled(const char *text, size_t length) {
    (void)text;
    return length > 0;
}

const wire_form wire_form_name = {has_no_controls, "holds a control character"};
const wire_form wire_form_label = {is_label,
                                   "is no label (\"key=value\" or \"key\", without control characters)"};
const wire_form wire_form_variable = {is_variable, "is no variable (\"KEY=value\")"};
const wire_form wire_form_header = {is_header, "is no header (\"Name: value\", without line breaks)"};
const wire_form wire_form_method = {is_method, "is no method (letters: GET, PUT)"};
const wire_form wire_form_filled = {is_filled, "is empty"};
