/* A task that is awaited before it has begun. However the runtime brings it to run, it is a task of its own: with its own
 * identity, values, shield, scope, text, stack and time, and it may wait, be cancelled and be looked at like any other. */
#include "inside.h"
#include "task.h"

#include <alloca.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { DEPTH = 10000 };

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

static hd_task_info info_of(const hd_task *task) {
    hd_task_info info;
    hd_task_inspect(task, &info);
    return info;
}

/* ---- identity ---- */

typedef struct identity {
    hd_task *parent;
    uint64_t id;
} identity;

static int64_t be_oneself(void *arg) {
    identity *parent = arg;
    hd_task *self = hd_self();
    /* It may have made way before it began to wait, if its turn had lasted long. */
    while (info_of(parent->parent).state == HD_TASK_RUNNABLE)
        check(hd_yield() == 0);
    hd_task_info mine = info_of(self), theirs = info_of(parent->parent);
    check(self != parent->parent);
    check(mine.id != parent->id && theirs.id == parent->id);
    check(strcmp(mine.name, "child") == 0 && mine.tag == 77);
    check(mine.state == HD_TASK_RUNNING && theirs.state == HD_TASK_WAITING);
    check(theirs.waits_for == HD_WAITS_TASK && theirs.waits_detail == mine.id);
    for (int i = 0; i < 3; i++) {
        check(hd_yield() == 0);
        check(hd_self() == self && info_of(self).id == mine.id);
    }
    check(info_of(parent->parent).state == HD_TASK_WAITING);
    return (int64_t)mine.id;
}

static int64_t join_another(void *arg) {
    (void)arg;
    hd_task *self = hd_self();
    identity mine = {self, info_of(self).id};
    hd_task *child = hd_spawn_with(&(hd_spawn_options){.name = "child", .tag = 77}, be_oneself, &mine);
    hd_retain(child);
    int64_t result = hd_join(child);
    check(result == (int64_t)info_of(child).id);
    check(hd_self() == self && info_of(self).id == mine.id && info_of(self).state == HD_TASK_RUNNING);
    check(info_of(child).state == HD_TASK_DONE);
    hd_release(child);
    return 0;
}

static void it_is_a_task_of_its_own_and_its_awaiter_waits(void **state) {
    (void)state;
    passes(1, join_another, NULL);
}

static bool count_listed(const hd_task_info *info, void *arg) {
    (void)info;
    ++*(int *)arg;
    return true;
}

static int64_t look_at_all(void *arg) {
    int listed = 0;
    (void)arg;
    hd_runtime_tasks(hd_runtime_current(), count_listed, &listed);
    return listed;
}

static int64_t join_a_looker(void *arg) {
    int before = (int)look_at_all(arg);
    check(hd_join(hd_spawn(look_at_all, arg)) == before + 1);
    check(look_at_all(arg) == before);
    return 0;
}

static void it_is_listed_while_it_runs(void **state) {
    (void)state;
    passes(1, join_a_looker, NULL);
}

/* ---- values, errno, text ---- */

static hd_key key;
static _Atomic int destroyed;

static void count_destroyed(void *value) {
    destroyed++;
    *(int *)value = -1;
}

static int64_t keep_a_value(void *arg) {
    check(hd_local_get(key) == NULL);
    check(hd_local_set(key, arg) == 0);
    check(hd_yield() == 0);
    check(hd_local_get(key) == arg);
    errno = EXDEV;
    return hd_fail(HD_EINVAL, "of the child %d", *(int *)arg);
}

static int64_t join_with_values(void *arg) {
    static int mine, theirs; /* the values outlive this function */
    (void)arg;
    destroyed = 0;
    mine = 1;
    theirs = 2;
    check(hd_local_set(key, &mine) == 0);
    check(hd_fail(0, "of the parent") == 0);
    hd_task *child = hd_spawn(keep_a_value, &theirs);
    errno = ENOTEMPTY;
    check(hd_await(child) == HD_EINVAL);
    check(errno == ENOTEMPTY);
    check(destroyed == 1 && theirs == -1);
    check(hd_local_get(key) == &mine && mine == 1);
    check(strcmp(hd_task_error(child), "of the child 2") == 0);
    hd_release(child);
    return 5;
}

