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

/* A task on its way. */
typedef struct walk {
    intptr_t own; /* from 1 */
    long thread;
    uint64_t until_ns; /* generous, so that a machine on which nothing ever migrates does not hang the test */
} walk;

static walk set_out(void *arg) {
    return (walk){.own = (intptr_t)arg, .thread = thread_now(), .until_ns = hd_after(HD_SECONDS(40))};
}

/* Each wakes some other one, which comes to its worker for that, before it waits for its own turn. There are as many turns
 * as tasks that are not waiting for one, so some task is always awake. */
static hd_semaphore *turns[TASKS + 1];

static void let_all_go(void) {
    enough = true;
    for (int i = 1; i <= TASKS; i++)
        hd_semaphore_release(turns[i]);
}

static bool go_on(walk *self) {
    long now = thread_now();
    bool over = enough || hd_now() > self->until_ns;
    over |= now != self->thread && ++migrations >= ENOUGH;
    self->thread = now;
    if (over)
        let_all_go();
    return !over;
}

static void compute(void) {
    for (uint64_t end = hd_after(HD_US(15)); hd_now() < end;) {}
}

static int await_something(const walk *self, int i) {
    compute();
    if (i % 16 == 0)
        return hd_sleep(HD_US(20));
    if (i % 4 == 0)
        return hd_yield();
    hd_semaphore_release(turns[1 + (self->own * 7 + i * 13) % TASKS]);
    return hd_semaphore_acquire(turns[self->own], HD_NEVER);
}

static int64_t wander(hd_fn look, void *arg) {
    hd_task *tasks[TASKS];
    (void)arg;
    migrations = 0;
    enough = false;
    for (int i = 1; i <= TASKS; i++)
        check((turns[i] = hd_semaphore_create(0)));
    for (intptr_t i = 0; i < TASKS; i++)
        check((tasks[i] = hd_spawn(look, (void *)(i + 1))));
    int64_t result = hd_gather(tasks, TASKS, NULL);
    let_all_go(); /* after a failure the others are to end, too */
    for (int i = 0; i < TASKS; i++) {
        int64_t one = hd_join(tasks[i]);
        result = result ? result : one;
    }
    for (int i = 1; i <= TASKS; i++)
        hd_semaphore_destroy(turns[i]);
    check(migrations >= ENOUGH);
    return result;
}

/* ---- errno ---- */

static int64_t keep_errno(void *arg) {
    int own = 1000 + (int)(intptr_t)arg;
    walk self = set_out(arg);
    for (int i = 0; go_on(&self); i++) {
        errno = own;
        check(await_something(&self, i) == 0);
        check(errno == own);
    }
    return 0;
}

static int64_t fresh_errno(void *arg) {
    walk self = set_out(arg);
    for (int i = 0; go_on(&self); i++) {
        /* looked at before the await, in between set by the kernel's refusals, in the same function: what an address that
         * was kept would get wrong */
        errno = 0;
        check(await_something(&self, i) == 0);
        check(close(-1) == -1);
        check(errno == EBADF);
        check(await_something(&self, i + 1) == 0);
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

static int64_t spoil_errno(void *arg) {
    errno = 5;
    int result = arg ? hd_sleep(HD_US(50)) : 0;
    check(errno == 5);
    return result;
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
    /* on this task's own stack, perhaps */
    check(hd_join(hd_spawn(spoil_errno, NULL)) == 0 && errno == 77);
    check(hd_join(hd_spawn(spoil_errno, event)) == 0 && errno == 77);
    hd_task *task = hd_spawn_at(hd_after(HD_MS(1)), spoil_errno, event);
    check(task && errno == 77);
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
    walk way = set_out(arg);
    for (int i = 0; go_on(&way); i++) {
        check(hd_here_current(&hd_worker_self()->here) == self);
        check(await_something(&way, i) == 0);
        check(hd_here_current(&hd_worker_self()->here) == self);
        check(hd_self() == self);
        check(hd_runtime_current() == runtime);
        check(hd_worker_poller() == &hd_worker_self()->serves->poller);
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
