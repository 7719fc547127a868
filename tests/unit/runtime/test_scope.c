/* Scopes: they end after their tasks, the first failure or the deadline cancels the rest, and errors come out. */
#include "inside.h"
#include "scope.h"
#include "sys.h"
#include "task.h"

#include <pthread.h>

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

static int64_t sleep_long(void *arg) {
    (void)arg;
    return hd_sleep(HD_SECONDS(3600));
}

static _Atomic int done;

static int64_t count_after_a_while(void *arg) {
    int slept = hd_sleep(HD_US(100));
    done++;
    return slept ? slept : (int64_t)(intptr_t)arg;
}

/* Ends late, and only then counts. */
static int64_t clean_up_slowly(void *arg) {
    (void)arg;
    int result = hd_sleep(HD_SECONDS(3600));
    hd_shield_begin();
    check(hd_sleep(HD_MS(2)) == 0);
    hd_shield_end();
    done++;
    return result;
}

static int64_t spawn_a_child(void *arg) {
    hd_release(hd_spawn(count_after_a_while, arg));
    return 0;
}

/* ---- it waits ---- */

static int64_t leave_tasks(hd_scope *scope, void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++)
        check(hd_scope_spawn(scope, count_after_a_while, NULL));
    hd_release(hd_spawn(count_after_a_while, NULL));
    /* what they spawn belongs to it as well */
    check(hd_scope_spawn(scope, spawn_a_child, NULL));
    check(hd_spawn_with(&(hd_spawn_options){.scope = scope, .detached = true, .pinned = true},
                        count_after_a_while, NULL));
    return 8;
}

static int64_t run_and_count(void *arg) {
    (void)arg;
    done = 0;
    check(hd_scope_run(HD_NEVER, leave_tasks, NULL) == 8);
    check(done == 13);
    return 0;
}

static void a_scope_waits_for_its_tasks_and_what_they_spawn(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++)
        passes(loops, run_and_count, NULL);
}

/* One that its spawner's scope has not counted yet begins on the fiber of another task, which awaits it. */
typedef struct elsewhere {
    hd_task *awaited;
    bool ended;
} elsewhere;

static int64_t await_it(void *arg) {
    elsewhere *self = arg;
    check(hd_join(self->awaited) == 1);
    check(hd_sleep(HD_MS(1)) == 0);
    self->ended = true;
    return 0;
}

static int64_t have_it_awaited(hd_scope *scope, void *arg) {
    elsewhere *self = arg;
    check(hd_spawn_with(&(hd_spawn_options){.scope = scope, .detached = true}, await_it, self));
    check((self->awaited = hd_spawn(count_after_a_while, (void *)1)));
    return 0;
}

static int64_t await_elsewhere(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        elsewhere self = {.ended = false};
        check(hd_scope_run(HD_NEVER, have_it_awaited, &self) == 0);
        check(self.ended);
    }
    return 0;
}

static void who_is_awaited_elsewhere_still_belongs_to_it(void **state) {
    (void)state;
    passes(1, await_elsewhere, NULL);
}

static int64_t leave_slow_ones(hd_scope *scope, void *arg) {
    (void)arg;
    hd_task *task = NULL;
    for (int i = 0; i < 5; i++)
        check((task = hd_scope_spawn(scope, clean_up_slowly, NULL)));
    check(until_waits(task, HD_WAITS_TIMER) == 0);
    hd_scope_cancel(scope);
    check(hd_cancelled());
    check(hd_sleep(1) == HD_ECANCELED);
    check(hd_await(task) == HD_ECANCELED); /* a level: also this await */
    return 3;
}

static int64_t cancel_the_scope(void *arg) {
    (void)arg;
    done = 0;
    check(hd_scope_run(HD_NEVER, leave_slow_ones, NULL) == 3);
    check(done == 5);
    check(!hd_cancelled() && hd_yield() == 0);
    return 0;
}

static void a_cancelled_scope_waits_for_its_tasks(void **state) {
    (void)state;
    passes(1, cancel_the_scope, NULL);
    passes(2, cancel_the_scope, NULL);
    passes(6, cancel_the_scope, NULL);
}

/* ---- failures ---- */