static int64_t join_the_joiner(void *arg) {
    hd_task *parent = hd_spawn(join_with_values, arg);
    check(hd_await(parent) == 5);
    check(strcmp(hd_task_error(parent), "of the parent") == 0);
    hd_release(parent);
    check(destroyed == 2);
    return hd_local_get(key) == NULL ? 0 : BROKE;
}

static void its_values_errno_and_text_are_its_own(void **state) {
    (void)state;
    passes(1, join_the_joiner, NULL);
    passes(2, join_the_joiner, NULL);
}

/* ---- locks ---- */

static int64_t try_the_parents(void *arg) {
    check(hd_mutex_trylock(arg) == HD_EAGAIN);
    check(hd_mutex_unlock(arg) == HD_EPERM);
    return 0;
}

static int64_t lock_for_good(void *arg) {
    return hd_mutex_lock(arg);
}

static int64_t join_with_a_mutex(void *arg) {
    hd_mutex *mutex = hd_mutex_create();
    (void)arg;
    check(hd_mutex_lock(mutex) == 0);
    check(hd_join(hd_spawn(try_the_parents, mutex)) == 0);
    check(hd_mutex_unlock(mutex) == 0);
    check(hd_join(hd_spawn(lock_for_good, mutex)) == 0);
    check(hd_mutex_trylock(mutex) == HD_EAGAIN && hd_mutex_unlock(mutex) == HD_EPERM);
    hd_mutex_destroy(mutex);
    return 0;
}

static void a_mutex_of_its_awaiter_is_not_its_own(void **state) {
    (void)state;
    passes(1, join_with_a_mutex, NULL);
}

/* ---- shields ---- */

static int64_t wait_until_cancelled(void *arg) {
    int result = hd_event_wait(arg, HD_NEVER);
    return result == HD_ECANCELED && hd_cancelled() && hd_yield() == HD_ECANCELED ? result : BROKE;
}

static int64_t cancel_it(void *arg) {
    check(until_waits(arg, HD_WAITS_LOCK) == 0);
    return hd_cancel(arg);
}

static int64_t shield_at_length(void *arg) {
    (void)arg;
    hd_shield_begin();
    return hd_yield();
}

static int64_t join_shielded(void *arg) {
    hd_shield_begin();
    hd_task *child = hd_spawn(wait_until_cancelled, arg), *canceller = hd_spawn(cancel_it, child);
    check(hd_join(child) == HD_ECANCELED);
    check(hd_join(canceller) == 0);
    check(!hd_cancelled());
    hd_shield_end();
    check(hd_join(hd_spawn(shield_at_length, arg)) == 0); /* and leaves it so */
    check(hd_cancel(hd_self()) == 0);
    check(hd_yield() == HD_ECANCELED);
    return 0;
}

static int64_t join_behind_a_shield(void *arg) {
    hd_event *event = arg;
    hd_shield_begin();
    int64_t result = hd_join(hd_spawn(return_argument, (void *)3));
    hd_task *child = hd_spawn(wait_until_cancelled, event);
    hd_task *setter = hd_spawn_at(hd_after(HD_MS(1)), return_argument, NULL);
    check(hd_join(setter) == 0);
    check(result == 3 && hd_cancelled() && !info_of(child).cancelled);
    hd_cancel(child);
    check(hd_join(child) == HD_ECANCELED);
    hd_shield_end();
    return 0;
}

static int64_t shields(void *arg) {
    hd_event *event = hd_event_create();
    (void)arg;
    check(hd_join(hd_spawn(join_shielded, event)) == 0);
    hd_task *parent = hd_spawn(join_behind_a_shield, event);
    hd_cancel(parent);
    check(hd_join(parent) == 0);
    hd_event_destroy(event);
    return 0;
}

