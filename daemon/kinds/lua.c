/* lua: a script. What it is and how it runs is script/'s affair (script.h); here a job becomes its settings, and what it left
 * behind the job's report.
 *
 * The limits are those of the job, or the service's where the job says nothing. */
#include "kinds.h"

#include "script.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What people see of one, and the program's name if there is none before the lines. */
#define SHELL "shell"

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static void put_count(uint64_t count, char *text, size_t bytes) {
    snprintf(text, bytes, "%" PRIu64, count);
}

static const struct {
    const char *option, *key; /* heddlectl's and the configuration's names */
    void (*put)(uint64_t value, char *text, size_t bytes);
    size_t asked_at, limit_at;
} limits[] = {
    {"max-memory", "script_memory_max", text_put_size, offsetof(wire_job, u.lua.memory_bytes),
     offsetof(kind_settings, script_memory)},
    {"max-cpu", "script_cpu_max", text_put_duration, offsetof(wire_job, u.lua.cpu_ns),
     offsetof(kind_settings, script_cpu)},
    {"max-output", "script_output_max", text_put_size, offsetof(wire_job, u.lua.output_bytes),
     offsetof(kind_settings, script_output)},
    {"max-tasks", "script_tasks_max", put_count, offsetof(wire_job, u.lua.tasks),
     offsetof(kind_settings, script_tasks)},
};

enum { MEMORY, CPU, OUTPUT, TASKS, LIMITS };

static uint64_t asked_of(const wire_job *job, int which) {
    return *(const uint64_t *)((const char *)job + limits[which].asked_at);
}

static const kind_limit *limit_of(int which) {
    return (const kind_limit *)((const char *)kinds_settings() + limits[which].limit_at);
}

/* What holds: the most there may be is for those who say nothing, too. */
static uint64_t granted(const wire_job *job, int which) {
    const kind_limit *limit = limit_of(which);
    uint64_t wanted = asked_of(job, which) ? asked_of(job, which) : limit->standard;
    return limit->most && (wanted == 0 || wanted > limit->most) ? limit->most : wanted;
}

static bool check_limits(const wire_job *job, char *error, size_t error_bytes) {
    for (int i = 0; i < LIMITS; i++) {
        uint64_t asked = asked_of(job, i), most = limit_of(i)->most;
        char wanted[64], allowed[64];
        if (!most || asked <= most)
            continue;
        limits[i].put(asked, wanted, sizeof wanted);
        limits[i].put(most, allowed, sizeof allowed);
        return kinds_refuse(error, error_bytes, limits[i].option, NULL,
                            "%s is more than this service lets a script have (%s is %s)", wanted,
                            limits[i].key, allowed);
    }
    return true;
}

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static bool has_part(const char *path, const char *part) {
    size_t length = strlen(part);
    for (; *path; path += strspn(path, "/")) {
        size_t here = strcspn(path, "/");
        if (here == length && memcmp(path, part, length) == 0)
            return true;
        path += here;
    }
    return false;
}

static bool check_name(const char *field, const char *name, char *error, size_t error_bytes) {
    const char *problem = NULL;
    if (*name == '\0')
        problem = "is no name";
    else if (*name == '/')
        problem = "is absolute (a name below the script's folder is needed)";
    else if (has_part(name, ".."))
        problem = "leads out of the script's folder";
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            problem = "has a control character";
    return !problem || kinds_refuse(error, error_bytes, field, name, "%s", problem);
}

/* Compiled code can break the machine that runs it. It may stand behind a first line that Lua skips. */
static bool is_compiled(const wire_bytes *code) {
    if (code->length == 0)
        return false;
    const uint8_t *start = code->data, *end = start + code->length;
    if (*start == '#')
        start = memchr(start, '\n', code->length);
    if (start && start < end && *start == '\n')
        start++;
    return start && start < end && *start == 0x1b;
}

static bool check_file(const char *field, const char *name, const wire_bytes *code, char *error,
                       size_t error_bytes) {
    if (!check_name(field, name, error, error_bytes))
        return false;
    if (is_compiled(code))
        return kinds_refuse(error, error_bytes, field, name, "is compiled (send the source text)");
    if (code->length && memchr(code->data, 0, code->length))
        return kinds_refuse(error, error_bytes, field, name, "holds a NUL byte, which no source text has");
    return true;
}

