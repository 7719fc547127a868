/* An attempt on its job's runtime, and kind.h's functions for it. */
#include "run.h"

#include "output.h"
#include "pace.h"
#include "shell.h"

#include <stdlib.h>
#include <string.h>

/* ---- what kinds call --------------------------------------------------------------------------------------------- */

const wire_job *run_job(const run *attempt) {
    return attempt->spec;
}

uint64_t run_id(const run *attempt) {
    return attempt->id;
}

const char *run_cwd(const run *attempt) {
    return attempt->cwd;
}

const char *const *run_env(const run *attempt) {
    return attempt->env ? (const char *const *)attempt->env : attempt->list->environment;
}

struct script_lines *run_lines(const run *attempt) {
    return attempt->lines;
}

int run_write(run *attempt, bool is_stderr, const void *bytes, size_t length) {
    struct output *output = output_at(attempt->output, attempt->list->outputs);
    return output ? output_write(output, is_stderr, bytes, length) : HD_ENOMEM;
}

/* Relaxed, both: the numbers are for people, and nothing is published with them. */
void run_set_pid(run *attempt, pid_t pid) {
    atomic_store_explicit(&attempt->pid, pid, memory_order_relaxed);
}

uint64_t run_grace_ns(const run *attempt) {
    return atomic_load_explicit(&attempt->grace_ns, memory_order_relaxed);
}

void run_set_exit(run *attempt, int exit_code, int signal) {
    attempt->has_exit = true;
    attempt->exit_code = (uint8_t)exit_code;
    attempt->signal = (uint8_t)signal;
}

/* ---- environment ------------------------------------------------------------------------------------------------- */

static size_t name_length(const char *variable) {
    return strcspn(variable, "=");
}

static bool is_set_in(const wire_strings *variables, size_t from, const char *variable) {
    size_t length = name_length(variable);
    for (size_t i = from; i < variables->count; i++)
        if (strncmp(variables->items[i], variable, length) == 0 && variables->items[i][length] == '=')
            return true;
    return false;
}

/* The service's environment with the job's own variables over it; the last of one name counts. The strings stay where
 * they are. Each is compared with all, so of very many it takes its time, in which others run. */
static int merge_environment(struct run *attempt) {
    const char *const *base = attempt->list->environment;
    const wire_strings *own = &attempt->spec->env;
    struct pace slice = {0};
    size_t count = 0, used = 0;
    int result = 0;
    while (base[count])
        count++;
    const char **merged = attempt->env = malloc((count + own->count + 1) * sizeof *merged);
    if (!merged)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!is_set_in(own, 0, base[i]))
            merged[used++] = base[i];
    for (size_t i = 0; i < own->count && !result; i++) {
        if (!is_set_in(own, i + 1, own->items[i]))
            merged[used++] = own->items[i];
        result = pace(&slice);
    }
    merged[used] = NULL;
    return result;
}

/* ---- the root task ----------------------------------------------------------------------------------------------- */

static void note_phases(struct run *attempt) {
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    attempt->phases_ns[WIRE_PHASE_RUNNABLE] = info.runnable_ns;
    attempt->phases_ns[WIRE_PHASE_RUNNING] = info.running_ns;
    for (int i = 0; i < HD_WAITS_KINDS; i++)
        attempt->phases_ns[WIRE_PHASE_TIMER + i] = info.waiting_ns[i];
}

/* From here on it is the control runtime's. Only who finds the list empty sets the event: a later one comes before
 * the list is taken, or finds it empty again. */
static void post(struct run *attempt) {
    struct run_list *list = attempt->list;
    /* [R1] release: who takes the list sees all of the attempt, with run_take_ended */
    struct run *newest = atomic_load_explicit(&list->newest, memory_order_relaxed);
    do
        attempt->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&list->newest, &newest, attempt, memory_order_release,
                                                  memory_order_relaxed));
    if (!newest)
        hd_event_set(list->work);
}

static int64_t body(void *arg) {
    struct run *attempt = arg;
    int64_t result = attempt->spec->env.count ? merge_environment(attempt) : 0;
    if (result == HD_ENOMEM)
        result = hd_fail(HD_ENOMEM, "no memory for the environment");
    if (!result)
        result = attempt->kind->run(attempt);
    attempt->result = result;
    note_phases(attempt);
    post(attempt);
    return result;
}

struct run *run_start(struct job *job, const kind *what, hd_runtime *runtime, struct run_list *list,
                      const char *cwd, uint64_t grace_ns) {
    struct run *attempt = calloc(1, sizeof *attempt);
    if (!attempt)
        return NULL;
    attempt->id = job->id;
    attempt->job = job;
    attempt->spec = &job->spec;
    attempt->kind = what;
    attempt->cwd = cwd;
    attempt->output = &job->output;
    attempt->lines = job->shell ? job->shell->lines : NULL;
    attempt->list = list;
    atomic_init(&attempt->grace_ns, grace_ns);
    uint64_t delay = what->start_delay_ns ? what->start_delay_ns(&job->spec) : 0;
    hd_spawn_options options = {
        .name = wire_kind_name(what->kind),
        .runtime = runtime,
        .tag = job->id,
        .start_ns = delay ? hd_after(delay) : 0,
        .stack_bytes = what->stack_bytes,
    };
    attempt->task = hd_spawn_with(&options, body, attempt);
    if (!attempt->task) {
        free(attempt);
        return NULL;
    }
    return attempt;
}

struct run *run_take_ended(struct run_list *list) {
    /* [R1] acquire: see post */
    struct run *newest = atomic_exchange_explicit(&list->newest, NULL, memory_order_acquire);
    struct run *oldest = NULL;
    while (newest) {
        struct run *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void run_await_end(struct run *attempt) {
    if (!hd_task_done(attempt->task))
        (void)!hd_await(attempt->task);
}

void run_destroy(struct run *attempt) {
    hd_release(attempt->task);
    free(attempt->env);
    free(attempt->report);
    free(attempt);
}
