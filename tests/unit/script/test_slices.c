/* slice.c, slot.c: scripts that never wait, with timers and where none are to be had. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

static int drop(void *arg, bool is_stderr, const void *bytes, size_t length) {
    (void)arg, (void)is_stderr, (void)bytes, (void)length;
    return 0;
}

/* One that computes for ever, in ways that the hook has to follow. */
static const char *const endless[] = {
    "while true do end",
    "local function f() return f() end f()",
    "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()",
    "table.sort({3, 1, 2}, function() while true do end end)",
    "spawn(function() while true do end end) yield()",
};

typedef struct program {
    const char *code;
    uint64_t cpu_ns;
    script_report report;
} program;

static int64_t run(void *arg) {
    program *self = arg;
    script_options options = {.program = {"test.lua", self->code, strlen(self->code)},
                              .cpu_ns = self->cpu_ns,
                              .grace_ns = HD_MS(20),
                              .write = drop};
    return script_run(&options, &self->report);
}

static hd_task *start(program *program) {
    hd_spawn_options options = {.name = "script", .stack_bytes = SCRIPT_STACK_BYTES};
    return hd_spawn_with(&options, run, program);
}

static int64_t end_by_limit(void *code) {
    program limited = {.code = code, .cpu_ns = HD_MS(30)};
    int64_t result = hd_join(start(&limited));
    bool told = limited.report.error && strstr(limited.report.error, "cpu time");
    script_report_free(&limited.report);
    return result == SCRIPT_FAILED && told ? 0 : -1;
}

/* Two of them and a third script, which sleeps and ends in between, on one loop. */
static int64_t end_by_cancel(void *code) {
    program both[2] = {{.code = code}, {.code = code}},
            between = {.code = "for i = 1, 5 do sleep(0.001) end"};
    hd_task *tasks[2] = {start(&both[0]), start(&both[1])};
    int64_t slept = hd_join(start(&between)), result = slept;
    script_report_free(&between.report);
    for (int i = 0; i < 2; i++) {
        int code_of_cancel = hd_cancel(tasks[i]);
        int64_t ended = hd_join(tasks[i]);
        script_report_free(&both[i].report);
        result = result ? result : code_of_cancel ? code_of_cancel : ended == HD_ECANCELED ? 0 : -1;
    }
    return result;
}

static void each_ends(hd_fn how) {
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        int64_t result = hd_run(&(hd_runtime_options){.loops = 1}, how, (void *)endless[i]);
        if (result)
            fail_msg("%s: %ld", endless[i], (long)result);
    }
}

static void a_script_that_never_waits_reaches_its_limit(void **state) {
    (void)state;
    each_ends(end_by_limit);
}

static void a_script_that_never_waits_lets_others_run_and_is_cancelled(void **state) {
    (void)state;
    each_ends(end_by_cancel);
}

/* Timers count among the signals that may be pending. */
static struct rlimit pending;

static int forbid_timers(void **state) {
    (void)state;
    return getrlimit(RLIMIT_SIGPENDING, &pending) ||
           setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){.rlim_cur = 0, .rlim_max = pending.rlim_max});
}

static int allow_timers(void **state) {
    (void)state;
    return setrlimit(RLIMIT_SIGPENDING, &pending);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_that_never_waits_reaches_its_limit),
        cmocka_unit_test(a_script_that_never_waits_lets_others_run_and_is_cancelled),
        {"... without timers: reaches its limit", a_script_that_never_waits_reaches_its_limit, forbid_timers,
         allow_timers, NULL},
        {"... without timers: lets others run and is cancelled",
         a_script_that_never_waits_lets_others_run_and_is_cancelled, forbid_timers, allow_timers, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
