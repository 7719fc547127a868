/* Awaiting tasks: one, all, the first; and that each promise about who is cancelled and who has ended holds. */
#include "inside.h"
#include "sys.h"
#include "task.h"

#include <stdlib.h>
#include <time.h>

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

static int64_t sleep_long(void *arg) {
    (void)arg;
    return hd_sleep(HD_SECONDS(3600));
}

static int64_t shrug_it_off(void *arg) {
    (void)arg;
    return hd_sleep(HD_SECONDS(3600)) ? 5 : BROKE;
}

static int64_t clean_up_slowly(void *arg) {
    int result = hd_sleep(HD_SECONDS(3600));
    hd_shield_begin();
    check(hd_sleep(HD_MS(3)) == 0);
    *(bool *)arg = true;
    hd_shield_end();
    return result;
}

/* ---- one ---- */

static int64_t await_one(void *arg) {
    (void)arg;
    hd_task *before = hd_spawn(return_argument, (void *)3), *after = hd_spawn(return_argument, (void *)-3);
    check(hd_await(before) == 3);
    check(hd_task_done(before));
    check(hd_await(before) == 3);
    check(hd_await(after) == -3);
    check(hd_await_until(after, 0) == -3);
    check(hd_await(hd_self()) == HD_EDEADLK);
    check(hd_await(NULL) == HD_EINVAL);
    hd_release(before);
    hd_release(after);
    return 0;
}

static void an_await_gives_the_result_as_often_as_asked(void **state) {
    (void)state;
    passes(1, await_one, NULL);
    passes(2, await_one, NULL);
}