static bool lua_check(const wire_job *job, char *error, size_t error_bytes) {
    if (!check_file("program", job->u.lua.program, &job->u.lua.code, error, error_bytes))
        return false;
    for (size_t i = 0; i < job->u.lua.file_count; i++) {
        const wire_script_file *file = &job->u.lua.files[i];
        if (!check_file("file", file->name, &file->code, error, error_bytes))
            return false;
    }
    if (job->u.lua.interactive && job->retries)
        return kinds_refuse(error, error_bytes, "retries", NULL,
                            "a shell cannot be tried again: its lines are gone");
    return check_limits(job, error, error_bytes) && kinds_no_output_file(job, error, error_bytes);
}

static void lua_summary(const wire_job *job, char *text, size_t bytes) {
    kinds_line line = kinds_line_in(text, bytes);
    if (job->u.lua.interactive)
        kinds_line_word(&line, SHELL);
    if (!job->u.lua.interactive || strcmp(job->u.lua.program, SHELL) != 0)
        kinds_line_word(&line, job->u.lua.program);
    for (size_t i = 0; i < job->u.lua.args.count && !line.cut; i++)
        kinds_line_word(&line, job->u.lua.args.items[i]);
}

/* ---- the attempt ------------------------------------------------------------------------------------------------- */

static int write_output(void *arg, bool is_stderr, const void *bytes, size_t length) {
    return run_write(arg, is_stderr, bytes, length);
}

static script_file file_of(const char *name, const wire_bytes *code) {
    return (script_file){
        .name = name, .code = code->length ? (const char *)code->data : "", .bytes = code->length};
}

/* The reports say the same in two vocabularies. */
static void tell(run *attempt, const script_report *report) {
    static const wire_finding kinds[SCRIPT_FINDING_KINDS] = {
        [SCRIPT_NOT_AWAITED] = WIRE_NOT_AWAITED, [SCRIPT_STILL_RAN] = WIRE_STILL_RAN};
    wire_script_finding findings[SCRIPT_FINDINGS_KEPT];
    wire_script_report told = {.error = report->error,
                               .traceback = report->traceback,
                               .findings = findings,
                               .finding_count = report->finding_count,
                               .more_findings = report->more_findings,
                               .tasks = report->tasks,
                               .memory_peak_bytes = report->memory_peak_bytes};
    for (size_t i = 0; i < report->finding_count; i++)
        findings[i] = (wire_script_finding){.kind = kinds[report->findings[i].kind],
                                            .task = report->findings[i].task,
                                            .text = report->findings[i].text};
    run_set_report(attempt, &told);
}

static int64_t run_script(run *attempt, const script_file *files) {
    const wire_job *job = run_job(attempt);
    script_options options = {.program = file_of(job->u.lua.program, &job->u.lua.code),
                              .lines = run_lines(attempt),
                              .files = files,
                              .file_count = job->u.lua.file_count,
                              .args = job->u.lua.args.items,
                              .arg_count = job->u.lua.args.count,
                              .job = run_id(attempt),
                              .cwd = run_cwd(attempt),
                              .env = run_env(attempt),
                              .memory_bytes = granted(job, MEMORY),
                              .cpu_ns = granted(job, CPU),
                              .output_bytes = granted(job, OUTPUT),
                              .tasks = granted(job, TASKS),
                              .grace_ns = run_grace_ns(attempt),
                              .write = write_output,
                              .arg = attempt};
    script_report report = {0};
    int64_t code = script_run(&options, &report);
    tell(attempt, &report);
    if (code == SCRIPT_FAILED && report.error)
        code = hd_fail(SCRIPT_FAILED, "%s", report.error);
    script_report_free(&report);
    return code;
}

static int64_t lua_run(run *attempt) {
    const wire_job *job = run_job(attempt);
    size_t count = job->u.lua.file_count;
    script_file *files = count ? malloc(count * sizeof *files) : NULL;
    if (count && !files)
        return hd_fail(HD_ENOMEM, "no memory for the script's files");
    for (size_t i = 0; i < count; i++)
        files[i] = file_of(job->u.lua.files[i].name, &job->u.lua.files[i].code);
    int64_t code = run_script(attempt, files);
    free(files);
    return code;
}

const kind kind_lua = {.kind = WIRE_LUA,
                       .check = lua_check,
                       .summary = lua_summary,
                       .run = lua_run,
                       .stack_bytes = SCRIPT_STACK_BYTES};