static void its_awaiters_shield_does_not_cover_it_nor_its_own_the_awaiter(void **state) {
    (void)state;
    passes(1, shields, NULL);
    passes(2, shields, NULL);
}

/* ---- scopes ---- */

typedef struct family {
    hd_event *gate;
    hd_task *elder, *grandchild;
} family;

static int64_t wait_at_gate(void *arg) {
    return hd_event_wait(((family *)arg)->gate, HD_NEVER);
}

static int64_t spawn_grandchild(void *arg) {
    ((family *)arg)->grandchild = hd_spawn(wait_at_gate, arg);
    return ((family *)arg)->grandchild ? 0 : BROKE;
}

/* `elder` belongs to the outer scope, and so does what it spawns, though it is awaited in the inner one. */
static int64_t inner_body(hd_scope *scope, void *arg) {
    family *self = arg;
    check(hd_await(self->elder) == 0);
    hd_scope_cancel(scope);
    return HD_ECANCELED;
}

static int64_t outer_body(hd_scope *scope, void *arg) {
    family *self = arg;
    (void)scope;
    check((self->elder = hd_spawn(spawn_grandchild, self)));
    check(hd_scope_run(HD_NEVER, inner_body, self) == HD_ECANCELED);
    check(!hd_task_done(self->grandchild) && !info_of(self->grandchild).cancelled);
    hd_event_set(self->gate);
    hd_release(self->elder);
    return 4;
}

static int64_t join_across_scopes(void *arg) {
    family self = {.gate = hd_event_create()};
    (void)arg;
    check(hd_scope_run(HD_NEVER, outer_body, &self) == 4);
    check(hd_task_done(self.grandchild) && hd_task_result(self.grandchild) == 0);
    hd_release(self.grandchild);
    hd_event_destroy(self.gate);
    return 0;
}

static void what_it_spawns_belongs_to_its_own_scope(void **state) {
    (void)state;
    passes(1, join_across_scopes, NULL);
    passes(2, join_across_scopes, NULL);
}

static int64_t fail_in_scope(hd_scope *scope, void *arg) {
    hd_task *child = hd_scope_spawn(scope, return_argument, (void *)(intptr_t)HD_EBADF);
    (void)arg;
    check(hd_await(child) == HD_EBADF || hd_cancelled());
    return hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED ? HD_ECANCELED : BROKE;
}

static int64_t join_a_failure(void *arg) {
    check(hd_scope_run(HD_NEVER, fail_in_scope, arg) == HD_EBADF);
    return hd_yield();
}

static void its_failure_ends_the_scope_it_is_awaited_in(void **state) {
    (void)state;
    passes(1, join_a_failure, NULL);
    passes(2, join_a_failure, NULL);
}

/* ---- cancelling who awaits it ---- */

enum { WAITS, YIELDS, COMPUTES, AWAITS_ANOTHER, MANNERS };

typedef struct couple {
    int manner;
    hd_event *event;
    hd_task *parent;
    _Atomic bool child_runs, parent_is_cancelled, child_cleaned;
} couple;

static int64_t last_until_cancelled(void *arg) {
    couple *self = arg;
    int64_t result = 0;
    self->child_runs = true;
    while (self->manner == COMPUTES && !self->parent_is_cancelled) {}
    if (self->manner == WAITS)
        result = hd_event_wait(self->event, HD_NEVER);
    else if (self->manner == AWAITS_ANOTHER)
        result = hd_join(hd_spawn(wait_until_cancelled, self->event));
    else
        while ((result = hd_yield()) == 0) {}
    check(result == HD_ECANCELED && hd_cancelled());
    hd_shield_begin();
    check(hd_sleep(HD_US(200)) == 0);
    hd_shield_end();
    self->child_cleaned = true;
    return result;
}

static int64_t join_the_couples(void *arg) {
    couple *self = arg;
    int64_t result = hd_join(hd_spawn(last_until_cancelled, self));
    check(self->child_cleaned && hd_cancelled());
    return result;
}

