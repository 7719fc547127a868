#include "task.h"

#include <lauxlib.h>

/* What each holds of the script's memory: mostly its task's stack, of which a page is used. */
enum { OPERATION_BYTES = 5 << 10 };

bool strand_take(lua_State *L, budget *budget, size_t amount) {
    if (budget_take(budget, amount))
        return true;
    operations_free_ended(strand_of(L));
    if (budget_take(budget, amount))
        return true;
    lua_gc(L, LUA_GCCOLLECT);
    return budget_take(budget, amount);
}

bool operation_hold(lua_State *L, operation *op, size_t bytes) {
    if (!strand_take(L, &strand_of(L)->beside, bytes))
        return false;
    op->held += bytes;
    return true;
}

void operation_drop(strand *self, operation *op) {
    budget_give(&self->beside, op->held);
    op->class->destroy(op);
}

/* Nobody awaits the task's last steps: they touch nothing of the operation. */
static void arrive(strand *self, post *arrived) {
    operation *op = chain_entry(arrived, operation, done);
    strand_unhold(self);
    op->ended = true;
    hd_release(op->task);
    op->task = NULL;
    if (op->waiter)
        future_set(self, &op->waiter->own);
    else
        operation_drop(self, op); /* at once: others may wait for what it holds */
}

static int64_t body(void *arg) {
    operation *op = arg;
    op->class->run(op);
    op->done.run = arrive;
    strand_post(op->strand, &op->done);
    return 0;
}

void operation_abandon(operation *op) {
    strand *self = op->strand;
    op->waiter->operation = NULL;
    op->waiter = NULL;
    if (op->ended) {
        op->next = self->ended_operations;
        self->ended_operations = op;
    } else {
        hd_cancel(op->task);
    }
}

void operations_free_ended(strand *self) {
    while (self->ended_operations) {
        operation *op = self->ended_operations;
        self->ended_operations = op->next;
        operation_drop(self, op);
    }
}

static int resumed(lua_State *L, int status, lua_KContext context) {
    (void)status;
    operation *op = (operation *)context;
    bool ended = op->ended;
    operation_abandon(op); /* it is freed after this step, whatever happens in it */
    if (task_is_interrupted(L) || !ended)
        return raise_cancelled(L);
    return op->class->finish(L, op);
}

int operation_await(lua_State *L, operation *op) {
    strand *self = strand_of(L);
    task *waiter = task_current(L);
    const char *name = op->class->name;
    if (!lua_isyieldable(L) || self->unwaitable) {
        operation_drop(self, op);
        task_check_may_wait(L);
    }
    if (!operation_hold(L, op, OPERATION_BYTES)) {
        operation_drop(self, op);
        lua_pushfstring(L, "%s: more is under way than the script's memory limit of %f MiB has room for", name,
                        (lua_Number)self->beside.most / (1 << 20));
        return lua_error(L);
    }
    op->strand = self;
    op->task = hd_spawn_with(&(hd_spawn_options){.name = name}, body, op);
    if (!op->task) {
        int error = errno;
        operation_drop(self, op);
        return luaL_error(L, "%s: could not be started: %s", name, hd_strerror(-error));
    }
    strand_hold(self);
    op->waiter = waiter;
    waiter->operation = op;
    future_init(&waiter->own, FUTURE_PLAIN);
    return task_suspend(L, &waiter->own, name, (lua_KContext)op, resumed);
}
