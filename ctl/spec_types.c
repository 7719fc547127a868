/* See spec_types.h. What the service checks as well (lengths, forms of names and headers) is left to it, except where it
 * could not say what was meant. */
#include "spec_types.h"
#include "contents.h"
#include "script_files.h"
#include "values.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static const char *loop_word(unsigned index) {
    return index + 1 < WIRE_LOOPS ? wire_loop_name((wire_loop)(index + 1)) : NULL;
}

static int loop_of(const char *name) {
    return (int)wire_loop_of(name);
}

static bool parse_loop(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    int loop;
    if (!option_parse_word(option, text, &loop, reading, loop_of, loop_word))
        return false;
    *(wire_loop *)field = (wire_loop)loop;
    return true;
}

/* ---- dependencies ---- */

/* "12", "12:fail" or "fail:12". */
static bool read_after(const char *text, wire_after *after, struct reading *reading) {
    const char *colon = strchr(text, ':');
    after->condition = WIRE_AFTER_OK;
    if (colon == NULL)
        return value_unsigned(text, INT64_MAX, &after->id) && after->id > 0;
    const char *left = scratch_copy(reading->memory, text, (size_t)(colon - text)), *right = colon + 1;
    bool id_first = value_unsigned(left, INT64_MAX, &after->id);
    after->condition = wire_condition_of(id_first ? right : left);
    return (id_first || value_unsigned(right, INT64_MAX, &after->id)) && after->id > 0 &&
           after->condition != 0;
}

typedef struct after_list {
    wire_after *items;
    size_t count;
} after_list;
_Static_assert(offsetof(wire_job, after_count) - offsetof(wire_job, after) == offsetof(after_list, count),
               "wire_job has the two fields side by side");

static bool parse_after(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    after_list *list = field;
    wire_after after;
    if (!read_after(text, &after, reading))
        return reading_fails(reading, "%s: \"%s\" is no dependency (try 12, 12:any, 12:fail)", option->name,
                             text);
    if (list->count >= WIRE_LIST_MAX)
        return reading_fails(reading, "%s: more than %d of them", option->name, WIRE_LIST_MAX);
    wire_after *items = scratch_alloc(reading->memory, (list->count + 1) * sizeof *items);
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof *items);
    items[list->count++] = after;
    list->items = items;
    return true;
}

/* ---- texts of a form ---- */

static bool parse_env(const struct option_row *option, const char *text, void *field,
                      struct reading *reading) {
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return reading_fails(reading, "%s: \"%s\" is no variable (try KEY=value)", option->name, text);
    return option_texts.parse(option, text, field, reading);
}

static bool parse_url(const struct option_row *option, const char *text, void *field,
                      struct reading *reading) {
    size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || text[scheme] == '\0' || strpbrk(text, " \t\r\n") != NULL)
        return reading_fails(reading, "%s: \"%s\" is not an address (try http://localhost:8080/)",
                             option->name, text);
    *(const char **)field = text;
    return true;
}

static bool parse_parallel(const struct option_row *option, const char *text, void *field,
                           struct reading *reading) {
    if (!option_count.parse(option, text, field, reading))
        return false;
    return *(uint32_t *)field > 0 ||
           reading_fails(reading, "%s: \"%s\" is too few: at least 1", option->name, text);
}

/* ---- contents of files ---- */

static bool parse_input(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    return contents_read(option, text, field, reading);
}

static bool parse_body(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    if (*text == '@')
        return contents_read(option, text + 1, field, reading);
    *(wire_bytes *)field = (wire_bytes){(const uint8_t *)text, strlen(text)};
    return true;
}

static bool parse_script(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    return script_read(option, text, field, reading);
}

static bool parse_code(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    return script_take(option, text, field, reading);
}

static bool parse_filled(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    return option_file.parse(option, text, field, reading);
}

static bool parse_texts(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    return option_texts.parse(option, text, field, reading);
}

static bool parse_number(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    return option_number.parse(option, text, field, reading);
}

const option_type type_loop = {"multi|single", false, parse_loop, loop_word};
const option_type type_after = {"ID[:ok|any|fail]", true, parse_after, NULL};
const option_type type_env = {"KEY=VALUE", true, parse_env, NULL};
const option_type type_label = {"KEY[=VALUE]", true, parse_texts, NULL};
const option_type type_header = {"NAME: VALUE", true, parse_texts, NULL};
const option_type type_input = {"FILE|-", false, parse_input, NULL};
const option_type type_body = {"TEXT|@FILE", false, parse_body, NULL};
const option_type type_script = {"FILE|-", false, parse_script, NULL};
const option_type type_code = {"CODE", false, parse_code, NULL};
const option_type type_url = {"URL", false, parse_url, NULL};
const option_type type_method = {"METHOD", false, parse_filled, NULL};
const option_type type_folder = {"FOLDER", false, parse_filled, NULL};
const option_type type_argument = {"ARGUMENT", true, parse_texts, NULL};
const option_type type_path = {"FILE", true, parse_texts, NULL};
const option_type type_parallel = {"NUMBER", false, parse_parallel, NULL};
const option_type type_units = {"UNITS", false, parse_number, NULL};
