#include "inside.h"
#include "lock.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 20000 };

static struct {
    hd_lock lock;
    long count;
    _Atomic int errno_changed;
} shared;

static void *count_up(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        errno = 4000 + i % 64;
        hd_lock_acquire(&shared.lock);
        long seen = shared.count;
        if (i % 1024 == 0)
            sched_yield(); /* now and then the others do have to sleep */
        shared.count = seen + 1;
        hd_lock_release(&shared.lock);
        if (errno != 4000 + i % 64)
            shared.errno_changed++;
    }
    return NULL;
}

static void one_thread_at_a_time_is_inside_and_errno_is_kept(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    hd_lock_init(&shared.lock);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.count, (long)THREADS * ROUNDS);
    assert_int_equal(shared.errno_changed, 0);
    assert_int_equal(atomic_load(&shared.lock.state), 0);
}

static struct {
    hd_lock lock;
    _Atomic int passed;
} crowd;

static void *pass_through(void *arg) {
    (void)arg;
    hd_lock_acquire(&crowd.lock);
    crowd.passed++;
    hd_lock_release(&crowd.lock);
    return NULL;
}

static void every_sleeper_is_woken_by_the_one_before(void **state) {
    (void)state;
    pthread_t threads[16];
    hd_lock_init(&crowd.lock);
    hd_lock_acquire(&crowd.lock);
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_through, NULL), 0);
    while (atomic_load(&crowd.lock.state) != 2) /* at least one of them sleeps */
        sched_yield();
    assert_int_equal(crowd.passed, 0);
    hd_lock_release(&crowd.lock);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.passed, 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time_is_inside_and_errno_is_kept),
        cmocka_unit_test(every_sleeper_is_woken_by_the_one_before),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
