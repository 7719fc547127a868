/* Ids are read into ranges; a name of a kind or a state is asked from wire.h, so that there is one list of them. */
#include "select.h"
#include "values.h"

#include <string.h>

static const char *kind_word(unsigned index) {
    return index + 1 < WIRE_KINDS ? wire_kind_name((wire_kind)(index + 1)) : NULL;
}

static const char *state_word(unsigned index) {
    return index + 1 < WIRE_STATES ? wire_state_name((wire_state)(index + 1)) : NULL;
}

static int kind_of(const char *name) {
    return (int)wire_kind_of(name);
}

static int state_of(const char *name) {
    return (int)wire_state_of(name);
}

static bool parse_kind(const struct option_row *option, const char *text, void *field,
                       struct reading *reading) {
    int kind;
    if (!option_parse_word(option, text, &kind, reading, kind_of, kind_word))
        return false;
    *(wire_kind *)field = (wire_kind)kind;
    return true;
}

/* Adds to a set of bits: `--state queued,running` and `--state queued --state running` are the same. */
static bool parse_states(const struct option_row *option, const char *text, void *field,
                         struct reading *reading) {
    for (;;) {
        size_t length = strcspn(text, ",");
        int state;
        if (!option_parse_word(option, scratch_copy(reading->memory, text, length), &state, reading, state_of,
                               state_word))
            return false;
        *(uint32_t *)field |= UINT32_C(1) << state;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool parse_label(const struct option_row *option, const char *text, void *field,
                        struct reading *reading) {
    return option_text.parse(option, text, field, reading);
}

static const option_type type_label_of = {"KEY[=VALUE]", false, parse_label, NULL};
static const option_type type_kind = {"KIND", false, parse_kind, kind_word};
static const option_type type_states = {"STATE,...", true, parse_states, state_word};

const struct option_row select_options[] = {
    {"all", 'a', &option_flag, offsetof(wire_selector, all), "all jobs that you may see"},
    {"group", 0, &option_name, offsetof(wire_selector, group), "jobs of this group"},
    {"label", 0, &type_label_of, offsetof(wire_selector, label), "jobs with this label"},
    {"name", 0, &option_name, offsetof(wire_selector, name), "jobs of this name"},
    {"state", 0, &type_states, offsetof(wire_selector, states), "jobs in one of these states"},
    {"kind", 0, &type_kind, offsetof(wire_selector, kind), "jobs of this kind"},
    {0}};

static bool add_range(wire_selector *select, wire_range range, struct reading *reading) {
    size_t count = select->range_count;
    if (count >= WIRE_LIST_MAX)
        return reading_fails(reading, "more than %d ids and ranges", WIRE_LIST_MAX);
    if (count == 0 || (count >= 8 && (count & (count - 1)) == 0)) {
        wire_range *ranges = scratch_alloc(reading->memory, (count == 0 ? 8 : count * 2) * sizeof *ranges);
        if (count > 0)
            memcpy(ranges, select->ranges, count * sizeof *ranges);
        select->ranges = ranges;
    }
    select->ranges[select->range_count++] = range;
    return true;
}

/* "12" or "5-9". */
static bool read_range(char *text, wire_range *range) {
    char *dash = strchr(text, '-');
    if (dash != NULL)
        *dash = '\0';
    return value_unsigned(text, INT64_MAX, &range->first) &&
           value_unsigned(dash == NULL ? text : dash + 1, INT64_MAX, &range->last) && range->first > 0 &&
           range->first <= range->last;
}

static bool read_ranges(wire_selector *select, const char *text, struct reading *reading) {
    for (;;) {
        size_t length = strcspn(text, ",");
        wire_range range;
        if (!read_range(scratch_copy(reading->memory, text, length), &range))
            return reading_fails(reading, "\"%.*s\" is not a job's id (try 12, 5-9)", (int)length, text);
        if (!add_range(select, range, reading))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

bool select_ids(wire_selector *select, char *const *operands, int count, struct reading *reading) {
    for (int i = 0; i < count; i++) {
        if (!read_ranges(select, operands[i], reading))
            return false;
    }
    return true;
}

bool select_is_empty(const wire_selector *select) {
    return !select->all && select->range_count == 0 && select->group == NULL && select->label == NULL &&
           select->name == NULL && select->states == 0 && select->kind == 0;
}

bool select_one(uint64_t *id, char *const *operands, int count, struct reading *reading) {
    if (count != 1)
        return reading_fails(
            reading, count == 0 ? "which job? Its id is missing" : "one id, please: there are %d", count);
    if (!value_unsigned(operands[0], INT64_MAX, id) || *id == 0)
        return reading_fails(reading, "\"%s\" is not a job's id (try 12)", operands[0]);
    return true;
}
