/* A script's life: made, run, ended.
 *
 * 1. The state is made, and the program compiled: a failure here is its error.
 * 2. The program runs as the first task, to its end.
 * 3. Tasks that still run are cancelled, and awaited, for the grace period at most.
 * 4. The state is closed: what is still open in it is closed by that.
 * 5. Operations that are still under way are awaited; they were cancelled when their tasks were, or by 4.
 * Where the script is killed, 2 or 3 end at once. */
#include "descriptors.h"
#include "kept.h"
#include "slice.h"
#include "source.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MEMORY_BYTES ((size_t)64 << 20)

/* asyncio.run, after the tasks that were left have ended, runs its loop for so many turns more. */
enum { LAST_TURNS = 4 };

/* ---- all scripts, for who looks in ------------------------------------------------------------------------------------ */

static pthread_mutex_t scripts_lock = PTHREAD_MUTEX_INITIALIZER;
static chain scripts = {&scripts, &scripts};

static void enlist(strand *self) {
    pthread_mutex_lock(&scripts_lock);
    chain_append(&scripts, &self->link);
    pthread_mutex_unlock(&scripts_lock);
}

static void delist(strand *self) {
    pthread_mutex_lock(&scripts_lock);
    chain_remove(&self->link);
    pthread_mutex_unlock(&scripts_lock);
}

static bool visit_tasks(strand *self, bool (*visit)(const script_task_info *, void *), void *arg) {
    uint64_t now_ns = hd_now();
    bool more = true;
    pthread_mutex_lock(&self->tasks_lock);
    for (chain *link = self->tasks.next; more && link != &self->tasks; link = link->next) {
        const task *seen = chain_entry(link, task, link);
        /* relaxed: a picture; the text is constant */
        const char *waits = atomic_load_explicit(&seen->waits_name, memory_order_relaxed);
        script_task_info info = {.job = self->job, .id = seen->id, .age_ns = now_ns - seen->born_ns};
        task_name(seen, info.name, sizeof info.name);
        snprintf(info.waits_for, sizeof info.waits_for, "%s", waits ? waits : "");
        more = visit(&info, arg);
    }
    pthread_mutex_unlock(&self->tasks_lock);
    return more;
}

void script_tasks(uint64_t job, bool (*visit)(const script_task_info *info, void *arg), void *arg) {
    bool more = true;
    pthread_mutex_lock(&scripts_lock);
    for (chain *link = scripts.next; more && link != &scripts; link = link->next) {
        strand *self = chain_entry(link, strand, link);
        if (job == 0 || self->job == job)
            more = visit_tasks(self, visit, arg);
    }
    pthread_mutex_unlock(&scripts_lock);
}

/* ---- 1 ----------------------------------------------------------------------------------------------------------------- */