static int64_t fail_with_text(void *arg) {
    (void)arg;
    return hd_fail(HD_EINVAL, "seven is not even");
}

static int64_t one_fails(hd_scope *scope, void *arg) {
    (void)arg;
    hd_task *kept = hd_scope_spawn(scope, return_argument, (void *)6);
    for (int i = 0; i < 5; i++)
        check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    check(hd_scope_spawn(scope, fail_with_text, NULL));
    check(hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED);
    check(hd_task_done(kept) && hd_task_result(kept) == 6);
    return HD_ECANCELED;
}

static int64_t scope_with_failure(void *arg) {
    (void)arg;
    return hd_scope_run(HD_NEVER, one_fails, NULL);
}

static int64_t fail_in_scope(void *arg) {
    done = 0;
    hd_task *task = hd_spawn(scope_with_failure, arg);
    check(hd_await(task) == HD_EINVAL);
    check(strcmp(hd_task_error(task), "seven is not even") == 0);
    check(done == 5);
    hd_release(task);
    return 0;
}

static void the_first_failure_cancels_the_others_and_comes_out_with_its_text(void **state) {
    (void)state;
    passes(1, fail_in_scope, NULL);
    passes(2, fail_in_scope, NULL);
    passes(6, fail_in_scope, NULL);
}

static int64_t two_fail(hd_scope *scope, void *arg) {
    (void)arg;
    check(hd_scope_spawn(scope, return_argument, (void *)(intptr_t)HD_EBADF));
    check(hd_scope_spawn(scope, return_argument, (void *)(intptr_t)HD_EAGAIN));
    return hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED ? 0 : BROKE;
}

static int64_t body_fails(hd_scope *scope, void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++)
        check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    check(hd_yield() == 0 && hd_yield() == 0);
    return HD_EAGAIN;
}

static int64_t body_gives_up(hd_scope *scope, void *arg) {
    check(hd_scope_spawn(scope, sleep_long, arg));
    return HD_ECANCELED;
}

static int64_t cancelled_member(hd_scope *scope, void *arg) {
    hd_task *task = hd_scope_spawn(scope, sleep_long, arg);
    check(hd_scope_spawn(scope, count_after_a_while, arg));
    check(until_waits(task, HD_WAITS_TIMER) == 0);
    check(hd_cancel(task) == 0);
    check(hd_await(task) == HD_ECANCELED);
    return hd_sleep(HD_US(10)) ? BROKE : 4;
}

static int64_t several_endings(void *arg) {
    (void)arg;
    check(hd_scope_run(HD_NEVER, two_fail, NULL) == HD_EBADF);
    done = 0;
    check(hd_scope_run(HD_NEVER, body_fails, NULL) == HD_EAGAIN);
    check(done == 3);
    check(hd_scope_run(HD_NEVER, body_gives_up, NULL) == HD_ECANCELED);
    done = 0;
    check(hd_scope_run(HD_NEVER, cancelled_member, NULL) == 4);
    check(done == 1);
    return 0;
}

static void a_failure_counts_once_and_a_cancelled_task_is_none(void **state) {
    (void)state;
    passes(1, several_endings, NULL);
}

/* ---- deadlines ---- */

static int64_t wait_with_tasks(hd_scope *scope, void *arg) {
    (void)arg;
    for (int i = 0; i < 4; i++)
        check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    return hd_sleep(HD_SECONDS(3600));
}

static int64_t only_tasks(hd_scope *scope, void *arg) {
    (void)arg;
    for (int i = 0; i < 4; i++)
        check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    return 1;
}

static int64_t in_time(hd_scope *scope, void *arg) {
    check(hd_scope_spawn(scope, count_after_a_while, arg));
    return 2;
}

static int64_t deadlines(void *arg) {
    (void)arg;
    done = 0;
    check(hd_scope_run(hd_after(HD_MS(1)), wait_with_tasks, NULL) == HD_ETIMEDOUT);
    check(hd_scope_run(hd_after(HD_MS(1)), only_tasks, NULL) == HD_ETIMEDOUT);
    check(done == 8);
    check(hd_scope_run(1, wait_with_tasks, NULL) == HD_ETIMEDOUT);
    check(done == 12);
    check(hd_scope_run(hd_after(HD_SECONDS(3600)), in_time, NULL) == 2);
    hd_sys_fail_after(1000000); /* nothing fails, but the way there is gone */
    check(hd_scope_run(hd_after(HD_SECONDS(3600)), in_time, NULL) == 2);
    hd_sys_fail_after(0);
    return hd_yield();
}