static void *cancel_the_parent(void *arg) {
    couple *self = arg;
    while (!self->child_runs)
        sched_yield();
    hd_cancel(self->parent);
    self->parent_is_cancelled = true;
    return NULL;
}

static int64_t cancel_parents(void *arg) {
    (void)arg;
    for (int i = 0; i < 5 * MANNERS; i++) {
        pthread_t thread;
        couple pair = {.manner = i % MANNERS, .event = hd_event_create()};
        check((pair.parent = hd_spawn(join_the_couples, &pair)));
        check(pthread_create(&thread, NULL, cancel_the_parent, &pair) == 0);
        check(hd_join(pair.parent) == HD_ECANCELED);
        pthread_join(thread, NULL);
        hd_event_destroy(pair.event);
    }
    return 0;
}

static void cancelling_the_awaiter_cancels_it_and_awaits_its_end(void **state) {
    (void)state;
    passes(1, cancel_parents, NULL);
    passes(2, cancel_parents, NULL);
}

/* A deadline of the awaiter's scope is a cancellation of the awaiter. */
static int64_t join_in_scope(hd_scope *scope, void *arg) {
    (void)scope;
    return join_the_couples(arg);
}

static int64_t run_out_of_time(void *arg) {
    (void)arg;
    for (int manner = 0; manner < MANNERS; manner++) {
        couple pair = {.manner = manner, .event = hd_event_create(), .parent_is_cancelled = true};
        check(hd_scope_run(hd_after(HD_MS(1)), join_in_scope, &pair) == HD_ETIMEDOUT);
        check(pair.child_cleaned || !pair.child_runs);
        hd_event_destroy(pair.event);
    }
    return hd_yield();
}

static void a_deadline_around_the_awaiter_reaches_it(void **state) {
    (void)state;
    passes(1, run_out_of_time, NULL);
    passes(2, run_out_of_time, NULL);
}

/* ---- cancelling it ---- */

static int64_t cancel_oneself(void *arg) {
    (void)arg;
    hd_cancel(hd_self());
    return hd_yield();
}

static int64_t cancel_parent_and_return(void *arg) {
    hd_cancel(arg); /* and with it, now or soon, oneself */
    return 6;
}

static int64_t awaits_one_that_cancels(void *arg) {
    (void)arg;
    hd_task *child = hd_spawn(cancel_parent_and_return, hd_self());
    int64_t result = hd_await(child);
    /* it had ended before its awaiter could say anything */
    check(hd_task_done(child) && hd_task_result(child) == 6 && (result == 6 || result == HD_ECANCELED));
    hd_release(child);
    return hd_yield() == HD_ECANCELED ? 0 : BROKE;
}

static int64_t cancel_children(void *arg) {
    hd_event *event = hd_event_create();
    (void)arg;
    hd_task *child = hd_spawn(wait_until_cancelled, event);
    check(hd_cancel(child) == 0);
    check(hd_join(child) == HD_ECANCELED);
    check(hd_join(hd_spawn(cancel_oneself, NULL)) == HD_ECANCELED);
    check(!hd_cancelled() && hd_yield() == 0);
    child = hd_spawn(wait_until_cancelled, event);
    hd_task *canceller = hd_spawn(cancel_it, child);
    check(hd_join(child) == HD_ECANCELED);
    check(hd_join(canceller) == 0 && hd_yield() == 0);
    check(hd_join(hd_spawn(awaits_one_that_cancels, NULL)) == 0);
    hd_event_destroy(event);
    return 0;
}

static void cancelled_before_or_while_it_runs_it_alone_is_cancelled(void **state) {
    (void)state;
    passes(1, cancel_children, NULL);
    passes(2, cancel_children, NULL);
}

/* ---- deadlines ---- */

