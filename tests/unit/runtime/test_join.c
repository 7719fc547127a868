/* A task that is awaited before it has begun. However the runtime brings it to run, it is a task of its own: with its own
 * identity, values, shield, scope, and text, and it may wait, be cancelled and be looked at like any other. */
#include "inside.h"
#include "task.h"

#include <pthread.h>
#include <sched.h>

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
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
    while (inside_info(parent->parent).state == HD_TASK_RUNNABLE)
        check(hd_yield() == 0);
    hd_task_info mine = inside_info(self), theirs = inside_info(parent->parent);
    check(self != parent->parent);
    check(mine.id != parent->id && theirs.id == parent->id);
    check(strcmp(mine.name, "child") == 0 && mine.tag == 77);
    check(mine.state == HD_TASK_RUNNING && theirs.state == HD_TASK_WAITING);
    check(theirs.waits_for == HD_WAITS_TASK && theirs.waits_detail == mine.id);
    for (int i = 0; i < 3; i++) {
        check(hd_yield() == 0);
        check(hd_self() == self && inside_info(self).id == mine.id);
    }
    check(inside_info(parent->parent).state == HD_TASK_WAITING);
    return (int64_t)mine.id;
}

static int64_t join_another(void *arg) {
    (void)arg;
    hd_task *self = hd_self();
    identity mine = {self, inside_info(self).id};
    hd_task *child = hd_spawn_with(&(hd_spawn_options){.name = "child", .tag = 77}, be_oneself, &mine);
    hd_retain(child);
    int64_t result = hd_join(child);
    check(result == (int64_t)inside_info(child).id);
    check(hd_self() == self && inside_info(self).id == mine.id && inside_info(self).state == HD_TASK_RUNNING);
    check(inside_info(child).state == HD_TASK_DONE);
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
    check(result == 3 && hd_cancelled() && !inside_info(child).cancelled);
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
    check(!hd_task_done(self->grandchild) && !inside_info(self->grandchild).cancelled);
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
    };
    return hd_key_create(&key, count_destroyed) || cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