static void a_deadline_cancels_body_and_tasks(void **state) {
    (void)state;
    passes(1, deadlines, NULL);
    passes(2, deadlines, NULL);
}

static int64_t no_memory(void *arg) {
    (void)arg;
    hd_sys_fail_after(1);
    check(hd_scope_run(hd_after(HD_SECONDS(3600)), in_time, NULL) == HD_ENOMEM);
    return hd_yield();
}

static void a_deadline_without_memory_is_refused(void **state) {
    (void)state;
    passes(1, no_memory, NULL);
}

/* ---- nesting ---- */

static int64_t inner_body(hd_scope *scope, void *arg) {
    *(bool *)arg = true;
    check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    int64_t slept = hd_sleep(HD_SECONDS(3600));
    done++;
    return slept;
}

static int64_t outer_body(hd_scope *scope, void *arg) {
    check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    check(hd_scope_run(HD_NEVER, inner_body, arg) == HD_ECANCELED);
    check(done >= 2 * *(bool *)arg); /* the inner one has ended, the outer one need not */
    return HD_ECANCELED;
}

static int64_t nested(void *arg) {
    (void)arg;
    bool inside = false; /* the deadline may come before it is */
    done = 0;
    check(hd_scope_run(hd_after(HD_MS(2)), outer_body, &inside) == HD_ETIMEDOUT);
    check(done == 1 + 2 * inside);
    return hd_yield();
}

static void an_outer_deadline_reaches_inner_scopes(void **state) {
    (void)state;
    passes(1, nested, NULL);
    passes(2, nested, NULL);
}

static int64_t wait_for_members(hd_scope *scope, void *arg) {
    return hd_scope_spawn(scope, clean_up_slowly, arg) ? 0 : BROKE;
}

static int64_t scope_of_members(void *arg) {
    return hd_scope_run(HD_NEVER, wait_for_members, arg);
}

static int64_t cancel_the_owner(void *arg) {
    (void)arg;
    done = 0;
    hd_task *owner = hd_spawn(scope_of_members, NULL);
    check(cancel_waiting(owner, HD_WAITS_TASK) == HD_ECANCELED);
    check(done == 1);
    return 0;
}

static void cancelling_the_owner_cancels_the_scope(void **state) {
    (void)state;
    passes(1, cancel_the_owner, NULL);
    passes(2, cancel_the_owner, NULL);
    passes(6, cancel_the_owner, NULL);
}

static int64_t spawn_into_cancelled(hd_scope *scope, void *arg) {
    (void)arg;
    hd_scope_cancel(scope);
    check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    check(hd_spawn_with(&(hd_spawn_options){.scope = scope, .detached = true, .start_ns = HD_NEVER},
                        clean_up_slowly, NULL));
    return 0;
}

static int64_t late_comers(void *arg) {
    done = 0;
    check(hd_scope_run(HD_NEVER, spawn_into_cancelled, arg) == 0);
    check(done == 2);
    return 0;
}

static void who_comes_into_a_cancelled_scope_is_cancelled(void **state) {
    (void)state;
    passes(1, late_comers, NULL);
    passes(2, late_comers, NULL);
}

static void *cancel_from_a_thread(void *arg) {
    hd_scope_cancel(arg);
    return NULL;
}

static int64_t cancelled_from_outside(hd_scope *scope, void *arg) {
    (void)arg;
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        check(hd_scope_spawn(scope, clean_up_slowly, NULL));
    check(pthread_create(&thread, NULL, cancel_from_a_thread, scope) == 0);
    int64_t result = hd_sleep(HD_SECONDS(3600));
    pthread_join(thread, NULL);
    return result;
}

static int64_t thread_cancels(void *arg) {
    (void)arg;
    done = 0;
    check(hd_scope_run(HD_NEVER, cancelled_from_outside, NULL) == HD_ECANCELED);
    check(done == 3);
    return 0;
}