static int64_t await_in_vain(void *arg) {
    (void)arg;
    bool cleaned = false;
    hd_task *task = hd_spawn(clean_up_slowly, &cleaned);
    check(hd_await_until(task, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    check(hd_task_done(task) && cleaned);
    hd_release(task);
    task = hd_spawn(shrug_it_off, NULL);
    check(hd_await_until(task, hd_after(HD_MS(1))) == 5);
    hd_release(task);
    task = hd_spawn(sleep_long, NULL);
    check(hd_await_until(task, 1) == HD_ETIMEDOUT); /* long past */
    check(hd_task_done(task));
    hd_release(task);
    return 0;
}

static void when_time_is_up_the_task_is_cancelled_and_has_ended(void **state) {
    (void)state;
    passes(1, await_in_vain, NULL);
    passes(2, await_in_vain, NULL);
}

static int64_t await_it(void *arg) {
    int64_t result = hd_await(arg);
    return hd_task_done(arg) ? result : BROKE;
}

static int64_t cancel_chain(void *arg) {
    (void)arg;
    bool cleaned = false;
    hd_task *last = hd_spawn(clean_up_slowly, &cleaned);
    hd_task *middle = hd_spawn(await_it, last), *first = hd_spawn(await_it, middle);
    check(until_waits(first, HD_WAITS_TASK) == 0 && until_waits(middle, HD_WAITS_TASK) == 0 &&
          until_waits(last, HD_WAITS_TIMER) == 0);
    check(hd_cancel(first) == 0);
    check(hd_join(first) == HD_ECANCELED);
    check(cleaned && hd_task_result(middle) == HD_ECANCELED && hd_task_result(last) == HD_ECANCELED);
    hd_release(middle);
    hd_release(last);
    return 0;
}

static void cancelling_who_awaits_cancels_what_it_awaits_and_all_have_ended(void **state) {
    (void)state;
    passes(1, cancel_chain, NULL);
    passes(2, cancel_chain, NULL);
}

static int64_t await_cancelled_from_the_start(void *arg) {
    (void)arg;
    bool cleaned = false;
    hd_task *task = hd_spawn(clean_up_slowly, &cleaned), *awaiter = hd_spawn(await_it, task);
    check(hd_cancel(awaiter) == 0);
    check(hd_join(awaiter) == HD_ECANCELED);
    check(cleaned);
    hd_release(task);
    return 0;
}

static void a_cancelled_task_that_awaits_gives_the_cancellation_on(void **state) {
    (void)state;
    passes(1, await_cancelled_from_the_start, NULL);
}

static int64_t many_await_one(void *arg) {
    (void)arg;
    hd_task *awaiters[30], *task = hd_spawn_at(hd_after(HD_MS(1)), return_argument, (void *)9);
    for (int i = 0; i < 30; i++)
        check((awaiters[i] = hd_spawn(await_it, task)));
    for (int i = 0; i < 30; i++)
        check(hd_join(awaiters[i]) == 9);
    hd_release(task);
    return 0;
}

static void many_may_await_the_same_task(void **state) {
    (void)state;
    passes(1, many_await_one, NULL);
    passes(2, many_await_one, NULL);
}

static int64_t await_without_memory(void *arg) {
    (void)arg;
    hd_task *task = hd_spawn(sleep_long, NULL);
    hd_sys_fail_after(1); /* the worker's heap of timers has no slots yet */
    check(hd_await_until(task, hd_after(HD_SECONDS(3600))) == HD_ENOMEM);
    check(hd_task_done(task));
    hd_release(task);
    return 0;
}

static void an_await_that_fails_has_ended_the_task_too(void **state) {
    (void)state;
    passes(1, await_without_memory, NULL);
}

/* ---- nobody ---- */

static _Atomic int failed;

static int64_t fail_with_text(void *arg) {
    failed++;
    return hd_fail(HD_EBADF, "number %d", (int)(intptr_t)arg);
}

static int64_t leave_failures(void *arg) {
    (void)arg;
    failed = 0;
    hd_task *kept = hd_spawn(fail_with_text, (void *)1);
    hd_release(hd_spawn(fail_with_text, (void *)2));
    check(hd_spawn_with(&(hd_spawn_options){.detached = true}, fail_with_text, (void *)3));
    while (failed < 3)
        check(hd_yield() == 0);
    while (!hd_task_done(kept))
        check(hd_yield() == 0);
    /* nothing happens to who spawned them, and the result stays for who asks later */
    check(!hd_cancelled() && hd_sleep(HD_US(10)) == 0);
    check(hd_task_result(kept) == HD_EBADF && strcmp(hd_task_error(kept), "number 1") == 0);
    hd_release(kept);
    return 0;
}

static void a_failure_that_nobody_awaits_stays_with_its_handle(void **state) {
    (void)state;
    passes(1, leave_failures, NULL);
    passes(2, leave_failures, NULL);
}

static int64_t fail_at_length(void *arg) {
    char text[1000];
    (void)arg;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    (void)hd_fail(HD_EBADF, "first");
    return hd_fail(HD_EINVAL, "%s", text);
}

static int64_t fail_without_memory(void *arg) {
    (void)arg;
    hd_sys_fail_after(1);
    int64_t code = hd_fail(HD_EINVAL, "a text");
    hd_sys_fail_after(0);
    return code;
}

static int64_t read_texts(void *arg) {
    (void)arg;
    hd_task *wordy = hd_spawn(fail_at_length, NULL), *silent = hd_spawn(fail_without_memory, NULL);
    check(strcmp(hd_task_error(wordy), "") == 0);
    check(hd_await(wordy) == HD_EINVAL && strlen(hd_task_error(wordy)) == 511);
    check(hd_await(silent) == HD_EINVAL && strcmp(hd_task_error(silent), "") == 0);
    hd_release(wordy);
    hd_release(silent);
    return 0;
}

static void a_text_is_the_last_one_cut_or_none_without_memory(void **state) {
    (void)state;
    passes(1, read_texts, NULL);
}

/* ---- gather ---- */

enum { MANY = 40 };

static int64_t sleep_then_return(void *arg) {
    intptr_t value = (intptr_t)arg;
    int slept = hd_sleep(HD_US(value % 7 * 50));
    return slept ? slept : value;
}

static int64_t gather_many(void *arg) {
    (void)arg;
    hd_task *tasks[MANY];
    int64_t results[MANY];
    for (intptr_t i = 0; i < MANY; i++)
        check((tasks[i] = hd_spawn(sleep_then_return, (void *)i)));
    check(hd_gather(tasks, MANY, results) == 0);
    for (int i = 0; i < MANY; i++)
        check(results[i] == i);
    check(hd_gather(tasks, MANY, results) == 0);
    check(hd_gather((hd_task *[]){tasks[1], tasks[1]}, 2, results) == 0 && results[0] == 1 &&
          results[1] == 1);
    check(hd_gather(NULL, 0, NULL) == 0);
    check(hd_gather((hd_task *[]){hd_self()}, 1, NULL) == HD_EDEADLK);
    check(hd_gather((hd_task *[]){NULL}, 1, NULL) == HD_EINVAL);
    for (int i = 0; i < MANY; i++)
        hd_release(tasks[i]);
    return 0;
}

static void gathered_results_are_in_the_order_asked_for(void **state) {
    (void)state;
    passes(1, gather_many, NULL);
    passes(2, gather_many, NULL);
}

static int64_t gather_with_a_failure(void *arg) {
    (void)arg;
    int64_t results[4];
    hd_task *tasks[4] = {hd_spawn(sleep_long, NULL), hd_spawn(return_argument, (void *)6),
                         hd_spawn(return_argument, (void *)(intptr_t)HD_EAGAIN), hd_spawn(sleep_long, NULL)};
    check(hd_gather(tasks, 4, results) == HD_EAGAIN);
    check(!hd_task_done(tasks[0]) && !hd_task_done(tasks[3]));
    check(results[0] == HD_EAGAIN && results[1] == 6 && results[2] == HD_EAGAIN && results[3] == HD_EAGAIN);
    hd_task_info info;
    hd_task_inspect(tasks[0], &info);
    check(!info.cancelled);
    hd_cancel(tasks[3]);
    /* a cancelled one is a failure to who gathers it, as in asyncio */
    check(hd_gather(&tasks[3], 1, NULL) == HD_ECANCELED);
    hd_cancel(tasks[0]);
    for (int i = 0; i < 4; i++)
        hd_release(tasks[i]);
    return 0;
}

static void the_first_failure_ends_a_gather_and_the_others_go_on(void **state) {
    (void)state;
    passes(1, gather_with_a_failure, NULL);
}

static int64_t gather_them(void *arg) {
    int64_t results[MANY], result = hd_gather(arg, MANY, results);
    for (int i = 0; i < MANY; i++)
        check(hd_task_done(((hd_task **)arg)[i]) && results[i] == HD_ECANCELED);
    return result;
}

static int64_t cancel_a_gather(void *arg) {
    (void)arg;
    hd_task *tasks[MANY];
    bool cleaned[MANY] = {false};
    for (int when = 0; when < 2; when++) {
        memset(cleaned, 0, sizeof cleaned);
        for (int i = 0; i < MANY; i++)
            check((tasks[i] = hd_spawn(clean_up_slowly, &cleaned[i])));
        hd_task *gatherer = hd_spawn(gather_them, tasks);
        if (when == 1)
            check(until_waits(gatherer, HD_WAITS_TASK) == 0);
        check(hd_cancel(gatherer) == 0);
        check(hd_join(gatherer) == HD_ECANCELED);
        for (int i = 0; i < MANY; i++) {
            check(cleaned[i]);
            hd_release(tasks[i]);
        }
    }
    return 0;
}

static void a_cancelled_gather_cancels_all_and_awaits_them(void **state) {
    (void)state;
    passes(1, cancel_a_gather, NULL);
    passes(2, cancel_a_gather, NULL);
}

static int64_t gather_without_memory(void *arg) {
    (void)arg;
    hd_task *tasks[MANY];
    for (int i = 0; i < MANY; i++)
        check((tasks[i] = hd_spawn(sleep_long, NULL)));
    hd_sys_fail_after(1);
    check(hd_wait(tasks, MANY, HD_WAIT_ALL, HD_NEVER) == HD_ENOMEM);
    check(!hd_task_done(tasks[0]));
    hd_sys_fail_after(1);
    check(hd_gather(tasks, MANY, NULL) == HD_ENOMEM);
    for (int i = 0; i < MANY; i++) {
        check(hd_task_done(tasks[i]));
        hd_release(tasks[i]);
    }
    return 0;
}

static void without_memory_a_gather_leaves_no_task_behind(void **state) {
    (void)state;
    passes(1, gather_without_memory, NULL);
}

/* ---- wait ---- */

static int64_t wait_modes(void *arg) {
    (void)arg;
    hd_task *slow = hd_spawn(sleep_long, NULL), *good = hd_spawn(return_argument, (void *)1);
    hd_task *bad = hd_spawn(return_argument, (void *)-1);
    check(hd_wait((hd_task *[]){slow, good}, 2, HD_WAIT_FIRST_DONE, HD_NEVER) == 1);
    check(hd_wait((hd_task *[]){slow, good, bad}, 3, HD_WAIT_FIRST_FAILED, HD_NEVER) == 2);
    check(hd_wait((hd_task *[]){good, bad}, 2, HD_WAIT_ALL, HD_NEVER) == 2);
    check(hd_wait(&good, 1, HD_WAIT_FIRST_FAILED, HD_NEVER) == 1);
    check(hd_wait((hd_task *[]){good, bad}, 2, HD_WAIT_FIRST_DONE, 0) == 0);
    check(hd_wait(&slow, 1, HD_WAIT_ALL, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    check(hd_wait(&slow, 1, HD_WAIT_FIRST_DONE, 1) == HD_ETIMEDOUT);
    check(!hd_task_done(slow));
    check(hd_wait(NULL, 0, HD_WAIT_ALL, HD_NEVER) == 0);
    check(hd_wait(NULL, 0, HD_WAIT_FIRST_DONE, HD_NEVER) == HD_EINVAL);
    check(hd_wait(NULL, 0, HD_WAIT_FIRST_FAILED, HD_NEVER) == HD_EINVAL);
    hd_task_info info;
    hd_task_inspect(slow, &info);
    check(!info.cancelled);
    check(hd_cancel(slow) == 0);
    check(hd_wait(&slow, 1, HD_WAIT_FIRST_FAILED, HD_NEVER) == 0);
    hd_release(slow);
    hd_release(good);
    hd_release(bad);
    return 0;
}

static void each_mode_of_waiting_tells_who_decided(void **state) {
    (void)state;
    passes(1, wait_modes, NULL);
    passes(2, wait_modes, NULL);
}

static int64_t wait_for_it(void *arg) {
    return hd_wait((hd_task *[]){arg}, 1, HD_WAIT_ALL, HD_NEVER);
}

static int64_t cancel_a_wait(void *arg) {
    (void)arg;
    hd_task *task = hd_spawn(sleep_long, NULL), *waiter = hd_spawn(wait_for_it, task);
    check(cancel_waiting(waiter, HD_WAITS_TASK) == HD_ECANCELED);
    check(!hd_task_done(task));
    hd_task_info info;
    hd_task_inspect(task, &info);
    check(!info.cancelled);
    hd_cancel(task);
    return hd_join(task) == HD_ECANCELED ? 0 : BROKE;
}

static void a_cancelled_wait_cancels_nothing(void **state) {
    (void)state;
    passes(1, cancel_a_wait, NULL);
    passes(2, cancel_a_wait, NULL);
}

/* ---- all at once ---- */

static int64_t brief(void *arg) {
    uintptr_t seed = (uintptr_t)arg;
    int result = seed % 3 ? hd_sleep(HD_US(seed % 30)) : hd_yield();
    return result ? result : seed % 5 ? 0 : HD_EAGAIN;
}

static int64_t gather_brief_ones(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    hd_task *tasks[20];
    int64_t results[20], result = 0;
    for (int i = 0; i < 20; i++)
        check((tasks[i] = hd_spawn(brief, (void *)(uintptr_t)rand_r(&seed))));
    switch (rand_r(&seed) % 3) {
    case 0: result = hd_gather(tasks, 20, results); break;
    case 1: result = hd_wait(tasks, 20, HD_WAIT_FIRST_DONE, hd_after(HD_US(rand_r(&seed) % 30))); break;
    default: result = hd_wait(tasks, 20, HD_WAIT_FIRST_FAILED, hd_after(HD_US(rand_r(&seed) % 30)));
    }
    for (int i = 0; i < 20; i++)
        hd_release(tasks[i]);
    return result < 20 + 1 ? 0 : BROKE;
}

static int64_t rounds(void *arg) {
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < 40; i++) {
        hd_task *tasks[12];
        for (int j = 0; j < 12; j++)
            check((tasks[j] = hd_spawn(gather_brief_ones, (void *)(uintptr_t)rand_r(&seed))));
        check(hd_yield() == 0);
        for (int j = 0; j < 12; j += 2)
            (void)hd_cancel(tasks[j]);
        for (int j = 0; j < 12; j++)
            check(hd_join(tasks[j]) == 0);
    }
    return 0;
}

static void waiting_for_several_survives_everything_at_once(void **state) {
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (unsigned loops = 1; loops <= 3; loops++)
        passes(loops, rounds, &seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_await_gives_the_result_as_often_as_asked),
        cmocka_unit_test(when_time_is_up_the_task_is_cancelled_and_has_ended),
        cmocka_unit_test(cancelling_who_awaits_cancels_what_it_awaits_and_all_have_ended),
        cmocka_unit_test(a_cancelled_task_that_awaits_gives_the_cancellation_on),
        cmocka_unit_test(many_may_await_the_same_task),
        cmocka_unit_test(an_await_that_fails_has_ended_the_task_too),
        cmocka_unit_test(a_failure_that_nobody_awaits_stays_with_its_handle),
        cmocka_unit_test(a_text_is_the_last_one_cut_or_none_without_memory),
        cmocka_unit_test(gathered_results_are_in_the_order_asked_for),
        cmocka_unit_test(the_first_failure_ends_a_gather_and_the_others_go_on),
        cmocka_unit_test(a_cancelled_gather_cancels_all_and_awaits_them),
        cmocka_unit_test(without_memory_a_gather_leaves_no_task_behind),
        cmocka_unit_test(each_mode_of_waiting_tells_who_decided),
        cmocka_unit_test(a_cancelled_wait_cancels_nothing),
        cmocka_unit_test(waiting_for_several_survives_everything_at_once),
    };
    return cmocka_run_group_tests_name("await", tests, NULL, NULL);
}
