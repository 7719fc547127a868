/* Lines: a script that goes on with what it is given from outside, one after the other, as a shell does.
 *
 * The main function runs the program, attaches the lines to the strand, and waits until there are to be no more. What others
 * do to the lines they leave under the lock, and post the strand, where `arrive` sees to all of it.
 *
 *      waiting ── its turn ──▶ running ── its task ends ──▶ over        (over: whoever gave it has it back)
 *         │                       └─── the script ends ─────▶ over, without a result
 *         └──── no more lines, or interrupted ─────────────▶ over
 *
 * Who gives a line may leave it alone (its heddle task is cancelled): then it is freed when it is over.
 *
 * A line is compiled in its own task, as an expression if it can be ("return LINE"), since compiling may take its time and fails
 * as anything else does. What breaks off within ("near <eof>") is incomplete. */
#include "slice.h"
#include "source.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* An interrupt finds another task computing: it gets so long to end its step before it is interrupted as well. */
#define BUSY_NS HD_MS(40)

typedef struct line {
    script_lines *lines;
    chain link; /* among the waiting */

    /* under the lock */
    hd_event *over; /* set once it is */
    bool is_over, is_alone;
    int code;
    script_line_result result;

    /* the strand's */
    callback ended; /* of its task */
    task *task;
    int reference; /* holds the task */
    bool incomplete;
    bool uncompiled;
    shown shown;

    /* constant */
    uint64_t number; /* 0: it wants names */
    const char *name;
    size_t bytes;
    char text[]; /* the code, then the name */
} line;

struct script_lines {
    pthread_mutex_t lock;
    strand *strand; /* to which it is attached; NULL: none */
    chain waiting;
    line *running;
    bool closed;
    bool posted;
    atomic_bool interrupted; /* written under the lock */
    uint64_t interrupted_at_ns;
    uint64_t count;
    post post;
    future end; /* the strand's: there are to be no more */
};

/* ---- life ------------------------------------------------------------------------------------------------------------- */

static void arrive(strand *self, post *post);

script_lines *script_lines_create(void) {
    script_lines *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    if (pthread_mutex_init(&self->lock, NULL)) {
        free(self);
        return NULL;
    }
    chain_init(&self->waiting);
    future_init(&self->end, FUTURE_PLAIN);
    self->post.run = arrive;
    return self;
}

