/* The types that options of every verb use. A problem reads `name: "value" is not ... (try ...)`. */
#include "options.h"
#include "values.h"
#include "wire.h"

#include <string.h>

static bool parse_flag(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    bool on = *text == '\0' || strcmp(text, "true") == 0;
    if (!on && strcmp(text, "false") != 0)
        return reading_fails(reading, "%s: \"%s\" is neither true nor false", option->name, text);
    *(bool *)field = on;
    return true;
}

static bool parse_text(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    (void)option, (void)reading;
    *(const char **)field = text;
    return true;
}

static bool parse_filled(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    if (*text == '\0')
        return reading_fails(reading, "%s: is empty", option->name);
    return parse_text(option, text, field, reading);
}

/* The list's room doubles at 4, 8, 16, ... members, so it need not be kept. */
static bool parse_texts(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    wire_strings *list = field;
    size_t count = list->count;
    if (count >= WIRE_LIST_MAX)
        return reading_fails(reading, "%s: more than %d of them", option->name, WIRE_LIST_MAX);
    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0)) {
        const char **items = scratch_alloc(reading->memory, (count == 0 ? 4 : count * 2) * sizeof *items);
        if (count > 0)
            memcpy(items, list->items, count * sizeof *items);
        list->items = items;
    }
    list->items[list->count++] = text;
    return true;
}

static bool parse_duration(const struct option_row *option, const char *text, void *field,
                           struct reading *reading) {
    if (!value_duration(text, field))
        return reading_fails(reading, "%s: \"%s\" is not a duration (try 3s, 250ms)", option->name, text);
    return true;
}

static bool parse_limit(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    if (!parse_duration(option, text, field, reading))
        return false;
    if (*(uint64_t *)field == 0)
        *(uint64_t *)field = 1;
    return true;
}

static bool parse_size(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    if (!value_size(text, field))
        return reading_fails(reading, "%s: \"%s\" is not a size (try 64KiB, 10MB)", option->name, text);
    return true;
}

static bool parse_number(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    if (!value_unsigned(text, INT64_MAX, field))
        return reading_fails(reading, "%s: \"%s\" is not a number (try 10)", option->name, text);
    return true;
}

static bool parse_count(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    uint64_t number;
    if (!value_unsigned(text, UINT32_MAX, &number))
        return reading_fails(reading, "%s: \"%s\" is not a number from 0 to %u", option->name, text,
                             UINT32_MAX);
    *(uint32_t *)field = (uint32_t)number;
    return true;
}

static bool parse_integer(const struct option_row *option, const char *text, void *field,
                          struct reading *reading) {
    int64_t number;
    if (!value_signed(text, INT32_MIN, INT32_MAX, &number))
        return reading_fails(reading, "%s: \"%s\" is not a whole number (try 10, -3)", option->name, text);
    *(int32_t *)field = (int32_t)number;
    return true;
}

const option_type option_flag = {NULL, false, parse_flag, NULL};
const option_type option_text = {"TEXT", false, parse_text, NULL};
const option_type option_name = {"NAME", false, parse_text, NULL};
const option_type option_url = {"URL", false, parse_text, NULL};
const option_type option_file = {"FILE", false, parse_filled, NULL};
const option_type option_texts = {"TEXT", true, parse_texts, NULL};
const option_type option_duration = {"DURATION", false, parse_duration, NULL};
const option_type option_limit = {"DURATION", false, parse_limit, NULL};
const option_type option_size = {"SIZE", false, parse_size, NULL};
const option_type option_number = {"NUMBER", false, parse_number, NULL};
const option_type option_count = {"NUMBER", false, parse_count, NULL};
const option_type option_integer = {"NUMBER", false, parse_integer, NULL};

bool option_parse_word(const struct option_row *option, const char *text, int *field, struct reading *reading,
                       int (*of)(const char *), const char *(*word)(unsigned)) {
    int value = of(text);
    if (value != 0) {
        *field = value;
        return true;
    }
    const char *list = "";
    for (unsigned i = 0; word(i) != NULL; i++)
        list = scratch_printf(reading->memory, "%s%s%s", list, i == 0 ? "" : ", ", word(i));
    return reading_fails(reading, "%s: \"%s\" is none of %s", option->name, text, list);
}
