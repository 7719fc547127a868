/* A job as people write it, on the command line or as a line of JSON. Both are a kind and a list of options (name and text),
 * and become a wire_job here, so that what holds for one holds for the other.
 *
 * What stands behind the kind (a command, a URL, ...) is an option, too, which the command line gives without its name. */
#ifndef CTL_SPEC_H
#define CTL_SPEC_H

#include "options.h"
#include "wire.h"

typedef struct spec_kind {
    wire_kind kind;
    struct option_row operand; /* its name is the JSON key */
    struct option_row rest;    /* what the operands behind the first one are; no name: the same */
    const struct option_row
        *instead;      /* the option that takes the first operand's place; NULL: there is none */
    const char *usage; /* "COMMAND [ARGUMENT...]" */
    const struct option_row *options; /* for this kind alone; the last one has no name */
    bool until_operand;               /* what follows the first operand belongs to it: options, too */
} spec_kind;

extern const spec_kind spec_kinds[]; /* the last one has kind 0 */
const spec_kind *spec_kind_of(const char *name);
const char *spec_kind_word(unsigned index);

/* For --help. */
#define SPEC_KINDS_HELP                                                                        \
    "Kinds of jobs:\n"                                                                         \
    "  sleep DURATION                      wait\n"                                             \
    "  exec [--] COMMAND [ARGUMENT...]     run a command\n"                                    \
    "  http URL                            make an HTTP request\n"                             \
    "  hash FILE...                        hash files\n"                                       \
    "  cpu UNITS                           compute; a unit takes about a millisecond\n"        \
    "  lua FILE [ARGUMENT...]              run a script; FILE.lua needs no `lua` before it,\n" \
    "                                      nor does - (stdin), nor -e CODE\n"

extern const struct option_row spec_options[];      /* for every kind */
extern const struct option_row spec_exec_options[]; /* for one kind alone */
extern const struct option_row spec_http_options[];
extern const struct option_row spec_hash_options[];
extern const struct option_row spec_lua_options[];

/* Rows for a verb's sets: all options of jobs, collected into the option_list at `offset` of its values. */
#define SPEC_OPTION_SETS(offset)                                                  \
    {"Options of jobs", spec_options, offset, OPTIONS_COLLECTED},                 \
        {"Options of exec jobs", spec_exec_options, offset, OPTIONS_COLLECTED},   \
        {"Options of http jobs", spec_http_options, offset, OPTIONS_COLLECTED},   \
        {"Options of hash jobs", spec_hash_options, offset, OPTIONS_COLLECTED}, { \
        "Options of lua jobs", spec_lua_options, offset, OPTIONS_COLLECTED        \
    }

/* Where jobs come from: what is the same for all of them. */
typedef struct spec_source {
    const char *directory; /* of the client: relative paths are relative to it, or to the job's own --cwd */
    const option_list
        *defaults;    /* for what a job does not say itself; those of other kinds are skipped; may be NULL */
    bool stdin_taken; /* the jobs themselves come from there */
} spec_source;

/* Fills in *job, in reading->memory and with pointers to the options' texts. False with a problem. */
bool spec_build(wire_job *job, const spec_kind *kind, const option_list *given, const spec_source *source,
                struct reading *reading);

/* A line of a batch: {"kind": "exec", "argv": ["true"], "timeout": "3s"}. Its texts are copied. False with a problem. */
bool spec_build_json(wire_job *job, const char *line, size_t length, const spec_source *source,
                     struct reading *reading);

/* Reads KIND and what follows: the options there, by the target's sets, and the operands, which go to `given`. What can only be a
 * script (FILE.lua, -, or what `given` has as -e) needs no KIND. False with a problem. */
bool spec_read_operands(const spec_kind **kind, int argc, char **argv, const option_target *target,
                        option_list *given, struct reading *reading);

#endif
