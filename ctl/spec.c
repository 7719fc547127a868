/* The tables of kinds and options, and how a list of options becomes a job.
 *
 * Paths: what the client names is relative to where the client is, or to the job's --cwd. A command gets that folder as its
 * own and the rest as it was typed; an output or CA file is made absolute here. */
#include "spec.h"
#include "spec_types.h"

#include <string.h>

#define JOB(member) offsetof(wire_job, member)

const struct option_row spec_options[] = {
    {"name", 0, &option_name, JOB(name), "what to call it"},
    {"loop", 0, &type_loop, JOB(loop),
     "on all loops with work stealing (default), or on the one that is alone"},
    {"timeout", 0, &option_duration, JOB(timeout_ns), "how long an attempt may take"},
    {"delay", 0, &option_duration, JOB(delay_ns), "how long to wait before it starts"},
    {"retries", 0, &option_count, JOB(retries), "how often to try again after a failure or timeout"},
    {"backoff", 0, &option_duration, JOB(backoff_ns),
     "before the first retry (default 1s); doubles with each"},
    {"priority", 0, &option_integer, JOB(priority), "higher goes first (default 0)"},
    {"group", 0, &option_name, JOB(group), "the group it belongs to"},
    {"parallel", 0, &type_parallel, JOB(parallel), "how many jobs of its group may run at once"},
    {"after", 0, &type_after, JOB(after),
     "start only after job ID succeeded (ok), ended (any) or failed (fail)"},
    {"label", 0, &type_label, JOB(labels), "a label to select it by"},
    {"env", 0, &type_env, JOB(env), "a variable for its environment"},
    {"cwd", 0, &type_folder, JOB(cwd), "the folder it runs in (default: where you are)"},
    {"grace", 0, &option_limit, JOB(grace_ns),
     "between SIGTERM and SIGKILL when it is to end; for a script, to clean up"},
    {"output", 0, &option_file, JOB(output), "a file for its output, instead of the record"},
    {0}};

const struct option_row spec_exec_options[] = {
    {"stdin", 0, &type_input, JOB(u.exec.input), "what it reads on its stdin (default: nothing)"}, {0}};

const struct option_row spec_http_options[] = {
    {"method", 0, &type_method, JOB(u.http.method), "default GET, with a body POST"},
    {"header", 0, &type_header, JOB(u.http.headers), "a header to send"},
    {"body", 0, &type_body, JOB(u.http.body), "what to send"},
    {"expect", 0, &option_count, JOB(u.http.expect), "the status that is success (default: any below 400)"},
    {"redirects", 0, &option_count, JOB(u.http.redirects), "how many to follow (default 0)"},
    {"max-bytes", 0, &option_size, JOB(u.http.max_bytes), "the largest answer that is taken"},
    {"proxy", 0, &option_url, JOB(u.http.proxy), "the proxy to ask"},
    {"ca", 0, &option_file, JOB(u.http.ca_file), "a file with the authorities to trust"},
    {0}};

const struct option_row spec_hash_options[] = {
    {"algorithm", 0, &option_name, JOB(u.hash.algorithm), "default sha256"}, {0}};

const struct option_row spec_lua_options[] = {
    {"code", 'e', &type_code, 0, "the script itself, instead of FILE"},
    {"max-memory", 0, &option_size, JOB(u.lua.memory_bytes),
     "the most memory it may have (default: the service's)"},
    {"max-cpu", 0, &option_limit, JOB(u.lua.cpu_ns), "how long it may run on a core"},
    {"max-output", 0, &option_size, JOB(u.lua.output_bytes), "how much it may print"},
    {"max-tasks", 0, &option_number, JOB(u.lua.tasks), "how many tasks it may have at once"},
    {0}};

static const struct option_row no_options[] = {{0}};

#define OPERAND(key, type, member) \
    { key, 0, &type, JOB(member), NULL }
#define SAME \
    { 0 }

