/* A line of a batch. Keys are the names of options; what they mean is the options' own affair (spec.c), so here a value only
 * becomes text: strings as they are, numbers and booleans as they are written, arrays member by member. */
#include "spec.h"
#include "spec_types.h"

#include <jansson.h>

#include <string.h>

static const option_set sets[] = {SPEC_OPTION_SETS(0), {0}};

static const char *type_name(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a text";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_NULL: return "null";
    default: return json_is_true(value) ? "true" : "false";
    }
}

/* The value as an option's text; NULL with a problem. */
static const char *scalar(const struct option_row *option, const json_t *value, struct reading *reading) {
    bool flag = option->type->placeholder == NULL;
    if (json_is_boolean(value) && flag)
        return json_is_true(value) ? "true" : "false";
    if (json_is_string(value) && !flag)
        return scratch_copy(reading->memory, json_string_value(value), json_string_length(value));
    if (json_is_integer(value) && !flag)
        return scratch_printf(reading->memory, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_real(value) && !flag)
        return scratch_printf(reading->memory, "%.15g", json_real_value(value));
    reading_fails(reading, "%s: is %s%s", option->name, type_name(value),
                  flag                     ? " (true or false is needed)"
                  : option->type->repeated ? " (a list of texts is needed)"
                                           : "");
    return NULL;
}

static bool add_scalar(const struct option_row *option, const json_t *value, option_list *list,
                       struct reading *reading) {
    const char *text = scalar(option, value, reading);
    if (text != NULL)
        option_list_add(list, option, text, reading->memory);
    return text != NULL;
}

/* Options that are pairs may be an object: {"env": {"KEY": "value"}}. What joins a pair as a text; NULL: it is none. */
static const char *pair_joint(const option_type *type) {
    return type == &type_env || type == &type_label ? "=" : type == &type_header ? ": " : NULL;
}

static bool add_pairs(const struct option_row *option, json_t *object, option_list *list,
                      struct reading *reading) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        const char *text = scalar(option, value, reading);
        if (text == NULL)
            return false;
        text = scratch_printf(reading->memory, "%s%s%s", key, pair_joint(option->type), text);
        option_list_add(list, option, text, reading->memory);
    }
    return true;
}

/* What stands behind the kind is a list exactly if it can be several; other options that can stand several times may also be a
 * single value. */
static bool add_value(const spec_kind *kind, const struct option_row *option, json_t *value,
                      option_list *list, struct reading *reading) {
    bool operand = option == &kind->operand;
    if (json_is_object(value) && pair_joint(option->type) != NULL)
        return add_pairs(option, value, list, reading);
    if (!option->type->repeated || (!json_is_array(value) && !operand))
        return add_scalar(option, value, list, reading);
    if (!json_is_array(value))
        return reading_fails(reading, "%s: is %s (a list of texts is needed)", option->name,
                             type_name(value));
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!add_scalar(option, json_array_get(value, i), list, reading))
            return false;
    }
    return true;
}

static bool unknown_key(const spec_kind *kind, const char *key, struct reading *reading) {
    const struct option_row operand[] = {kind->operand, kind->rest, {0}};
    const option_set all[] = {SPEC_OPTION_SETS(0), {"", operand, 0, OPTIONS_COLLECTED}, {0}};
    return reading_fails(reading, "there is no key \"%s\"%s", key,
                         options_suggestion(all, key, reading->memory));
}

static const struct option_row *find(const spec_kind *kind, const char *key) {
    if (strcmp(key, kind->operand.name) == 0)
        return &kind->operand;
    if (kind->rest.name != NULL && strcmp(key, kind->rest.name) == 0)
        return &kind->rest;
    return options_find(sets, key);
}

static bool read_object(const spec_kind *kind, json_t *object, option_list *list, struct reading *reading) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (strcmp(key, "kind") == 0)
            continue;
        const struct option_row *option = find(kind, key);
        if (option == NULL)
            return unknown_key(kind, key, reading);
        if (!add_value(kind, option, value, list, reading))
            return false;
    }
    return true;
}

static const spec_kind *read_kind(const json_t *object, struct reading *reading) {
    const json_t *name = json_object_get(object, "kind");
    const spec_kind *kind = json_is_string(name) ? spec_kind_of(json_string_value(name)) : NULL;
    const char *words = "";
    if (kind != NULL)
        return kind;
    for (unsigned i = 0; spec_kinds[i].kind != 0; i++)
        words = scratch_printf(reading->memory, "%s%s%s", words, i == 0 ? "" : ", ", spec_kind_word(i));
    if (name == NULL)
        reading_fails(reading, "kind: is missing (%s)", words);
    else if (!json_is_string(name))
        reading_fails(reading, "kind: is %s (one of %s is needed)", type_name(name), words);
    else
        reading_fails(reading, "kind: \"%s\" is none of %s", json_string_value(name), words);
    return NULL;
}

static bool build(wire_job *job, json_t *object, const spec_source *source, struct reading *reading) {
    option_list list = {0};
    if (!json_is_object(object))
        return reading_fails(reading,
                             "is %s (an object is needed: {\"kind\": \"sleep\", \"duration\": \"1s\"})",
                             type_name(object));
    const spec_kind *kind = read_kind(object, reading);
    return kind != NULL && read_object(kind, object, &list, reading) &&
           spec_build(job, kind, &list, source, reading);
}

bool spec_build_json(wire_job *job, const char *line, size_t length, const spec_source *source,
                     struct reading *reading) {
    json_error_t error;
    json_t *value = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        return reading_fails(reading, "is no JSON: %s (at byte %d)", error.text, error.position);
    bool fine = build(job, value, source, reading);
    json_decref(value);
    return fine;
}