void script_lines_destroy(script_lines *self) {
    if (!self)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void script_line_result_free(script_line_result *result) {
    free(result->text);
    free(result->traceback);
    *result = (script_line_result){.text = NULL};
}

static line *line_create(script_lines *lines, const script_line *given) {
    size_t name_bytes = given->name ? strlen(given->name) + 1 : 0;
    line *self = calloc(1, sizeof *self + given->bytes + 1 + name_bytes);
    if (!self)
        return NULL;
    self->over = hd_event_create();
    if (!self->over) {
        free(self);
        return NULL;
    }
    self->lines = lines;
    chain_init(&self->link);
    self->reference = LUA_NOREF;
    self->bytes = given->bytes;
    memcpy(self->text, given->code, given->bytes);
    if (given->name)
        self->name = memcpy(self->text + given->bytes + 1, given->name, name_bytes);
    return self;
}

static void line_destroy(line *self) {
    hd_event_destroy(self->over);
    script_line_result_free(&self->result);
    free(self->shown.bytes);
    free(self);
}

/* Under the lock. From here on it belongs to whoever gave it; if that one has left it alone, it is gone. */
static void line_end(line *self, int code) {
    self->code = code;
    self->is_over = true;
    if (self->is_alone)
        line_destroy(self);
    else
        hd_event_set(self->over);
}

/* ---- from outside ------------------------------------------------------------------------------------------------------ */

/* Under the lock. */
static void rouse(script_lines *self) {
    if (!self->strand || self->posted)
        return;
    self->posted = true;
    strand_post(self->strand, &self->post);
}

/* Under the lock. */
static void interrupt(script_lines *self) {
    self->interrupted_at_ns = hd_now();
    atomic_store_explicit(&self->interrupted, true, memory_order_relaxed); /* relaxed: a hint, see below */
    rouse(self);
}

/* Under the lock; nobody waits for it any more. */
static void leave_alone(line *self) {
    script_lines *lines = self->lines;
    if (lines->running != self) {
        chain_remove(&self->link);
        line_destroy(self);
        return;
    }
    self->is_alone = true;
    interrupt(lines);
}

int script_lines_run(script_lines *self, const script_line *given, script_line_result *result) {
    line *mine = line_create(self, given);
    if (!mine)
        return HD_ENOMEM;
    pthread_mutex_lock(&self->lock);
    bool closed = self->closed;
    if (!closed) {
        mine->number = given->names ? 0 : ++self->count;
        chain_append(&self->waiting, &mine->link);
        rouse(self);
    }
    pthread_mutex_unlock(&self->lock);
    int code = closed ? HD_ESHUTDOWN : hd_event_wait(mine->over, HD_NEVER);
    pthread_mutex_lock(&self->lock);
    bool kept = closed || mine->is_over;
    if (!kept)
        leave_alone(mine);
    pthread_mutex_unlock(&self->lock);
    if (!kept)
        return code;
    if (!closed)
        code = mine->code;
    *result = mine->result;
    mine->result = (script_line_result){.text = NULL};
    line_destroy(mine);
    return code;
}

bool script_lines_interrupt(script_lines *self) {
    pthread_mutex_lock(&self->lock);
    bool runs = self->running || !chain_is_empty(&self->waiting);
    if (runs)
        interrupt(self);
    pthread_mutex_unlock(&self->lock);
    return runs;
}

/* Under the lock. */
static line *take_waiting(script_lines *self) {
    if (chain_is_empty(&self->waiting))
        return NULL;
    line *first = chain_entry(self->waiting.next, line, link);
    chain_remove(&first->link);
    return first;
}

/* Under the lock. */
static void refuse_waiting(script_lines *self) {
    self->closed = true;
    for (line *next; (next = take_waiting(self));)
        line_end(next, HD_ESHUTDOWN);
}

void script_lines_close(script_lines *self) {
    pthread_mutex_lock(&self->lock);
    refuse_waiting(self);
    rouse(self);
    pthread_mutex_unlock(&self->lock);
}

/* ---- a line's task ----------------------------------------------------------------------------------------------------- */

static bool breaks_off(lua_State *L, int status) {
    static const char mark[] = "<eof>";
    size_t length, ending = sizeof mark - 1;
    const char *message = status == LUA_ERRSYNTAX ? lua_tolstring(L, -1, &length) : NULL;
    return message && length >= ending && strcmp(message + length - ending, mark) == 0;
}

/* Pushes the function, or a message. */
static int compile_expression(lua_State *L, const line *self) {
    size_t length;
    lua_pushliteral(L, "return ");
    lua_pushlstring(L, self->text, self->bytes);
    lua_concat(L, 2);
    const char *code = lua_tolstring(L, -1, &length);
    int status = source_load(L, code, length, "=shell");
    lua_remove(L, -2);
    return status;
}

static int compile(lua_State *L, line *self) {
    bool breaks = false;
    if (!self->name) {
        int status = compile_expression(L, self);
        if (status == LUA_OK)
            return status;
        breaks = breaks_off(L, status);
        lua_pop(L, 1);
    }
    const char *name = self->name ? lua_pushfstring(L, "@%s", self->name) : "=shell";
    int status = source_load(L, self->text, self->bytes, name);
    self->incomplete = status != LUA_OK && !self->name && (breaks || breaks_off(L, status));
    self->uncompiled = status != LUA_OK;
    return status;
}

/* Its values stand from 2 on. The first one is kept as `_`. */
static int line_returns(lua_State *L, int status, lua_KContext context) {
    line *self = (line *)context;
    int count = lua_gettop(L) - 1;
    (void)status;
    if (self->name || count == 0)
        return 0;
    show_values(L, 2, count, &self->shown);
    if (!lua_isnil(L, 2)) {
        lua_pushglobaltable(L);
        lua_pushliteral(L, "_");
        lua_pushvalue(L, 2);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    return count;
}

static int line_body(lua_State *L) {
    line *self = lua_touserdata(L, 1);
    if (self->number == 0) {
        show_names(L, self->text, &self->shown);
        return 0;
    }
    if (compile(L, self) == LUA_OK) {
        lua_insert(L, 2);
        lua_settop(L, 2);
        lua_callk(L, 0, LUA_MULTRET, (lua_KContext)self, line_returns);
        return line_returns(L, LUA_OK, (lua_KContext)self);
    }
    if (!self->incomplete)
        return lua_error(L);
    self->result.text = error_text(L, -1);
    return 0;
}

/* ---- on the strand ----------------------------------------------------------------------------------------------------- */

/* In protected mode. Nothing fails once the task is there, for it has the line. */
static int spawn_line(lua_State *L) {
    line *self = lua_touserdata(L, 1);
    strand *strand = strand_of(L);
    const char *name =
        self->number ? lua_pushfstring(L, "line-%I", (lua_Integer)self->number) : lua_pushliteral(L, "names");
    lua_pushboolean(L, 1);
    self->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, line_body);
    lua_pushlightuserdata(L, self);
    self->task = task_spawn(L, 1);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, 3);
    pthread_mutex_lock(&strand->tasks_lock);
    self->task->name = name;
    pthread_mutex_unlock(&strand->tasks_lock);
    lua_rawseti(L, LUA_REGISTRYINDEX, self->reference);
    return 0;
}