static int64_t await_until_in_vain(void *arg) {
    hd_event *event = hd_event_create();
    (void)arg;
    hd_task *child = hd_spawn(wait_until_cancelled, event);
    check(hd_await_until(child, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    check(hd_task_done(child));
    hd_release(child);
    child = hd_spawn(wait_until_cancelled, event);
    check(hd_await_until(child, 1) == HD_ETIMEDOUT && hd_task_done(child));
    hd_release(child);
    child = hd_spawn(return_argument, (void *)8); /* which does not ask */
    check(hd_await_until(child, 1) == 8);
    check(hd_await_until(child, hd_after(HD_SECONDS(3600))) == 8);
    hd_release(child);
    check(hd_yield() == 0);
    hd_event_destroy(event);
    return 0;
}

static void an_await_with_a_deadline_ends_in_time(void **state) {
    (void)state;
    passes(1, await_until_in_vain, NULL);
    passes(2, await_until_in_vain, NULL);
}

/* ---- others ---- */

static int64_t await_twice(void *arg) {
    int64_t first = hd_await(arg);
    return hd_await(arg) == first ? first : BROKE;
}

static int64_t wait_for_it(void *arg) {
    hd_task *task = arg;
    check(hd_wait(&task, 1, HD_WAIT_ALL, HD_NEVER) == 1);
    check(hd_gather(&task, 1, NULL) == 0);
    return hd_task_result(task);
}

static int64_t yield_then_return(void *arg) {
    for (int i = 0; i < 5; i++)
        check(hd_yield() == 0);
    return (int64_t)(intptr_t)arg;
}

static int64_t several_await(void *arg) {
    const hd_fn kinds[] = {return_argument, yield_then_return};
    (void)arg;
    for (int i = 0; i < 20; i++) {
        hd_task *child = hd_spawn(kinds[i % 2], (void *)12), *others[6];
        for (int j = 0; j < 6; j++)
            check((others[j] = hd_spawn(j % 2 ? await_twice : wait_for_it, child)));
        if (i % 4 < 2)
            check(hd_await(child) == 12);
        for (int j = 0; j < 6; j++)
            check(hd_join(others[j]) == 12);
        check(hd_await(child) == 12);
        hd_release(child);
    }
    return 0;
}

static void several_may_await_it(void **state) {
    (void)state;
    passes(1, several_await, NULL);
    passes(2, several_await, NULL);
}

/* Of two who await it the first begins it; when that one is cancelled, so is the child, and the other hears of it. */
static int64_t one_of_two_gives_up(void *arg) {
    hd_event *event = hd_event_create();
    (void)arg;
    hd_task *child = hd_spawn(wait_until_cancelled, event);
    hd_task *first = hd_spawn(await_twice, child), *second = hd_spawn(await_twice, child);
    check(until_waits(first, HD_WAITS_TASK) == 0 && until_waits(second, HD_WAITS_TASK) == 0);
    check(until_waits(child, HD_WAITS_LOCK) == 0);
    check(hd_cancel(second) == 0);
    check(hd_join(first) == HD_ECANCELED && hd_join(second) == HD_ECANCELED);
    check(hd_join(child) == HD_ECANCELED);
    hd_event_destroy(event);
    return 0;
}

static void whoever_gives_up_cancels_it_for_all(void **state) {
    (void)state;
    passes(1, one_of_two_gives_up, NULL);
    passes(2, one_of_two_gives_up, NULL);
}

static int64_t count_up(void *arg) {
    for (int i = 0; i < 10; i++) {
        ++*(_Atomic int *)arg;
        check(hd_yield() == 0);
    }
    return 0;
}

static int64_t wait_for_count(void *arg) {
    while (*(_Atomic int *)arg < 20)
        check(hd_yield() == 0);
    check(hd_sleep(HD_US(100)) == 0);
    return hd_sleep(0);
}

static int64_t join_while_others_run(void *arg) {
    _Atomic int count = 0;
    (void)arg;
    hd_task *others[2] = {hd_spawn(count_up, &count), hd_spawn(count_up, &count)};
    hd_task *child = hd_spawn(wait_for_count, &count);
    check(hd_join(child) == 0);
    check(hd_join(others[0]) == 0 && hd_join(others[1]) == 0);
    return 0;
}

static void others_run_while_it_waits(void **state) {
    (void)state;
    passes(1, join_while_others_run, NULL);
    passes(2, join_while_others_run, NULL);
}

/* ---- one after the other, for ever ---- */

enum { BY_TIMER, BY_DESCRIPTOR, BY_TASK_FROM_OUTSIDE, BY_CANCELLATION, ENDINGS };

typedef struct parade {
    int ending;
    hd_runtime *runtime;
    hd_task *joiner;
    int fds[2];
    _Atomic bool over, other_ran;
    _Atomic int joined;
} parade;

static int64_t join_for_ever(void *arg) {
    parade *self = arg;
    for (; !self->over; self->joined++)
        if (hd_join(hd_spawn(return_argument, (void *)1)) != 1)
            return hd_cancelled() ? HD_ECANCELED : BROKE;
    return 0;
}

static int64_t run_at_all(void *arg) {
    ((parade *)arg)->other_ran = true;
    return 0;
}

static int64_t end_it(void *arg) {
    ((parade *)arg)->over = true;
    return 0;
}

static int64_t end_it_later(void *arg) {
    parade *self = arg;
    char byte;
    if (self->ending == BY_TIMER)
        check(hd_sleep(HD_MS(1)) == 0);
    if (self->ending == BY_DESCRIPTOR)
        check(hd_read(self->fds[0], &byte, 1) == 1);
    return self->ending == BY_TIMER || self->ending == BY_DESCRIPTOR ? end_it(arg) : 0;
}

/* A thread, once the joining has gone on for a while. */
static void *end_it_from_outside(void *arg) {
    parade *self = arg;
    while (self->joined < 1000 && !self->over)
        sched_yield();
    if (self->ending == BY_DESCRIPTOR)
        return write(self->fds[1], "x", 1) == 1 ? NULL : arg;
    if (self->ending == BY_CANCELLATION)
        hd_cancel(self->joiner);
    hd_spawn_options there = {.runtime = self->runtime, .detached = true};
    if (self->ending == BY_TASK_FROM_OUTSIDE && !hd_spawn_with(&there, end_it, self))
        return arg;
    return NULL;
}

static int64_t hold_a_parade(void *arg) {
    (void)arg;
    for (int i = 0; i < ENDINGS; i++) {
        parade self = {.ending = i, .runtime = hd_runtime_current()};
        pthread_t thread;
        void *broke;
        check(pipe2(self.fds, O_NONBLOCK | O_CLOEXEC) == 0);
        check((self.joiner = hd_spawn(join_for_ever, &self)));
        hd_task *ender = hd_spawn(end_it_later, &self), *other = hd_spawn(run_at_all, &self);
        hd_retain(self.joiner); /* for the thread: what it cancels may end meanwhile */
        check(pthread_create(&thread, NULL, end_it_from_outside, &self) == 0);
        check(hd_join(self.joiner) == (self.ending == BY_CANCELLATION ? HD_ECANCELED : 0));
        check(hd_join(ender) == 0 && hd_join(other) == 0 && self.other_ran);
        pthread_join(thread, &broke);
        hd_release(self.joiner);
        check(!broke);
        hd_close(self.fds[0]);
        hd_close(self.fds[1]);
    }
    return 0;
}

static void who_joins_for_ever_lets_others_run(void **state) {
    (void)state;
    passes(1, hold_a_parade, NULL);
    passes(2, hold_a_parade, NULL);
}

/* ---- depth ---- */

/* Each awaits the next, which has not begun, and the last one waits while all the others do. */
static int64_t descend(void *arg) {
    intptr_t left = (intptr_t)arg;
    if (left == 0)
        return hd_sleep(HD_US(50));
    int64_t below = hd_join(hd_spawn(descend, (void *)(left - 1)));
    return below < 0 ? below : below + 1;
}

/* Here some of them wait before they go on. */
static int64_t descend_with_pauses(void *arg) {
    intptr_t left = (intptr_t)arg;
    if (left % 7 == 0)
        check(hd_yield() == 0);
    if (left == 0)
        return 0;
    int64_t below = hd_join(hd_spawn(descend_with_pauses, (void *)(left - 1)));
    if (left % 5 == 0)
        check(hd_yield() == 0);
    return below < 0 ? below : below + 1;
}

static void ten_thousand_may_await_one_another(void **state) {
    (void)state;
    assert_int_equal(inside_run(1, descend, (void *)DEPTH), DEPTH);
    assert_int_equal(inside_run(2, descend, (void *)(DEPTH / 10)), DEPTH / 10);
    assert_int_equal(inside_run(1, descend_with_pauses, (void *)(DEPTH / 10)), DEPTH / 10);
    assert_int_equal(inside_run(2, descend_with_pauses, (void *)DEPTH), DEPTH);
}

static int64_t cancel_from_the_top(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        hd_task *top = hd_spawn(descend, (void *)(intptr_t)(i * 10));
        for (int j = 0; j < i; j++)
            check(hd_yield() == 0);
        hd_cancel(top);
        int64_t result = hd_join(top);
        check(result == HD_ECANCELED || result == i * 10);
    }
    return 0;
}

static void a_cancellation_goes_down_all_of_them(void **state) {
    (void)state;
    passes(1, cancel_from_the_top, NULL);
    passes(2, cancel_from_the_top, NULL);
}

static int64_t use_stack(void *arg) {
    size_t bytes = (size_t)(intptr_t)arg;
    volatile char *room = alloca(bytes);
    for (size_t i = 0; i < bytes; i += 1024)
        room[i] = 1;
    check(hd_yield() == 0);
    return room[0] == 1 ? 0 : BROKE;
}

static int64_t join_the_stout(void *arg) {
    (void)arg;
    /* as much as it asked for, however deep its awaiter is in its own */
    volatile char *mine = alloca(40000);
    mine[0] = 1;
    check(hd_join(hd_spawn(use_stack, (void *)40000)) == 0);
    hd_spawn_options stout = {.stack_bytes = 1 << 20};
    check(hd_join(hd_spawn_with(&stout, use_stack, (void *)900000)) == 0);
    return mine[0] == 1 ? 0 : BROKE;
}

static void it_has_the_stack_it_asked_for(void **state) {
    (void)state;
    passes(1, join_the_stout, NULL);
    passes(2, join_the_stout, NULL);
}

/* ---- those that cannot begin at once ---- */

static int64_t tell_worker(void *arg) {
    (void)arg;
    int before = info_of(hd_self()).worker;
    for (int i = 0; i < 20; i++) {
        check(hd_yield() == 0);
        check(info_of(hd_self()).worker == before);
    }
    return before;
}

static int64_t tell_time(void *arg) {
    return hd_now() >= *(uint64_t *)arg ? 0 : BROKE;
}

static int64_t tell_runtime(void *arg) {
    return hd_runtime_current() == arg ? 0 : BROKE;
}

static int64_t join_the_special(void *arg) {
    for (int i = 0; i < 20; i++) {
        uint64_t start = hd_after(HD_US(300));
        check(hd_join(hd_spawn_at(start, tell_time, &start)) == 0);
        hd_task *pinned = hd_spawn_with(&(hd_spawn_options){.pinned = true}, tell_worker, NULL);
        int home = info_of(pinned).worker;
        check(hd_yield() == 0); /* perhaps its awaiter goes on elsewhere */
        check(hd_join(pinned) == home);
        hd_spawn_options there = {.runtime = arg};
        check(hd_join(hd_spawn_with(&there, tell_runtime, arg)) == 0);
    }
    return 0;
}

static void a_delayed_a_pinned_and_a_distant_one_run_when_and_where_they_should(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime *other = hd_runtime_create(&(hd_runtime_options){.loops = 1});
        passes(loops, join_the_special, other);
        hd_runtime_destroy(other);
    }
}

