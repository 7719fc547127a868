/* A task may resume on another thread, and compilers keep the addresses of thread-locals across calls. Here tasks wander
 * between workers all the time, and each look at errno, at "my worker" and at "my task" must be one of the thread
 * that they are on. It is built once more with link-time optimisation, -O3 and -fPIC, where compilers see everything. */
#include "inside.h"
#include "worker.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { TASKS = 32, ENOUGH = 300 };

static _Atomic int migrations;
static _Atomic bool enough;

/* The thread by the kernel's word, which no compiler can keep. */
static long thread_now(void) {
    return syscall(SYS_gettid);
}

static bool go_on(long *last) {
    long now = thread_now();
    if (now != *last && ++migrations >= ENOUGH)
        enough = true;
    *last = now;
    return !enough;
}

static void compute(void) {
    for (uint64_t end = hd_after(HD_US(15)); hd_now() < end;) {}
}

/* A generous limit, so that a machine on which nothing ever migrates does not hang the test. */
static bool given_up(uint64_t begun) {
    return hd_now() - begun > HD_SECONDS(40);
}

static int await_something(int i) {
    compute();
    if (i % 16 == 0)
        return hd_sleep(HD_US(20));
    return hd_yield();
}

static int64_t wander(hd_fn look, void *arg) {
    hd_task *tasks[TASKS];
    (void)arg;
    migrations = 0;
    enough = false;
    for (intptr_t i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(look, (void *)(i + 1))));
    int64_t result = hd_gather(tasks, TASKS, NULL);
    enough = true; /* after a failure the others are to end, too */
    for (int i = 0; i < TASKS; i++) {
        int64_t one = hd_join(tasks[i]);
        result = result ? result : one;
    }
    check(migrations >= ENOUGH);
    return result;
}

/* ---- errno ---- */

static int64_t keep_errno(void *arg) {
    int own = 1000 + (int)(intptr_t)arg;
    long thread = thread_now();
    uint64_t begun = hd_now();
    for (int i = 0; go_on(&thread) && !given_up(begun); i++) {
        errno = own;
        check(await_something(i) == 0);
        check(errno == own);
    }
    return 0;
}

static int64_t fresh_errno(void *arg) {
    long thread = thread_now();
    uint64_t begun = hd_now();
    (void)arg;
    for (int i = 0; go_on(&thread) && !given_up(begun); i++) {
        /* looked at before the await, in between set by the kernel's refusals, in the same function: what an address that
         * was kept would get wrong */
        errno = 0;
        check(await_something(i) == 0);
        check(close(-1) == -1);
        check(errno == EBADF);
        check(await_something(i + 1) == 0);
        check(errno == EBADF);
        check(syscall(SYS_kill, 0x7ffffff0, 0) == -1);
        check(errno == ESRCH);
    }
    return 0;
}

static int64_t errno_kept(void *arg) {
    return wander(keep_errno, arg);
}

static int64_t errno_fresh(void *arg) {
    return wander(fresh_errno, arg);
}

static void an_await_keeps_errno_also_on_another_thread(void **state) {
    (void)state;
    passes(2, errno_kept, NULL);
}

static void errno_after_an_await_is_the_new_threads(void **state) {
    (void)state;
    passes(2, errno_fresh, NULL);
}

static int64_t each_await(void *arg) {
    (void)arg;
    hd_mutex *mutex = hd_mutex_create();
    hd_event *event = hd_event_create();
    errno = 77;
    check(hd_sleep(HD_US(50)) == 0 && errno == 77);
    check(hd_yield() == 0 && errno == 77);
    check(hd_mutex_lock(mutex) == 0 && hd_mutex_unlock(mutex) == 0 && errno == 77);
    check(hd_event_wait(event, hd_after(HD_MS(1))) == HD_ETIMEDOUT && errno == 77);
    hd_task *task = hd_spawn_at(hd_after(HD_MS(1)), keep_errno, NULL);
    check(task && errno == 77);
    enough = true;
    check(hd_await(task) == 0 && errno == 77);
    check(hd_gather(&task, 1, NULL) == 0 && errno == 77);
    check(hd_wait(&task, 1, HD_WAIT_ALL, HD_NEVER) == 1 && errno == 77);
    hd_release(task);
    hd_mutex_destroy(mutex);
    hd_event_destroy(event);
    return errno == 77 ? 0 : BROKE;
}

static void every_kind_of_await_keeps_errno(void **state) {
    (void)state;
    passes(1, each_await, NULL);
    passes(2, each_await, NULL);
}

/* ---- the runtime's own ---- */

static int64_t right_worker(void *arg) {
    hd_task *self = hd_self();
    hd_runtime *runtime = hd_runtime_current();
    long thread = thread_now();
    uint64_t begun = hd_now();
    (void)arg;
    for (int i = 0; go_on(&thread) && !given_up(begun); i++) {
        check(hd_worker_self()->current == self);
        check(await_something(i) == 0);
        check(hd_worker_self()->current == self);
        check(hd_self() == self);
        check(hd_runtime_current() == runtime);
        check(hd_worker_fibers() == &hd_worker_self()->fibers);
    }
    return 0;
}

static int64_t workers_right(void *arg) {
    return wander(right_worker, arg);
}

static void the_worker_and_the_task_are_looked_up_afresh(void **state) {
    (void)state;
    passes(2, workers_right, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_await_keeps_errno_also_on_another_thread),
        cmocka_unit_test(errno_after_an_await_is_the_new_threads),
        cmocka_unit_test(every_kind_of_await_keeps_errno),
        cmocka_unit_test(the_worker_and_the_task_are_looked_up_afresh),
    };
    return cmocka_run_group_tests_name("thread-local", tests, NULL, NULL);
}
