/* Lines: a script that goes on with what it is given from outside, one after the other, as a shell does.
 *
 * The main function runs the program, attaches the lines to the strand, and waits until there are to be no more. What others
 * do to the lines they leave under the lock, and post the strand, where `arrive` sees to all of it.
 *
 *      waiting ── its turn ──▶ running ── its task ends ──▶ over        (over: whoever gave it has it back)
 *         │                       └─── the script ends ─────▶ over, without a result
 *         └──── no more lines, or interrupted ─────────────▶ over
 *
 * Who gives a line may leave it alone (its heddle task is cancelled): then it is freed when it is over. */
#include "line.h"
#include "slice.h"

#include <stdlib.h>
#include <string.h>

/* An interrupt finds another task computing: it gets so long to end its step before it is interrupted as well. */
#define BUSY_NS HD_MS(40)

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

/* ---- on the strand ----------------------------------------------------------------------------------------------------- */

static void begin_next(strand *self, script_lines *lines);

static void finish(script_lines *lines, line *line) {
    pthread_mutex_lock(&lines->lock);
    lines->running = NULL;
    line_end(line, 0);
    pthread_mutex_unlock(&lines->lock);
}

static void on_end(strand *self, callback *callback) {
    line *line = chain_entry(callback, struct line, ended);
    script_lines *lines = line->lines;
    line_take_result(self, line);
    slice_leave(self);
    output_flush(self);
    slice_enter(self);
    finish(lines, line);
    begin_next(self, lines);
}

static line *take_next(strand *self, script_lines *lines) {
    pthread_mutex_lock(&lines->lock);
    bool may = lines->strand == self && !lines->running && self->main->future.state == FUTURE_PENDING;
    line *next = may ? take_waiting(lines) : NULL;
    if (next) {
        lines->running = next;
        atomic_store_explicit(&lines->interrupted, false,
                              memory_order_relaxed); /* relaxed: see lines_interrupt_now */
    }
    pthread_mutex_unlock(&lines->lock);
    return next;
}

static void begin_next(strand *self, script_lines *lines) {
    for (line *next; (next = take_next(self, lines));) {
        if (line_spawn(self, next)) {
            callback_init(&next->ended, on_end);
            future_then(self, &next->task->future, &next->ended);
            return;
        }
        finish(lines, next);
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
