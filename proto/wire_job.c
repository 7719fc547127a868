/* A job's fields, kind by kind. */
#include "wire_internal.h"

enum { EXPECT_FIRST = 100, EXPECT_LAST = 599 };

#define UNITS_MAX UINT64_C(3155760000000) /* of a millisecond: 100 years */

static const wire_field after_fields[] = {
    {"id", FIELD_U64, WIRE_AT(wire_after, id, After, id), .min = 1},
    {"condition", FIELD_WORD, WIRE_AT(wire_after, condition, After, condition), .min = 1,
     .zero = WIRE_AFTER_OK, .words = &wire_condition_words},
};

const wire_shape wire_after_shape = {
    .pb = &heddle__v1__after__descriptor,
    .bytes = sizeof(wire_after),
    WIRE_FIELDS(after_fields),
};

/* ---- kinds ----------------------------------------------------------------------------------------------------- */

static const wire_field sleep_fields[] = {
    {"duration", FIELD_DURATION, WIRE_AT(wire_job, u.sleep.duration_ns, Sleep, duration_ns),
     .max = WIRE_DURATION_MAX_NS},
};

static const wire_shape sleep_shape = {.pb = &heddle__v1__sleep__descriptor, WIRE_FIELDS(sleep_fields)};

static const wire_field exec_fields[] = {
    {"argv", FIELD_RAWS, WIRE_AT(wire_job, u.exec.argv, Exec, argv),
     WIRE_COUNT_AT(wire_job, u.exec.argv.count, Exec, n_argv), .min = 1, .max = WIRE_LIST_MAX,
     .item_max = WIRE_STRING_MAX},
    {"input", FIELD_DATA, WIRE_AT(wire_job, u.exec.input, Exec, input)},
};

static bool check_exec(wire_decoding *d, const wire_path *path, const void *plain) {
    const wire_job *job = plain;
    if (job->u.exec.argv.items[0][0] == '\0')
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, "argv", 1}, "is empty (a program is needed)");
    return true;
}

static const wire_shape exec_shape = {
    .pb = &heddle__v1__exec__descriptor, WIRE_FIELDS(exec_fields), .check = check_exec};

static const wire_field http_fields[] = {
    {"url", FIELD_TEXT, WIRE_AT(wire_job, u.http.url, Http, url), .min = 1, .max = WIRE_STRING_MAX},
    {"method", FIELD_TEXT, WIRE_AT(wire_job, u.http.method, Http, method), .max = WIRE_NAME_MAX,
     .form = &wire_form_method},
    {"header", FIELD_TEXTS, WIRE_AT(wire_job, u.http.headers, Http, headers),
     WIRE_COUNT_AT(wire_job, u.http.headers.count, Http, n_headers), .max = WIRE_LIST_MAX,
     .item_max = WIRE_STRING_MAX, .form = &wire_form_header},
    {"body", FIELD_DATA, WIRE_AT(wire_job, u.http.body, Http, body)},
    {"expect", FIELD_U32, WIRE_AT(wire_job, u.http.expect, Http, expect), .max = EXPECT_LAST},
    {"redirects", FIELD_U32, WIRE_AT(wire_job, u.http.redirects, Http, redirects), .max = WIRE_REDIRECTS_MAX},
    {"max_bytes", FIELD_U64, WIRE_AT(wire_job, u.http.max_bytes, Http, max_bytes)},
    {"proxy", FIELD_TEXT, WIRE_AT(wire_job, u.http.proxy, Http, proxy), .max = WIRE_STRING_MAX},
    {"ca_file", FIELD_RAW, WIRE_AT(wire_job, u.http.ca_file, Http, ca_file), .max = WIRE_STRING_MAX},
};

static bool check_http(wire_decoding *d, const wire_path *path, const void *plain) {
    uint32_t expect = ((const wire_job *)plain)->u.http.expect;
    if (expect > 0 && expect < EXPECT_FIRST)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, "expect", 0},
                           "%u is no HTTP status (%d to %d)", expect, EXPECT_FIRST, EXPECT_LAST);
    return true;
}

static const wire_shape http_shape = {
    .pb = &heddle__v1__http__descriptor, WIRE_FIELDS(http_fields), .check = check_http};