const spec_kind spec_kinds[] = {
    {WIRE_SLEEP, OPERAND("duration", option_duration, u.sleep.duration_ns), SAME, NULL, "DURATION",
     no_options, false},
    {WIRE_EXEC, OPERAND("argv", type_argument, u.exec.argv), SAME, NULL, "COMMAND [ARGUMENT...]",
     spec_exec_options, true},
    {WIRE_HTTP, OPERAND("url", type_url, u.http.url), SAME, NULL, "URL", spec_http_options, false},
    {WIRE_HASH, OPERAND("paths", type_path, u.hash.paths), SAME, NULL, "FILE...", spec_hash_options, false},
    {WIRE_CPU, OPERAND("units", type_units, u.cpu.units), SAME, NULL, "UNITS", no_options, false},
    {WIRE_LUA,
     {"file", 0, &type_script, 0, NULL},
     OPERAND("args", type_argument, u.lua.args),
     spec_lua_options,
     "FILE [ARGUMENT...]",
     spec_lua_options,
     true},
    {0},
};

const char *spec_kind_word(unsigned index) {
    return wire_kind_name(spec_kinds[index].kind);
}

const spec_kind *spec_kind_of(const char *name) {
    wire_kind kind = wire_kind_of(name);
    for (const spec_kind *k = spec_kinds; k->kind != 0; k++) {
        if (k->kind == kind)
            return k;
    }
    return NULL;
}

/* ---- building ---- */

static bool belongs(const spec_kind *kind, const struct option_row *option) {
    if (option == &kind->operand || option == &kind->rest)
        return true;
    for (const struct option_row *o = spec_options; o->name != NULL; o++) {
        if (o == option)
            return true;
    }
    for (const struct option_row *o = kind->options; o->name != NULL; o++) {
        if (o == option)
            return true;
    }
    return false;
}

static bool apply(wire_job *job, const option_list *list, struct reading *reading) {
    for (const option_given *given = list->first; given != NULL; given = given->next) {
        const struct option_row *option = given->option;
        if (!option->type->parse(option, given->text, (unsigned char *)job + option->offset, reading))
            return false;
    }
    return true;
}

/* Those of the defaults that mean something to this kind. */
static bool apply_defaults(wire_job *job, const spec_kind *kind, const option_list *defaults,
                           struct reading *reading) {
    if (defaults == NULL)
        return true;
    for (const option_given *given = defaults->first; given != NULL; given = given->next) {
        const struct option_row *option = given->option;
        if (belongs(kind, option) &&
            !option->type->parse(option, given->text, (unsigned char *)job + option->offset, reading))
            return false;
    }
    return true;
}

static bool has(const option_list *list, const struct option_row *option) {
    for (const option_given *g = list == NULL ? NULL : list->first; g != NULL; g = g->next) {
        if (g->option == option)
            return true;
    }
    return false;
}

static bool check_belonging(const spec_kind *kind, const option_list *given, const option_list *defaults,
                            struct reading *reading) {
    size_t operands = 0;
    bool instead = kind->instead != NULL && has(given, kind->instead);
    for (const option_given *g = given->first; g != NULL; g = g->next) {
        if (!belongs(kind, g->option))
            return reading_fails(reading, "%s: is not for %s jobs", g->option->name,
                                 wire_kind_name(kind->kind));
        operands += g->option == &kind->operand;
    }
    if (operands > 0 && instead)
        return reading_fails(reading, "%s: takes %s or %s, not both", wire_kind_name(kind->kind),
                             kind->operand.name, kind->instead->name);
    if (operands == 0 && !instead && (kind->instead == NULL || !has(defaults, kind->instead)))
        return reading_fails(reading, "%s: %s missing (%s)", wire_kind_name(kind->kind), kind->operand.name,
                             kind->usage);
    if (operands > 1 && !kind->operand.type->repeated)
        return reading_fails(reading, "%s: takes one %s, not %zu", wire_kind_name(kind->kind), kind->usage,
                             operands);
    return true;
}