/* ---- accounting ---- */

static uint64_t sum_of_times(const hd_task_info *info) {
    uint64_t sum = info->runnable_ns + info->running_ns;
    for (int kind = 0; kind < HD_WAITS_KINDS; kind++)
        sum += info->waiting_ns[kind];
    return sum;
}

static void compute(uint64_t ns) {
    for (uint64_t end = hd_after(ns); hd_now() < end;) {}
}

static int64_t compute_and_sleep(void *arg) {
    (void)arg;
    compute(HD_MS(2));
    check(hd_sleep(HD_MS(2)) == 0);
    hd_task_info mine = info_of(hd_self());
    check(sum_of_times(&mine) == mine.age_ns);
    check(mine.running_ns >= HD_MS(2) && mine.waiting_ns[HD_WAITS_TIMER] >= HD_MS(2));
    return 0;
}

static int64_t account(void *arg) {
    (void)arg;
    check(hd_join(hd_spawn(compute_and_sleep, NULL)) == 0);
    hd_task_info mine = info_of(hd_self());
    check(sum_of_times(&mine) == mine.age_ns);
    check(mine.waiting_ns[HD_WAITS_TASK] >= HD_MS(4) && mine.waiting_ns[HD_WAITS_TIMER] == 0);
    return 0;
}

