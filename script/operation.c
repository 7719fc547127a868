#include "task.h"

#include <lauxlib.h>

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
        op->class->destroy(op); /* at once: others may wait for what it holds */
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
        op->class->destroy(op);
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
    if (!lua_isyieldable(L) || self->unwaitable) {
        op->class->destroy(op);
        task_check_may_wait(L);
    }
    op->strand = self;
    op->task = hd_spawn_with(&(hd_spawn_options){.name = op->class->name}, body, op);
    if (!op->task) {
        int error = errno;
        const char *name = op->class->name;
        op->class->destroy(op);
        return luaL_error(L, "%s: could not be started: %s", name, hd_strerror(-error));
    }
    strand_hold(self);
    op->waiter = waiter;
    waiter->operation = op;
    future_init(&waiter->own, FUTURE_PLAIN);
    return task_suspend(L, &waiter->own, op->class->name, (lua_KContext)op, resumed);
}