/* Of a traceback the places alone, without those that each line has; NULL: there are no others. Changes the text. */
static char *places(char *trace) {
    char *at = strstr(trace, "\nstack traceback:\n"), *to = trace;
    bool worth = false;
    at = at ? strchr(at + 1, '\n') + 1 : trace;
    while (*at) {
        size_t length = strcspn(at, "\n");
        bool last = at[length] == '\0';
        bool in_c = strncmp(at, "\t[C]:", 5) == 0;
        if (length != 10 || strncmp(at, "\t[C]: in ?", 10)) {
            worth = worth || !(in_c || strncmp(at, "\tshell:", 7) == 0);
            memmove(to, at, length);
            to += length;
            *to++ = '\n';
        }
        at += length + !last;
    }
    to[to > trace ? -1 : 0] = '\0';
    if (worth)
        return trace;
    free(trace);
    return NULL;
}

/* In protected mode: what it ended with. */
static int read_result(lua_State *L) {
    line *self = lua_touserdata(L, 1);
    task *task = self->task;
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->reference);
    luaL_unref(L, LUA_REGISTRYINDEX, self->reference);
    if (task->future.state == FUTURE_FAILED) {
        char *trace = task->finding && !self->uncompiled ? strdup(task->finding->text) : NULL;
        self->result.traceback = trace ? places(trace) : NULL;
        task_mark_retrieved(task);
        lua_getiuservalue(L, -1, 2);
        self->result.text = error_text(L, -1);
    }
    return 0;
}

static script_line_end end_of(const line *self) {
    switch (self->task->future.state) {
    case FUTURE_DONE: return self->incomplete ? SCRIPT_LINE_INCOMPLETE : SCRIPT_LINE_DONE;
    case FUTURE_CANCELLED: return SCRIPT_LINE_CANCELLED;
    default: return SCRIPT_LINE_FAILED;
    }
}

/* Calls one of these two. What is wrong otherwise is the line's text. */
static bool protect(strand *self, lua_CFunction function, line *line) {
    lua_State *L = self->state;
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, line);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return true;
    const char *text = lua_tostring(L, -1);
    if (!line->result.text)
        line->result.text = strdup(text ? text : "?");
    lua_pop(L, 1);
    return false;
}

static void begin_next(strand *self, script_lines *lines);

static void finish(script_lines *lines, line *line, script_line_end how) {
    pthread_mutex_lock(&lines->lock);
    line->result.end = how;
    lines->running = NULL;
    line_end(line, 0);
    pthread_mutex_unlock(&lines->lock);
}

static void on_end(strand *self, callback *callback) {
    line *line = chain_entry(callback, struct line, ended);
    script_lines *lines = line->lines;
    script_line_end how = end_of(line);
    protect(self, read_result, line);
    if (how == SCRIPT_LINE_DONE) {
        line->result.text = line->shown.bytes;
        line->shown.bytes = NULL;
    }
    slice_leave(self);
    output_flush(self);
    slice_enter(self);
    finish(lines, line, how);
    begin_next(self, lines);
}

