/* slice.c, slot.c: scripts that never wait, with timers and where none are to be had. */
#include "script.h"
#include "slot.h"

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

static hd_task *start(program *self) {
    hd_spawn_options options = {.name = "script", .stack_bytes = SCRIPT_STACK_BYTES};
    return hd_spawn_with(&options, run, self);
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

/* Lua may lose a hook that a tick sets (slot.c). This one is taken away behind each first tick that sets one; if the script does not
 * end all the same, it is set again in the end, so that the test can fail. */
enum { LOST_TICKS = 400 };

static struct sigaction tick;
static volatile sig_atomic_t lost, lost_for_good;

static void lose_hook(int number) {
    slot *here = slot_here();
    bool was_set = here->wanted;
    tick.sa_handler(number);
    if (!was_set && here->wanted) {
        lua_sethook(here->hooked, NULL, 0, 0);
        lost = 1;
    } else if (lost && here->wanted && here->running && ++lost == LOST_TICKS) {
        lost_for_good = 1;
        lua_sethook(here->running, here->hook, LUA_MASKCOUNT, 1);
    }
}

static void a_hook_that_lua_loses_is_set_again(void **state) {
    (void)state;
    struct sigaction losing = {.sa_handler = lose_hook, .sa_flags = SA_RESTART | SA_ONSTACK};
    if (!slot_here()->has_timer)
        skip();
    sigfillset(&losing.sa_mask);
    assert_int_equal(sigaction(SIGRTMIN + 5, &losing, &tick), 0);
    each_ends(end_by_limit);
    assert_int_equal(sigaction(SIGRTMIN + 5, &tick, NULL), 0);
    assert_true(lost);
    assert_false(lost_for_good);
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
        cmocka_unit_test(a_hook_that_lua_loses_is_set_again),
        {"... without timers: reaches its limit", a_script_that_never_waits_reaches_its_limit, forbid_timers,
         allow_timers, NULL},
        {"... without timers: lets others run and is cancelled",
         a_script_that_never_waits_lets_others_run_and_is_cancelled, forbid_timers, allow_timers, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
