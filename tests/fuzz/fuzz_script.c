/* Any bytes as a script: it ends, whatever it is, and its report can be shown.
 *
 * The first byte holds the settings below; what follows is the script's text, or what a program is made of (script_grammar.h). What
 * reaches beyond the process is there only where `./dev fuzz` has shut the process in (FUZZ_CONFINED): else names such as
 * fs and exec mean nothing. With FUZZ_SHOW the program is printed before it runs. */
#include "script.h"
#include "script_grammar.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    AS_TEXT = 1,
    TWO_LOOPS = 2,
    LITTLE_MEMORY = 4,
    FEW_TASKS = 8,
    REAL_CLOCK = 16,
    CANCELLED_EARLY = 32,

    OUTPUT_BYTES = 65536,
    TEXT_BYTES = 65536,
};

static const char cwd[] = "/tmp/fuzz-script";

/* `block` sleeps for as long as it is told, on purpose. */
static const char for_all[] = "block = nil ";
static const char for_the_unconfined[] =
    "exec = false fs = false io = false http = false sql = false tcp = false serve = false os.execute = false ";

static hd_runtime *runtimes[2];
static bool confined, shows;

typedef struct trial {
    script_options options;
    script_report report;
    uint64_t limit_ns;
    size_t written;
    int64_t result;
} trial;

static sem_t ended;

static void stuck(const hd_stuck_report *report, void *arg) {
    (void)report, (void)arg;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    confined = getenv("FUZZ_CONFINED") != NULL;
    shows = getenv("FUZZ_SHOW") != NULL;
    mkdir(cwd, 0755);
    sem_init(&ended, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        hd_runtime_options options = {.name = "fuzz", .loops = i + 1, .on_stuck = stuck};
        runtimes[i] = hd_runtime_create(&options);
        if (!runtimes[i])
            abort();
    }
    return 0;
}

static int count_output(void *arg, bool is_stderr, const void *bytes, size_t length) {
    trial *self = arg;
    (void)is_stderr;
    self->written += length;
    for (size_t i = 0; i < length; i++)
        (void)((const volatile char *)bytes)[i];
    return 0;
}

static int64_t run(void *arg) {
    trial *self = arg;
    self->result = script_run(&self->options, &self->report);
    return 0;
}

static int64_t attempt(void *arg) {
    trial *self = arg;
    hd_spawn_options options = {.name = "script", .stack_bytes = SCRIPT_STACK_BYTES};
    hd_task *task = hd_spawn_with(&options, run, self);
    if (!task)
        abort();
    (void)!hd_await_until(task, hd_after(self->limit_ns));
    hd_release(task);
    sem_post(&ended);
    return 0;
}

/* ---- what must hold afterwards ------------------------------------------------------------------------------------- */

static void expect(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "fuzz_script: %s\n", what);
    abort();
}

static void expect_text(const char *text, size_t most) {
    expect(text && strlen(text) <= most, "a text is missing, or too long");
    for (; *text; text++)
        expect((unsigned char)*text >= ' ' || *text == '\n' || *text == '\t',
               "a text holds a control character");
}

static bool no_task(const script_task_info *info, void *arg) {
    (void)info, (void)arg;
    expect(false, "a task is there after its script");
    return false;
}

static void check(const trial *self) {
    const script_report *report = &self->report;
    expect(self->result == 0 || self->result == HD_ECANCELED || self->result == SCRIPT_FAILED,
           "another code");
    expect(self->result != SCRIPT_FAILED || report->error, "a failure without an error");
    if (report->error)
        expect_text(report->error, 1100);
    if (report->traceback)
        expect_text(report->traceback, 4200);
    expect(report->finding_count <= SCRIPT_FINDINGS_KEPT, "more findings than are kept");
    for (size_t i = 0; i < report->finding_count; i++) {
        const script_finding *found = &report->findings[i];
        expect(found->task && found->kind < SCRIPT_FINDING_KINDS, "a finding of no task, or of no kind");
        expect((found->kind == SCRIPT_NOT_AWAITED) == (found->text != NULL), "a finding's text");
        if (found->text)
            expect_text(found->text, 4200);
    }
    expect(report->memory_peak_bytes <= self->options.memory_bytes, "more memory than the limit");
    expect(self->written <= OUTPUT_BYTES, "more output than the limit");
    script_tasks(0, no_task, NULL);
}

/* ---- an input -------------------------------------------------------------------------------------------------------- */

static size_t write_program(const uint8_t *data, size_t size, bool as_text, char *text) {
    size_t used = (size_t)sprintf(text, "%s%s", for_all, confined ? "" : for_the_unconfined);
    if (!as_text)
        return used + script_grammar(data, size, text + used);
    if (size > TEXT_BYTES)
        size = TEXT_BYTES;
    memcpy(text + used, data, size);
    return used + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const args[] = {"one", "2"};
    static const char *const env[] = {"PATH=/usr/bin:/bin", "HOME=/tmp", NULL};
    static char text[TEXT_BYTES + sizeof for_all + sizeof for_the_unconfined];
    if (size == 0)
        return 0;
    unsigned settings = *data;
    size_t bytes = write_program(data + 1, size - 1, settings & AS_TEXT, text);
    if (shows)
        fprintf(stderr, "%.*s\n", (int)bytes, text);
    char *code = malloc(bytes); /* so that reading beyond it is seen */
    if (!code)
        return 0;
    memcpy(code, text, bytes);
    script_file files[] = {{"abc.lua", "return {x = 1, f = spawn}", 25}, {"bad.lua", "return (", 8}};
    trial self = {.limit_ns = settings & CANCELLED_EARLY ? HD_MS(2) : HD_MS(300),
                  .options = {.program = {.name = "fuzz.lua", .code = code, .bytes = bytes},
                              .files = files,
                              .file_count = 2,
                              .args = args,
                              .arg_count = 2,
                              .cwd = cwd,
                              .env = env,
                              .memory_bytes = (size_t)(settings & LITTLE_MEMORY ? 256 : 4096) << 10,
                              .cpu_ns = HD_MS(60),
                              .output_bytes = OUTPUT_BYTES,
                              .tasks = settings & FEW_TASKS ? 8 : 1000,
                              .grace_ns = HD_MS(50),
                              .virtual_clock = !(settings & REAL_CLOCK),
                              .write = count_output}};
    self.options.arg = &self;
    hd_spawn_options options = {.name = "trial", .runtime = runtimes[!!(settings & TWO_LOOPS)]};
    hd_task *task = hd_spawn_with(&options, attempt, &self);
    if (!task)
        abort();
    while (sem_wait(&ended))
        ;
    hd_release(task);
    check(&self);
    if (shows)
        fprintf(stderr, "-- %s\n", self.report.error ? self.report.error : hd_strerror((int)self.result));
    script_report_free(&self.report);
    free(code);
    return 0;
}
