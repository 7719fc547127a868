/* Scripts, by script.h alone: what a task of theirs costs, and how many cores they use. */
#include "bench.h"
#include "script.h"

enum { SCRIPTS = 64, TURNS = 9 };

/* A script logs where it is: each line is a moment, taken as it comes. */
typedef struct run_of_script {
    script_options options;
    uint64_t moments[2];
    struct bench_memory memory[2];
    int count;
} run_of_script;

static int note(void *arg, bool is_stderr, const void *bytes, size_t length) {
    run_of_script *self = arg;
    (void)bytes, (void)length;
    if (!is_stderr || self->count == 2)
        bench_die("script", "it printed what it should not");
    self->moments[self->count] = bench_now();
    self->memory[self->count++] = bench_memory_now();
    return 0;
}

static int64_t strand(void *arg) {
    run_of_script *self = arg;
    script_report report;
    int code = script_run(&self->options, &report);
    if (code)
        bench_die("script", report.error ? report.error : hd_strerror(code));
    script_report_free(&report);
    return 0;
}

static hd_task *start(run_of_script *self, const char *code, const char *const *args, size_t arg_count) {
    *self = (run_of_script){.options = {.program = {.name = "bench.lua", .code = code, .bytes = strlen(code)},
                                        .args = args,
                                        .arg_count = arg_count,
                                        .memory_bytes = (size_t)1 << 30,
                                        .write = note,
                                        .arg = self}};
    hd_spawn_options options = {.name = "script", .stack_bytes = SCRIPT_STACK_BYTES};
    return must_have("hd_spawn_with", hd_spawn_with(&options, strand, self));
}

/* A worker that is late, on a machine that others use, is not what is asked for here. */
static void ignore(const hd_stuck_report *report, void *arg) {
    (void)report, (void)arg;
}

static void on_loops(unsigned loops, hd_fn root, void *arg) {
    must("hd_run", hd_run(&(hd_runtime_options){.loops = loops, .on_stuck = ignore}, root, arg));
}

static void run_one(run_of_script *self, const char *code, const char *count) {
    const char *args[] = {count};
    must("hd_join", hd_join(start(self, code, args, 1)));
}

/* ---- spawn and await ----------------------------------------------------------------------------------------------- */

static const char spawns[] = "local function nothing() end\n"
                             "local count = tonumber(args[1])\n"
                             "log('begin')\n"
                             "for _ = 1, count do await(spawn(nothing)) end\n"
                             "log('end')\n";

static int64_t spawn_await(void *arg) {
    const struct bench_case *which = arg;
    run_of_script run;
    char count[32];
    snprintf(count, sizeof count, "%zu", which->count / 40);
    run_one(&run, spawns, count);
    snprintf(count, sizeof count, "%zu", which->count);
    run_one(&run, spawns, count);
    bench_tell(which->name, (double)(run.moments[1] - run.moments[0]) / (double)which->count / 1e3, "us");
    return 0;
}

/* ---- many tasks ---------------------------------------------------------------------------------------------------- */

static const char sleeps[] = "local tasks = {}\n"
                             "log('begin')\n"
                             "for i = 1, tonumber(args[1]) do tasks[i] = spawn(sleep, 1) end\n"
                             "yield()\n"
                             "log('all sleep')\n"
                             "gather(tasks)\n";

static int64_t many_tasks(void *arg) {
    const struct bench_case *which = arg;
    run_of_script run;
    char count[32];
    snprintf(count, sizeof count, "%zu", which->count);
    uint64_t began = bench_now();
    run_one(&run, sleeps, count);
    bench_tell_part(which->name, "wall", (double)(bench_now() - began) / 1e9, "s");
    bench_tell_part(which->name, "memory", (run.memory[1].rss - run.memory[0].rss) / (double)which->count,
                    "B");
    return 0;
}

/* ---- computing ----------------------------------------------------------------------------------------------------- */

/* In memory that the core's own cache holds: what is to be seen is the cores, and not the system's way to find pages. */
static const char computes[] = "for _ = 1, 100 do\n"
                               "    local limit, found = 1 << 13, 0\n"
                               "    local composite = {}\n"
                               "    for n = 1, limit do composite[n] = false end\n"
                               "    for n = 2, limit - 1 do\n"
                               "        if not composite[n] then\n"
                               "            found = found + 1\n"
                               "            for m = n * n, limit - 1, n do composite[m] = true end\n"
                               "        end\n"
                               "    end\n"
                               "    assert(found == 1028)\n"
                               "end\n";

static int64_t compute_all(void *arg) {
    double *seconds = arg;
    static run_of_script runs[SCRIPTS];
    hd_task *tasks[SCRIPTS];
    uint64_t began = hd_now();
    for (int i = 0; i < SCRIPTS; i++)
        tasks[i] = start(&runs[i], computes, NULL, 0);
    for (int i = 0; i < SCRIPTS; i++)
        must("hd_join", hd_join(tasks[i]));
    double took = (double)(hd_now() - began) / 1e9;
    if (*seconds == 0 || took < *seconds)
        *seconds = took;
    return 0;
}

/* ---- the cases ----------------------------------------------------------------------------------------------------- */

static void on_one_loop(const struct bench_case *which, hd_fn root) {
    struct bench_case copy = *which;
    on_loops(1, root, &copy);
}

static void spawning(const struct bench_case *which) {
    on_one_loop(which, spawn_await);
}

static void sleeping(const struct bench_case *which) {
    on_one_loop(which, many_tasks);
}

static void computing(const struct bench_case *which) {
    double one = 0, more = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        on_loops(1, compute_all, &one);
        on_loops(which->loops, compute_all, &more);
    }
    bench_tell(which->name, one / more, "x");
    bench_tell_part(which->name, "one", one, "s");
}

static const struct bench_case cases[] = {
    {"spawn_await", spawning, 1, 400000},
    {"many_tasks", sleeping, 1, 100000},
    {"computing", computing, 2, 0},
};

BENCH_MAIN(cases)