static void any_thread_may_cancel_a_scope(void **state) {
    (void)state;
    passes(1, thread_cancels, NULL);
    passes(2, thread_cancels, NULL);
}

/* ---- from wherever they wait ---- */

enum { EVERYWHERE = HD_SCOPE_PARTS + 2 };

static struct {
    hd_runtime *runtime;
    hd_scope *scope;
    hd_event *all_there;
    _Atomic unsigned there, parts, cancelled;
} everywhere;

static int64_t sleep_until_cancelled(void *arg) {
    (void)arg;
    everywhere.cancelled += hd_sleep(HD_SECONDS(20)) == HD_ECANCELED;
    return 0;
}

/* It is listed at once, as its handle is the scope's: in this worker's part. */
static int64_t spawn_into_it(void *arg) {
    (void)arg;
    check(hd_scope_spawn(everywhere.scope, sleep_until_cancelled, NULL));
    everywhere.parts |= 1u << hd_here_get()->worker % HD_SCOPE_PARTS;
    if (++everywhere.there == EVERYWHERE)
        hd_event_set(everywhere.all_there);
    return 0;
}

/* From outside pinned tasks go to the workers in turn. */
static int64_t visit_all_workers(void *arg) {
    (void)arg;
    for (int i = 0; i < EVERYWHERE; i++)
        check(hd_spawn_with(
            &(hd_spawn_options){.runtime = everywhere.runtime, .pinned = true, .detached = true},
            spawn_into_it, NULL));
    return 0;
}

static int64_t list_in_all_parts(hd_scope *scope, void *arg) {
    (void)arg;
    everywhere.scope = scope;
    check(hd_blocking(HD_POOL_USER, visit_all_workers, NULL) == 0);
    check(hd_event_wait(everywhere.all_there, HD_NEVER) == 0);
    check(everywhere.parts == (1u << HD_SCOPE_PARTS) - 1);
    hd_scope_cancel(scope);
    return 0;
}

static int64_t cancel_those_everywhere(void *arg) {
    (void)arg;
    everywhere.runtime = hd_runtime_current();
    check((everywhere.all_there = hd_event_create()));
    check(hd_scope_run(HD_NEVER, list_in_all_parts, NULL) == 0);
    check(everywhere.cancelled == EVERYWHERE);
    hd_event_destroy(everywhere.all_there);
    return 0;
}

static void cancelling_reaches_who_waits_on_any_worker(void **state) {
    (void)state;
    passes(EVERYWHERE, cancel_those_everywhere, NULL);
}

/* ---- the root ---- */

static int64_t leave_everything(void *arg) {
    (void)arg;
    done = 0;
    for (int i = 0; i < 6; i++)
        hd_release(hd_spawn(clean_up_slowly, NULL));
    hd_release(hd_spawn_at(HD_NEVER, clean_up_slowly, NULL));
    hd_release(hd_spawn(fail_with_text, NULL)); /* no failure of the root's */
    return hd_yield() == 0 && hd_yield() == 0 ? 11 : BROKE;
}

static void what_a_root_task_leaves_is_cancelled_and_awaited(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        assert_int_equal(inside_run(loops, leave_everything, NULL), 11);
        assert_int_equal(done, 7);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_waits_for_its_tasks_and_what_they_spawn),
        cmocka_unit_test(who_is_awaited_elsewhere_still_belongs_to_it),
        cmocka_unit_test(a_cancelled_scope_waits_for_its_tasks),
        cmocka_unit_test(the_first_failure_cancels_the_others_and_comes_out_with_its_text),
        cmocka_unit_test(a_failure_counts_once_and_a_cancelled_task_is_none),
        cmocka_unit_test(a_deadline_cancels_body_and_tasks),
        cmocka_unit_test(a_deadline_without_memory_is_refused),
        cmocka_unit_test(an_outer_deadline_reaches_inner_scopes),
        cmocka_unit_test(cancelling_the_owner_cancels_the_scope),
        cmocka_unit_test(who_comes_into_a_cancelled_scope_is_cancelled),
        cmocka_unit_test(any_thread_may_cancel_a_scope),
        cmocka_unit_test(cancelling_reaches_who_waits_on_any_worker),
        cmocka_unit_test(what_a_root_task_leaves_is_cancelled_and_awaited),
    };
    return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
