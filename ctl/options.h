/* Options as data. One const table says for each option its name, type, place and help; from it come the parsing
 * (getopt_long), the text of --help, the shells' completions, and the keys of a batch's JSON lines.
 *
 *     struct top_values { wire_selector select; uint64_t every_ns; bool once; };
 *     static const struct option_row top_options[] = {
 *         {"every", 'n', &option_duration, offsetof(struct top_values, every_ns), "look again after so long"},
 *         {"once", 0, &option_flag, offsetof(struct top_values, once), "look once and end"},
 *         {0}};
 *     static const option_set top_sets[] = {
 *         {"Options", top_options, 0, OPTIONS_OF_VERB},
 *         {"Which jobs", select_options, offsetof(struct top_values, select), OPTIONS_OF_VERB},
 *         CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};
 *
 * A type is a parser and a placeholder. New types stand where they are needed (select.c, job.c). */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "scratch.h"

#include <stdbool.h>
#include <stddef.h>

struct option_row;

/* Where values are read to, and what was wrong with one. */
struct reading {
    struct scratch *memory; /* for lists and copies */
    bool stdin_taken;       /* it may not be read as a value */
    char problem[512];      /* `timeout: "3x" is not a duration (try 3s, 250ms)` */
};

/* Sets the problem; returns false, for `return reading_fails(...)`. */
bool reading_fails(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef struct option_type {
    /* "DURATION"; NULL: a flag, whose text is "" or, from JSON, "true" or "false". Where it says FILE, shells complete names. */
    const char *placeholder;
    bool repeated; /* may stand several times, and be an array in JSON */
    /* Reads `text`, which outlives the field. False with a problem that names option->name and the value. */
    bool (*parse)(const struct option_row *option, const char *text, void *field, struct reading *reading);
    const char *(*word)(unsigned index); /* for completion: the values, NULL behind the last; may be NULL */
} option_type;

struct option_row {
    const char *name; /* the long option, without dashes, and the JSON key */
    char letter;      /* the short one; 0: none */
    const option_type *type;
    size_t offset; /* of the field, in the struct that its set fills in */
    const char *help;
};

extern const option_type option_flag;     /* bool */
extern const option_type option_text;     /* const char * */
extern const option_type option_name;     /* the same, called NAME */
extern const option_type option_url;      /* the same, called URL */
extern const option_type option_file;     /* const char *, not empty */
extern const option_type option_texts;    /* wire_strings, in the scratch memory */
extern const option_type option_duration; /* uint64_t, nanoseconds */
extern const option_type option_limit;    /* the same; 0 becomes 1, since wire's 0 is that nothing was said */
extern const option_type option_size;     /* uint64_t, bytes */
extern const option_type option_number;   /* uint64_t */
extern const option_type option_count;    /* uint32_t */
extern const option_type option_integer;  /* int32_t */

/* For enumerations: a type's `parse` may end in this. `of` gives 0 for an unknown word; the field is an int-sized enum. */
bool option_parse_word(const struct option_row *option, const char *text, int *field, struct reading *reading,
                       int (*of)(const char *), const char *(*word)(unsigned));

typedef enum option_owner {
    OPTIONS_OF_VERB,  /* fills a struct in the verb's values */
    OPTIONS_OF_CLI,   /* fills the cli itself: url, format, ... */
    OPTIONS_COLLECTED /* appends to an option_list in the verb's values; who has it applies it later */
} option_owner;

typedef struct option_set {
    const char *title;                /* over its part of the help */
    const struct option_row *options; /* the last one has no name */
    size_t offset;                    /* of what it fills in, within the verb's values */
    option_owner owner;
} option_set;

typedef struct option_given {
    const struct option_row *option;
    const char *text;
    struct option_given *next;
} option_given;

/* Options in the order they were given. {0} is an empty one. */
typedef struct option_list {
    option_given *first, *last;
} option_list;

typedef struct option_target {
    const option_set *sets; /* the last one has no options */
    void *cli, *verb;       /* the structs to fill in */
    bool until_operand;     /* stop at the first operand: what follows is not ours to read */
} option_target;

/* Reads argv[1...]; argv[0] is a name. Puts the operands behind argv[*first] (the array is permuted). False with a
 * problem for an unknown option, a missing or wrong value. */
bool options_parse(const option_target *target, int argc, char **argv, int *first, struct reading *reading);

/* The option of that name in the sets, or NULL. */
const struct option_row *options_find(const option_set *sets, const char *name);

/* For an unknown name: `; did you mean "timeout"?` or "", in the scratch memory. */
const char *options_suggestion(const option_set *sets, const char *name, struct scratch *memory);

/* Appends to a list; the member lies in the scratch memory, the text stays where it is. */
void option_list_add(option_list *list, const struct option_row *option, const char *text,
                     struct scratch *memory);

#endif