static void push_args(lua_State *L, const script_options *options) {
    lua_createtable(L, (int)options->arg_count, 0);
    for (size_t i = 0; i < options->arg_count; i++) {
        lua_pushstring(L, options->args[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setglobal(L, "args");
}

/* In protected mode: what it leaves on the stack is the main task, or its error is raised. */
static int prepare(lua_State *L) {
    strand *self = strand_of(L);
    const script_options *options = self->options;
    sandbox_open(L);
    values_open(L);
    task_open(L);
    await_open(L);
    output_open(L);
    push_args(L, options);
    const char *name = lua_pushfstring(L, "@%s", options->program.name);
    if (source_load_file(L, options->program.code, options->program.bytes, name) != LUA_OK)
        return lua_error(L);
    luaL_checkstack(L, (int)options->arg_count + 8, "too many arguments");
    for (size_t i = 0; i < options->arg_count; i++)
        lua_pushstring(L, options->args[i]);
    if (options->lines) {
        lua_pushcfunction(L, lines_main);
        lua_insert(L, -(int)options->arg_count - 2);
    }
    self->main = task_spawn(L, (int)options->arg_count + (options->lines != NULL));
    return 1;
}

static char *memory_text(const strand *self) {
    char text[80];
    memory_describe_limit(self, text, sizeof text);
    return strdup(text);
}

static bool is_memory_error(lua_State *L, int index) {
    return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), "not enough memory") == 0;
}

/* The error on top of L is why the script failed. */
static int push_error_text(lua_State *L) {
    lua_pushlightuserdata(L, error_text(L, 1));
    return 1;
}

static char *failure_text(strand *self, lua_State *L) {
    if (is_memory_error(L, -1))
        return memory_text(self);
    lua_pushcfunction(L, push_error_text);
    lua_insert(L, -2);
    return lua_pcall(L, 1, 1, 0) == LUA_OK ? lua_touserdata(L, -1) : strdup("not enough memory for its error");
}

static bool start(strand *self, script_report *report) {
    lua_State *L = self->state = lua_newstate(memory_allocate, self);
    if (!L) {
        report->error = memory_text(self);
        return false;
    }
    *(strand **)lua_getextraspace(L) = self;
    lua_pushcfunction(L, prepare);
    if (lua_pcall(L, 0, 1, 0) == LUA_OK)
        return true; /* the main task stays on the stack */
    report->error = failure_text(self, L);
    self->main = NULL;
    return false;
}

/* ---- 2 ----------------------------------------------------------------------------------------------------------------- */

static int settle_main(strand *self, script_report *report) {
    lua_State *L = self->state;
    task *main = self->main;
    switch (main->future.state) {
    case FUTURE_DONE: return 0;
    case FUTURE_CANCELLED:
        if (self->cancelled_at_ns)
            return HD_ECANCELED;
        report->error = strdup("cancelled by itself");
        return SCRIPT_FAILED;
    default: break;
    }
    task_mark_retrieved(self, main);
    const char *traceback = task_push_traceback(L, 1);
    report->traceback = traceback ? strdup(traceback) : NULL;
    lua_getiuservalue(L, 1, TASK_ERROR);
    report->error = failure_text(self, L);
    lua_settop(L, 1);
    return SCRIPT_FAILED;
}

/* ---- 3 ----------------------------------------------------------------------------------------------------------------- */

/* Tells of the tasks that run, save for the program's own, and for the first ones, up to `told`. Returns up to which it has. */
static uint64_t tell_of_tasks(strand *self, uint64_t told) {
    for (const chain *link = self->tasks.next; link != &self->tasks; link = link->next) {
        const task *left = chain_entry(link, task, link);
        char name[256];
        if (left->id <= told || left == self->main)
            continue;
        task_name(left, name, sizeof name);
        findings_tell(&self->findings, SCRIPT_STILL_RAN, name, NULL);
    }
    return self->task_count;
}

/* Cancels those that are there, and waits for their end; those that they spawn meanwhile are let alone, as by asyncio.run. */
typedef struct leftover {
    callback ended;
    struct leftovers *all;
} leftover;

typedef struct leftovers {
    future future;
    size_t count;
} leftovers;

static void leftover_ended(strand *self, callback *callback) {
    leftovers *all = ((leftover *)callback)->all;
    if (--all->count == 0)
        future_end(self, &all->future, FUTURE_DONE);
}

static void end_tasks(strand *self) {
    leftovers all = {.count = self->live_tasks};
    leftover *each = calloc(all.count, sizeof *each);
    size_t i = 0;
    if (!each)
        return;
    future_init(&all.future, FUTURE_PLAIN);
    if (self->kill_at_ns == HD_NEVER)
        self->kill_at_ns = hd_after(self->options->grace_ns);
    for (size_t j = 0; j < all.count; j++) {
        callback_init(&each[j].ended, leftover_ended);
        each[j].all = &all;
    }
    for (chain *link = self->tasks.next; link != &self->tasks; link = link->next)
        task_cancel(self, chain_entry(link, task, link));
    for (chain *link = self->tasks.next; link != &self->tasks; link = link->next)
        future_then(self, &chain_entry(link, task, link)->future, &each[i++].ended);
    strand_run_until(self, &all.future);
    for (int turns = 0; turns < LAST_TURNS && !self->kill_reason; turns++)
        strand_turn(self);
    while (i-- > 0)
        callback_cancel(&each[i].ended);
    free(each);
}

/* ---- 4, 5 -------------------------------------------------------------------------------------------------------------- */

static void close_state(strand *self) {
    lua_State *L = self->state;
    size_t peak_bytes = self->memory_peak_bytes;
    self->state = NULL;
    self->main = NULL;
    self->memory_limit = SIZE_MAX; /* else finalizers might not be called */
    self->blocks.closing = self->has_grown = true;
    tasks_detach(self);
    if (L)
        lua_close(L);
    chain_init(&self->ready);
    chain_init(&self->turn);
    kept_drop_all(self);
    self->memory_peak_bytes = peak_bytes;
}

static void await_operations(strand *self) {
    output_flush(self);
    if (!self->cancelled_at_ns)
        hd_shield_begin();
    for (;;) {
        inbox_take(self);
        operations_free_ended(self);
        if (self->held == 0)
            break;
        (void)!inbox_wait(self, HD_NEVER);
    }
    hd_shield_end();
}

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

static bool strand_init(strand *self, const script_options *options) {
    *self = (strand){
        .options = options,
        .memory_limit = options->memory_bytes ? options->memory_bytes : DEFAULT_MEMORY_BYTES,
        .beside.most = options->memory_bytes ? options->memory_bytes : DEFAULT_MEMORY_BYTES,
        .descriptors.most = options->descriptors ? options->descriptors : descriptors_most(),
        .kill_at_ns = HD_NEVER,
        .job = options->job,
        .tasks_lock = PTHREAD_MUTEX_INITIALIZER,
    };
    chain_init(&self->ready);
    chain_init(&self->turn);
    chain_init(&self->tasks);
    chain_init(&self->kept);
    findings_init(&self->findings);
    return inbox_init(self);
}

static void strand_fini(strand *self, script_report *report) {
    findings_close(&self->findings, report);
    report->tasks = self->task_count;
    report->memory_peak_bytes = self->memory_peak_bytes;
    free(self->rethrown_traceback);
    timers_fini(&self->timers);
    output_fini(&self->output);
    inbox_fini(self);
    hd_semaphore_destroy(self->requests);
    blocks_close(&self->blocks);
    hd_semaphore_destroy(self->commands);
}

/* It was killed before the program had ended. */
static int settle_killed(strand *self, script_report *report) {
    if (!report->error)
        report->error = strdup(self->kill_reason);
    return self->killed_by_cancel ? HD_ECANCELED : SCRIPT_FAILED;
}

static int run(strand *self, script_report *report) {
    int result = SCRIPT_FAILED;
    uint64_t told = 0;
    slice_enter(self);
    bool started = start(self, report);
    if (started)
        strand_run_until(self, &self->main->future);
    if (self->kill_reason && !(started && self->main->future.state == FUTURE_DONE))
        result = settle_killed(self, report);
    else if (started)
        result = settle_main(self, report);
    if (started && !self->kill_reason && self->live_tasks) {
        told = tell_of_tasks(self, told);
        end_tasks(self);
    }
    if (self->kill_reason)
        tell_of_tasks(self, told);
    if (self->kill_reason && !report->error)
        report->error = strdup(self->kill_reason); /* its clean-up was cut off */
    lines_detach(self);
    close_state(self);
    slice_leave(self);
    await_operations(self);
    return result;
}

int script_run(const script_options *options, script_report *report) {
    strand self;
    *report = (script_report){.error = NULL};
    if (!strand_init(&self, options)) {
        inbox_fini(&self);
        report->error = strdup("not enough memory");
        return SCRIPT_FAILED;
    }
    enlist(&self);
    int result = run(&self, report);
    delist(&self);
    strand_fini(&self, report);
    return result;
}
