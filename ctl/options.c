/* From the tables of options to getopt_long and back. getopt_long does the splitting (abbreviations, `--name=value`,
 * `-abc`); which option it met comes back as the number of its row in a flat copy of the sets, so that nothing depends on
 * letters. Its own messages are off: ours name the value and the way out. */
#include "options.h"
#include "values.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool reading_fails(struct reading *reading, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reading->problem, sizeof reading->problem, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- sets ---- */

typedef struct flat_row {
    const struct option_row *option;
    const option_set *set;
} flat_row;

enum { LONG_BASE = 256 /* a row's number plus this is what getopt_long returns for it */ };

struct flat {
    flat_row *rows;
    size_t count;
    struct option *longs;
    char *shorts;
};

static size_t count_options(const option_set *sets) {
    size_t count = 0;
    for (; sets->options != NULL; sets++) {
        for (const struct option_row *o = sets->options; o->name != NULL; o++)
            count++;
    }
    return count;
}

static void flatten(const option_target *target, struct scratch *memory, struct flat *flat) {
    size_t count = count_options(target->sets);
    flat->count = 0;
    flat->rows = scratch_alloc(memory, (count + 1) * sizeof *flat->rows);
    flat->longs = scratch_alloc(memory, (count + 1) * sizeof *flat->longs);
    flat->shorts = scratch_alloc(memory, 3 + 2 * count);
    char *letter = flat->shorts;
    if (target->until_operand)
        *letter++ = '+';
    *letter++ = ':'; /* a missing value is told apart */
    for (const option_set *set = target->sets; set->options != NULL; set++) {
        for (const struct option_row *o = set->options; o->name != NULL; o++) {
            size_t row = flat->count++;
            flat->rows[row] = (flat_row){o, set};
            flat->longs[row] =
                (struct option){o->name, o->type->placeholder != NULL, NULL, LONG_BASE + (int)row};
            if (o->letter != 0)
                *letter++ = o->letter;
            if (o->letter != 0 && o->type->placeholder != NULL)
                *letter++ = ':';
        }
    }
}

static const flat_row *row_of(const struct flat *flat, int found) {
    if (found >= LONG_BASE)
        return &flat->rows[found - LONG_BASE];
    for (size_t i = 0; i < flat->count; i++) {
        if (flat->rows[i].option->letter == found)
            return &flat->rows[i];
    }
    return NULL;
}

const struct option_row *options_find(const option_set *sets, const char *name) {
    for (; sets->options != NULL; sets++) {
        for (const struct option_row *o = sets->options; o->name != NULL; o++) {
            if (strcmp(o->name, name) == 0)
                return o;
        }
    }
    return NULL;
}

const char *options_suggestion(const option_set *sets, const char *name, struct scratch *memory) {
    const char **names = scratch_alloc(memory, (count_options(sets) + 1) * sizeof *names);
    size_t count = 0;
    for (; sets->options != NULL; sets++) {
        for (const struct option_row *o = sets->options; o->name != NULL; o++)
            names[count++] = o->name;
    }
    const char *nearest = value_nearest(name, names);
    return nearest == NULL ? "" : scratch_printf(memory, "; did you mean \"%s\"?", nearest);
}

/* ---- parsing ---- */

static bool take(const option_target *target, const flat_row *row, const char *text,
                 struct reading *reading) {
    unsigned char *base = row->set->owner == OPTIONS_OF_CLI ? target->cli : target->verb;
    if (row->set->owner == OPTIONS_COLLECTED) {
        option_list_add((option_list *)(void *)(base + row->set->offset), row->option, text, reading->memory);
        return true;
    }
    size_t offset = row->set->owner == OPTIONS_OF_CLI ? 0 : row->set->offset;
    return row->option->type->parse(row->option, text, base + offset + row->option->offset, reading);
}

/* `word` as it stood on the command line: an unknown long option, or an abbreviation of several. */
static bool unknown_long(const option_target *target, const char *word, struct reading *reading) {
    const char *name = word + strspn(word, "-");
    size_t length = strcspn(name, "=");
    name = scratch_copy(reading->memory, name, length);
    size_t alike = 0;
    for (const option_set *set = target->sets; set->options != NULL; set++) {
        for (const struct option_row *o = set->options; o->name != NULL; o++)
            alike += length > 0 && strncmp(o->name, name, length) == 0;
    }
    if (alike > 1)
        return reading_fails(reading, "\"--%s\" could be several options: write it out", name);
    return reading_fails(reading, "there is no option \"--%s\"%s", name,
                         options_suggestion(target->sets, name, reading->memory));
}

static bool getopt_failed(const option_target *target, const struct flat *flat, int found, const char *word,
                          struct reading *reading) {
    const flat_row *row = optopt == 0 ? NULL : row_of(flat, optopt);
    if (found == ':')
        return reading_fails(reading, "%s: a value is missing (%s)", row->option->name,
                             row->option->type->placeholder);
    if (row != NULL)
        return reading_fails(reading, "%s: takes no value", row->option->name);
    if (optopt != 0)
        return reading_fails(reading, "there is no option \"-%c\"", optopt);
    return unknown_long(target, word, reading);
}

bool options_parse(const option_target *target, int argc, char **argv, int *first, struct reading *reading) {
    struct flat flat;
    flatten(target, reading->memory, &flat);
    opterr = 0;
    optind = 0; /* glibc: start anew, also with the order of the arguments */
    int found;
    while ((found = getopt_long(argc, argv, flat.shorts, flat.longs, NULL)) != -1) {
        if (found == '?' || found == ':')
            return getopt_failed(target, &flat, found, argv[optind - 1], reading);
        if (!take(target, row_of(&flat, found), optarg == NULL ? "" : optarg, reading))
            return false;
    }
    *first = optind;
    return true;
}

void option_list_add(option_list *list, const struct option_row *option, const char *text,
                     struct scratch *memory) {
    option_given *given = scratch_alloc(memory, sizeof *given);
    *given = (option_given){option, text, NULL};
    if (list->last == NULL)
        list->first = given;
    else
        list->last->next = given;
    list->last = given;
}
