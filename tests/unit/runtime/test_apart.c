/* Where threads run, and may run: needs two cores; with one there is nothing to keep apart, and that is what is seen. */
#include "inside.h"

#include "apart.h"
#include "brood.h"
#include "sys.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static cpu_set_t whole; /* what this process may use */

static cpu_set_t allowed(pid_t tid) {
    cpu_set_t set;
    CPU_ZERO(&set);
    assert_int_equal(sched_getaffinity(tid, sizeof set, &set), 0);
    return set;
}

static void assert_allowed(pid_t tid, const cpu_set_t *expected) {
    cpu_set_t set = allowed(tid);
    assert_true(CPU_EQUAL(&set, expected));
}

static void stay_on(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
}

static void roam(void) {
    assert_int_equal(sched_setaffinity(0, sizeof whole, &whole), 0);
}

static cpu_set_t whole_but(int core) {
    cpu_set_t set = whole;
    CPU_CLR(core, &set);
    return CPU_COUNT(&set) ? set : whole;
}

/* A thread that sleeps until it is to look where it is. */
typedef struct sleeper {
    hd_apart apart;
    sem_t begun, go;
    pid_t tid;
    cpu_set_t in_the_end;
} sleeper;

static void *sleep_and_settle(void *arg) {
    sleeper *self = arg;
    self->tid = (pid_t)syscall(SYS_gettid);
    sem_post(&self->begun);
    sem_wait(&self->go);
    hd_apart_woken(&self->apart);
    sched_getaffinity(0, sizeof self->in_the_end, &self->in_the_end);
    return NULL;
}

static void a_sleeper_is_kept_off_its_wakers_core_until_it_runs(void **state) {
    (void)state;
    sleeper other = {0};
    pthread_t thread;
    hd_apart_init(&other.apart);
    sem_init(&other.begun, 0, 0);
    sem_init(&other.go, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, sleep_and_settle, &other), 0);
    sem_wait(&other.begun);
    stay_on(sched_getcpu());
    cpu_set_t rest = whole_but(sched_getcpu());
    hd_apart_wake(&other.apart, other.tid); /* nobody has found it beside its waker yet */
    assert_allowed(other.tid, &whole);
    other.apart.until_ns = hd_sys_now() + HD_SECONDS(60);
    hd_apart_wake(&other.apart, other.tid);
    assert_allowed(other.tid, &rest);
    roam();
    sem_post(&other.go);
    pthread_join(thread, NULL);
    assert_true(CPU_EQUAL(&other.in_the_end, &whole));
    sem_destroy(&other.begun);
    sem_destroy(&other.go);
}

static void who_finds_itself_beside_its_waker_moves_and_says_so(void **state) {
    (void)state;
    hd_apart apart;
    hd_apart_init(&apart);
    hd_apart_woken(&apart); /* nobody has kicked it */
    assert_int_equal(apart.until_ns, 0);
    stay_on(sched_getcpu());
    int core = sched_getcpu();
    apart.core = core;
    cpu_set_t only = allowed(0);
    hd_apart_woken(&apart); /* it has nowhere else to go */
    assert_allowed(0, &only);
    assert_int_equal(apart.until_ns, 0);
    roam();
    if (CPU_COUNT(&whole) < 2)
        return;
    /* it may have been moved since it was let go */
    for (uint64_t limit = hd_after(HD_SECONDS(60)); !apart.until_ns && hd_now() < limit;) {
        apart.core = sched_getcpu();
        hd_apart_woken(&apart);
    }
    assert_true(apart.until_ns > hd_sys_now());
    assert_allowed(0, &whole);
}

/* The other cores have the children then, and the kernel knew that. */
static void nobody_moves_or_is_kept_off_while_a_child_is_young(void **state) {
    (void)state;
    hd_apart moves, kept_off;
    bool young;
    uint64_t limit = hd_after(HD_SECONDS(60));
    do { /* again if it has grown up meanwhile */
        hd_brood_born();
        hd_brood_died();
        hd_apart_init(&moves);
        moves.core = sched_getcpu();
        hd_apart_woken(&moves);
        hd_apart_init(&kept_off);
        kept_off.until_ns = hd_sys_now() + HD_SECONDS(60);
        hd_apart_wake(&kept_off, (pid_t)syscall(SYS_gettid));
        roam();
    } while (!(young = hd_brood_young()) && hd_now() < limit);
    assert_true(young);
    assert_int_equal(moves.until_ns, 0);
    assert_false(kept_off.narrowed);
    while (hd_brood_young() && hd_now() < limit)
        sched_yield();
    assert_false(hd_brood_young());
}

static int64_t look(void *arg) {
    cpu_set_t set;
    check(sched_getaffinity(0, sizeof set, &set) == 0);
    check(CPU_EQUAL(&set, (cpu_set_t *)arg));
    return 0;
}

enum { BURSTS = 200, TASKS = 64 };

static int64_t burst_again_and_again(void *arg) {
    for (int i = 0; i < BURSTS; i++) {
        hd_task *tasks[TASKS];
        check(hd_sleep(HD_US(200)) == 0);
        for (int j = 0; j < TASKS; j++)
            check(tasks[j] = hd_spawn(look, arg));
        check(hd_gather(tasks, TASKS, NULL) == 0);
        for (int j = 0; j < TASKS; j++)
            hd_release(tasks[j]);
    }
    return 0;
}

/* What they start would inherit it. */
static void tasks_may_use_what_the_process_may(void **state) {
    (void)state;
    assert_int_equal(inside_run(2, burst_again_and_again, &whole), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeper_is_kept_off_its_wakers_core_until_it_runs),
        cmocka_unit_test(who_finds_itself_beside_its_waker_moves_and_says_so),
        cmocka_unit_test(nobody_moves_or_is_kept_off_while_a_child_is_young),
        cmocka_unit_test(tasks_may_use_what_the_process_may),
    };
    whole = allowed(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
