/* Cancelling, as asyncio does it: a task that waits for something cancels that, and is woken by its end; one that is ready
 * or runs is marked. What a task waits for may be a task again, or a group of them, so this is a walk, in depth first order.
 *
 * Two departures, where asyncio runs out of stack or of time. A task that is reached on several ways is cancelled once a
 * walk, as further times would change nothing. And where tasks wait for each other in a circle, and so nothing could be
 * cancelled, the task that was meant is woken with `cancelled` itself: a circle can be broken. */
#include "task.h"

typedef struct walk {
    strand *strand;
    uint64_t number;
    group *within; /* the innermost one whose members are being visited, see group->outer */
    bool woke;     /* somebody will go on */
} walk;

/* False: it was reached before, or has ended. */
static bool is_new(const walk *walk, const task *task) {
    return task->future.state == FUTURE_PENDING && task->walk != walk->number;
}

/* Its members are next. False: all have ended. */
static bool enter(walk *walk, group *group) {
    bool any = false;
    for (size_t i = 0; i < group->count; i++)
        any = any || group->tasks[i]->future.state == FUTURE_PENDING;
    group->cancel_requested = group->cancel_requested || any;
    group->visited = 0;
    group->outer = walk->within;
    walk->within = group;
    return any;
}

static void visit(walk *walk, task *task) {
    while (is_new(walk, task)) {
        future *waits_for = task->waits_for;
        task->walk = walk->number;
        task->cancels++;
        if (!waits_for || waits_for->state != FUTURE_PENDING) {
            task->must_cancel = walk->woke = true; /* it steps anyway */
            return;
        }
        if (waits_for->kind == FUTURE_PLAIN) {
            future_end(walk->strand, waits_for, FUTURE_CANCELLED);
            walk->woke = true;
            return;
        }
        if (waits_for->kind == FUTURE_GROUP) {
            if (!enter(walk, (group *)waits_for))
                task->must_cancel = walk->woke = true; /* all have ended, and it is about to hear of it */
            return;
        }
        task = (struct task *)waits_for;
    }
}

/* Wakes it, although what it waits for has not ended. */
static void interrupt(strand *self, task *task) {
    callback_cancel(&task->step);
    task->waits_for = NULL;
    task->must_cancel = true;
    strand_soon(self, &task->step);
}

bool task_cancel(strand *self, task *cancelled) {
    if (cancelled->future.state != FUTURE_PENDING)
        return false;
    walk walk = {.strand = self, .number = ++self->walks};
    visit(&walk, cancelled);
    while (walk.within) {
        group *group = walk.within;
        if (group->visited < group->count)
            visit(&walk, group->tasks[group->visited++]);
        else
            walk.within = group->outer;
    }
    if (!walk.woke)
        interrupt(self, cancelled);
    return true;
}

void task_cancel_wait(strand *self, task *task) {
    future *waits_for = task->waits_for;
    if (waits_for->state != FUTURE_PENDING)
        return;
    task->must_cancel = false;
    task->cancels--; /* it was counted when it was asked for */
    task_cancel(self, task);
}