static void begin_next(strand *self, script_lines *lines) {
    for (;;) {
        pthread_mutex_lock(&lines->lock);
        bool may = lines->strand == self && !lines->running && self->main->future.state == FUTURE_PENDING;
        line *next = may ? take_waiting(lines) : NULL;
        if (next) {
            lines->running = next;
            atomic_store_explicit(&lines->interrupted, false,
                                  memory_order_relaxed); /* relaxed: see lines_interrupt_now */
        }
        pthread_mutex_unlock(&lines->lock);
        if (!next)
            return;
        if (protect(self, spawn_line, next)) {
            callback_init(&next->ended, on_end);
            future_then(self, &next->task->future, &next->ended);
            return;
        }
        luaL_unref(self->state, LUA_REGISTRYINDEX, next->reference);
        finish(lines, next, SCRIPT_LINE_FAILED);
    }
}

/* Under the lock. An interrupt is for the line that runs, or that would if the script had come to it. */
static line *take_interrupt(script_lines *self) {
    line *running = self->running;
    if (!atomic_exchange_explicit(&self->interrupted, false,
                                  memory_order_relaxed)) /* relaxed: see lines_interrupt_now */
        return NULL;
    line *first = running ? NULL : take_waiting(self);
    if (first) {
        first->result.end = SCRIPT_LINE_CANCELLED;
        line_end(first, 0);
    }
    return running;
}

static void arrive(strand *self, post *post) {
    script_lines *lines = chain_entry(post, script_lines, post);
    pthread_mutex_lock(&lines->lock);
    bool attached = lines->strand == self;
    line *cancelled = attached ? take_interrupt(lines) : NULL;
    bool closed = lines->closed;
    lines->posted = false;
    pthread_mutex_unlock(&lines->lock);
    if (!attached)
        return;
    if (cancelled)
        task_cancel(self, cancelled->task);
    if (closed)
        future_set(self, &lines->end);
    begin_next(self, lines);
}

/* The flag alone is looked at first, as a hint: it may be seen late, or not be true any more. */
bool lines_interrupt_now(strand *self) {
    script_lines *lines = self->options->lines;
    if (!lines || !atomic_load_explicit(&lines->interrupted, memory_order_relaxed)) /* relaxed: see above */
        return false;
    uint64_t now_ns = hd_now();
    pthread_mutex_lock(&lines->lock);
    bool asked =
        lines->strand == self && self->current &&
        atomic_load_explicit(&lines->interrupted, memory_order_relaxed); /* relaxed: under the lock */
    bool its_own = asked && lines->running && lines->running->task == self->current;
    bool now = its_own || (asked && now_ns - lines->interrupted_at_ns > BUSY_NS);
    if (its_own)
        atomic_store_explicit(&lines->interrupted, false, memory_order_relaxed); /* relaxed: under the lock */
    if (now)
        lines->interrupted_at_ns = now_ns;
    pthread_mutex_unlock(&lines->lock);
    if (now)
        self->current->cancels++;
    return now;
}

/* ---- the script's main function ---------------------------------------------------------------------------------------- */

static int lines_are_over(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return task_is_interrupted(L) ? raise_cancelled(L) : 0;
}

static int attach(lua_State *L, int status, lua_KContext context) {
    strand *self = strand_of(L);
    script_lines *lines = self->options->lines;
    (void)status, (void)context;
    strand_hold(self);
    pthread_mutex_lock(&lines->lock);
    lines->strand = self;
    rouse(lines);
    pthread_mutex_unlock(&lines->lock);
    return task_suspend(L, &lines->end, "lines", 0, lines_are_over);
}

int lines_main(lua_State *L) {
    lua_callk(L, lua_gettop(L) - 1, 0, 0, attach);
    return attach(L, LUA_OK, 0);
}

void lines_detach(strand *self) {
    script_lines *lines = self->options->lines;
    if (!lines)
        return;
    pthread_mutex_lock(&lines->lock);
    line *running = lines->running;
    bool attached = lines->strand == self;
    lines->strand = NULL;
    lines->running = NULL;
    if (running) {
        callback_cancel(&running->ended);
        line_end(running, HD_ESHUTDOWN);
    }
    refuse_waiting(lines);
    pthread_mutex_unlock(&lines->lock);
    if (attached)
        strand_unhold(self);
}