static const char *absolute(const char *path, const char *directory, struct scratch *memory) {
    if (path == NULL || *path == '\0' || *path == '/')
        return path;
    return scratch_printf(memory, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, path);
}

static bool any_relative(const wire_strings *paths) {
    for (size_t i = 0; i < paths->count; i++) {
        if (*paths->items[i] != '/')
            return true;
    }
    return false;
}

static void set_paths(wire_job *job, const spec_source *source, struct scratch *memory) {
    job->cwd_explicit = job->cwd != NULL;
    const char *directory =
        job->cwd_explicit ? absolute(job->cwd, source->directory, memory) : source->directory;
    job->output = absolute(job->output, directory, memory);
    if (job->kind == WIRE_HTTP)
        job->u.http.ca_file = absolute(job->u.http.ca_file, directory, memory);
    bool relative_files = job->kind == WIRE_HASH && any_relative(&job->u.hash.paths);
    job->cwd_explicit |= relative_files;
    bool has_folder = job->kind == WIRE_EXEC || job->kind == WIRE_LUA;
    job->cwd = job->cwd_explicit || has_folder ? directory : NULL;
}

bool spec_build(wire_job *job, const spec_kind *kind, const option_list *given, const spec_source *source,
                struct reading *reading) {
    *job = (wire_job){.kind = kind->kind, .loop = WIRE_MULTI};
    reading->stdin_taken = source->stdin_taken;
    if (!check_belonging(kind, given, source->defaults, reading) ||
        !apply_defaults(job, kind, source->defaults, reading) || !apply(job, given, reading))
        return false;
    if (job->parallel > 0 && (job->group == NULL || *job->group == '\0'))
        return reading_fails(reading,
                             "parallel: limits a group, and no group is named (try --group nightly)");
    set_paths(job, source, reading->memory);
    return true;
}

static bool read_kind(const spec_kind **kind, int argc, char **argv, struct reading *reading) {
    const char *words = "";
    for (unsigned i = 0; spec_kinds[i].kind != 0; i++)
        words = scratch_printf(reading->memory, "%s%s%s", words, i == 0 ? "" : ", ", spec_kind_word(i));
    if (argc == 0)
        return reading_fails(reading, "the kind of job is missing (%s)", words);
    *kind = spec_kind_of(argv[0]);
    return *kind != NULL || reading_fails(reading, "kind: \"%s\" is none of %s", argv[0], words);
}

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* The kind of what needs none before it: a script. NULL: it needs one. */
static const spec_kind *implied_kind(int argc, char **argv, const option_list *given) {
    const spec_kind *script = spec_kind_of(wire_kind_name(WIRE_LUA));
    if (argc > 0 && spec_kind_of(argv[0]) != NULL)
        return NULL;
    bool is_script = has(given, script->instead) ||
                     (argc > 0 && (strcmp(argv[0], "-") == 0 || ends_with(argv[0], ".lua")));
    return is_script ? script : NULL;
}

static void add_operands(const spec_kind *kind, int argc, char **argv, option_list *given,
                         struct scratch *memory) {
    bool first = kind->instead == NULL || !has(given, kind->instead);
    for (int i = 0; i < argc; i++, first = false)
        option_list_add(given, first || kind->rest.name == NULL ? &kind->operand : &kind->rest, argv[i],
                        memory);
}

bool spec_read_operands(const spec_kind **kind, int argc, char **argv, const option_target *target,
                        option_list *given, struct reading *reading) {
    *kind = implied_kind(argc, argv, given);
    if (*kind != NULL) {
        add_operands(*kind, argc, argv, given, reading->memory);
        return true;
    }
    if (!read_kind(kind, argc, argv, reading))
        return false;
    option_target behind = *target;
    behind.until_operand = (*kind)->until_operand;
    int first;
    if (!options_parse(&behind, argc, argv, &first, reading))
        return false;
    add_operands(*kind, argc - first, argv + first, given, reading->memory);
    return true;
}