static void its_time_is_counted_as_its_own_and_its_awaiters_as_waiting(void **state) {
    (void)state;
    passes(1, account, NULL);
}

static int64_t count_tasks(void *arg) {
    hd_loop_stats before, after;
    (void)arg;
    hd_runtime_loop_stats(hd_runtime_current(), 0, &before);
    for (intptr_t i = 0; i < 100; i++)
        check(hd_join(hd_spawn(return_argument, (void *)i)) == i);
    hd_runtime_loop_stats(hd_runtime_current(), 0, &after);
    check(after.tasks_spawned == before.tasks_spawned + 100);
    return after.tasks_ended == before.tasks_ended + 100 ? 0 : BROKE;
}

static void it_is_counted_as_a_task(void **state) {
    (void)state;
    passes(1, count_tasks, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_task_of_its_own_and_its_awaiter_waits),
        cmocka_unit_test(it_is_listed_while_it_runs),
        cmocka_unit_test(its_values_errno_and_text_are_its_own),
        cmocka_unit_test(a_mutex_of_its_awaiter_is_not_its_own),
        cmocka_unit_test(its_awaiters_shield_does_not_cover_it_nor_its_own_the_awaiter),
        cmocka_unit_test(what_it_spawns_belongs_to_its_own_scope),
        cmocka_unit_test(its_failure_ends_the_scope_it_is_awaited_in),
        cmocka_unit_test(cancelling_the_awaiter_cancels_it_and_awaits_its_end),
        cmocka_unit_test(a_deadline_around_the_awaiter_reaches_it),
        cmocka_unit_test(cancelled_before_or_while_it_runs_it_alone_is_cancelled),
        cmocka_unit_test(an_await_with_a_deadline_ends_in_time),
        cmocka_unit_test(several_may_await_it),
        cmocka_unit_test(whoever_gives_up_cancels_it_for_all),
        cmocka_unit_test(others_run_while_it_waits),
        cmocka_unit_test(who_joins_for_ever_lets_others_run),
        cmocka_unit_test(ten_thousand_may_await_one_another),
        cmocka_unit_test(a_cancellation_goes_down_all_of_them),
        cmocka_unit_test(it_has_the_stack_it_asked_for),
        cmocka_unit_test(a_delayed_a_pinned_and_a_distant_one_run_when_and_where_they_should),
        cmocka_unit_test(its_time_is_counted_as_its_own_and_its_awaiters_as_waiting),
        cmocka_unit_test(it_is_counted_as_a_task),
    };
    return hd_key_create(&key, count_destroyed) || cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