static const wire_field hash_fields[] = {
    {"path", FIELD_RAWS, WIRE_AT(wire_job, u.hash.paths, Hash, paths),
     WIRE_COUNT_AT(wire_job, u.hash.paths.count, Hash, n_paths), .min = 1, .max = WIRE_LIST_MAX,
     .item_max = WIRE_STRING_MAX, .form = &wire_form_filled},
    {"algorithm", FIELD_TEXT, WIRE_AT(wire_job, u.hash.algorithm, Hash, algorithm), .max = WIRE_NAME_MAX,
     .form = &wire_form_name},
};

static const wire_shape hash_shape = {.pb = &heddle__v1__hash__descriptor, WIRE_FIELDS(hash_fields)};

static const wire_field cpu_fields[] = {
    {"units", FIELD_U64, WIRE_AT(wire_job, u.cpu.units, Cpu, units), .max = UNITS_MAX},
};

static const wire_shape cpu_shape = {.pb = &heddle__v1__cpu__descriptor, WIRE_FIELDS(cpu_fields)};

static const wire_field script_file_fields[] = {
    {"name", FIELD_RAW, WIRE_AT(wire_script_file, name, ScriptFile, name), .min = 1, .max = WIRE_STRING_MAX},
    {"code", FIELD_DATA, WIRE_AT(wire_script_file, code, ScriptFile, code)},
};

static const wire_shape script_file_shape = {
    .pb = &heddle__v1__script_file__descriptor,
    .bytes = sizeof(wire_script_file),
    WIRE_FIELDS(script_file_fields),
};

static const wire_field lua_fields[] = {
    {"program", FIELD_RAW, WIRE_AT(wire_job, u.lua.program, Lua, program), .min = 1, .max = WIRE_STRING_MAX},
    {"code", FIELD_DATA, WIRE_AT(wire_job, u.lua.code, Lua, code)},
    {"arg", FIELD_RAWS, WIRE_AT(wire_job, u.lua.args, Lua, args),
     WIRE_COUNT_AT(wire_job, u.lua.args.count, Lua, n_args), .max = WIRE_LIST_MAX,
     .item_max = WIRE_STRING_MAX},
    {"file", FIELD_LIST, WIRE_AT(wire_job, u.lua.files, Lua, files),
     WIRE_COUNT_AT(wire_job, u.lua.file_count, Lua, n_files), .max = WIRE_SCRIPT_FILES_MAX,
     .shape = &script_file_shape},
    {"memory_bytes", FIELD_U64, WIRE_AT(wire_job, u.lua.memory_bytes, Lua, memory_bytes)},
    {"cpu", FIELD_DURATION, WIRE_AT(wire_job, u.lua.cpu_ns, Lua, cpu_ns), .max = WIRE_DURATION_MAX_NS},
    {"output_bytes", FIELD_U64, WIRE_AT(wire_job, u.lua.output_bytes, Lua, output_bytes)},
    {"tasks", FIELD_U64, WIRE_AT(wire_job, u.lua.tasks, Lua, tasks)},
    {"interactive", FIELD_FLAG, WIRE_AT(wire_job, u.lua.interactive, Lua, interactive)},
};

/* One limit for all of the code, so that a script fits a message however it is divided. */
static bool check_lua(wire_decoding *d, const wire_path *path, const void *plain) {
    const wire_job *job = plain;
    size_t bytes = job->u.lua.code.length;
    for (size_t i = 0; i < job->u.lua.file_count; i++)
        bytes += job->u.lua.files[i].code.length;
    if (bytes > WIRE_SCRIPT_MAX)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, "code", 0},
                           "the program and its files (%zu) have %zu bytes in all (at most %d)",
                           job->u.lua.file_count, bytes, WIRE_SCRIPT_MAX);
    return true;
}

static const wire_shape lua_shape = {
    .pb = &heddle__v1__lua__descriptor, WIRE_FIELDS(lua_fields), .check = check_lua};

static const struct wire_option kinds[WIRE_KINDS] = {
    [WIRE_SLEEP] = {&sleep_shape, 0}, [WIRE_EXEC] = {&exec_shape, 0}, [WIRE_HTTP] = {&http_shape, 0},
    [WIRE_HASH] = {&hash_shape, 0},   [WIRE_CPU] = {&cpu_shape, 0},   [WIRE_LUA] = {&lua_shape, 0},
};

enum { KIND_BASE = 20 };

_Static_assert(HEDDLE__V1__JOB__KIND_SLEEP == KIND_BASE + (int)WIRE_SLEEP, "");
_Static_assert(HEDDLE__V1__JOB__KIND_LUA == KIND_BASE + (int)WIRE_LUA, "");
_Static_assert(HEDDLE__V1__KIND__KIND_LUA == (int)WIRE_LUA, "");
_Static_assert(HEDDLE__V1__LOOP__LOOP_SINGLE == (int)WIRE_SINGLE, "");
_Static_assert(HEDDLE__V1__CONDITION__CONDITION_FAIL == (int)WIRE_AFTER_FAIL, "");

static const wire_oneof job_kind = {
    .name = "kind",
    .at = offsetof(wire_job, kind),
    .pb_case_at = offsetof(Heddle__V1__Job, kind_case),
    .pb_at = offsetof(Heddle__V1__Job, sleep),
    .base = KIND_BASE,
    .words = &wire_kind_words,
    .options = kinds,
};

/* ---- what all kinds have --------------------------------------------------------------------------------------- */

static const wire_field job_fields[] = {
    {"name", FIELD_TEXT, WIRE_AT(wire_job, name, Job, name), .max = WIRE_NAME_MAX, .form = &wire_form_name},
    {"loop", FIELD_WORD, WIRE_AT(wire_job, loop, Job, loop), .min = 1, .zero = WIRE_MULTI,
     .words = &wire_loop_words},
    {"timeout", FIELD_DURATION, WIRE_AT(wire_job, timeout_ns, Job, timeout_ns), .max = WIRE_DURATION_MAX_NS},
    {"delay", FIELD_DURATION, WIRE_AT(wire_job, delay_ns, Job, delay_ns), .max = WIRE_DURATION_MAX_NS},
    {"retries", FIELD_U32, WIRE_AT(wire_job, retries, Job, retries), .max = WIRE_RETRIES_MAX},
    {"backoff", FIELD_DURATION, WIRE_AT(wire_job, backoff_ns, Job, backoff_ns), .max = WIRE_DURATION_MAX_NS},
    {"priority", FIELD_I32, WIRE_AT(wire_job, priority, Job, priority)},
    {"group", FIELD_TEXT, WIRE_AT(wire_job, group, Job, group), .max = WIRE_NAME_MAX,
     .form = &wire_form_name},
    {"parallel", FIELD_U32, WIRE_AT(wire_job, parallel, Job, parallel)},
    {"after", FIELD_LIST, WIRE_AT(wire_job, after, Job, after),
     WIRE_COUNT_AT(wire_job, after_count, Job, n_after), .max = WIRE_LIST_MAX, .shape = &wire_after_shape},
    {"label", FIELD_TEXTS, WIRE_AT(wire_job, labels, Job, labels),
     WIRE_COUNT_AT(wire_job, labels.count, Job, n_labels), .max = WIRE_LIST_MAX, .item_max = WIRE_NAME_MAX,
     .form = &wire_form_label},
    {"env", FIELD_RAWS, WIRE_AT(wire_job, env, Job, env), WIRE_COUNT_AT(wire_job, env.count, Job, n_env),
     .max = WIRE_LIST_MAX, .item_max = WIRE_STRING_MAX, .form = &wire_form_variable},
    {"cwd", FIELD_RAW, WIRE_AT(wire_job, cwd, Job, cwd), .max = WIRE_STRING_MAX},
    {"cwd_explicit", FIELD_FLAG, WIRE_AT(wire_job, cwd_explicit, Job, cwd_explicit)},
    {"grace", FIELD_DURATION, WIRE_AT(wire_job, grace_ns, Job, grace_ns), .max = WIRE_DURATION_MAX_NS},
    {"output", FIELD_RAW, WIRE_AT(wire_job, output, Job, output), .max = WIRE_STRING_MAX},
};

const wire_shape wire_job_shape = {
    .pb = &heddle__v1__job__descriptor,
    .bytes = sizeof(wire_job),
    WIRE_FIELDS(job_fields),
    .oneof = &job_kind,
};
