/* The lock: one thread at a time is inside, whoever holds it and however long; and its bias, which is given to the worker of a
 * runtime with one loop, and taken away at whatever moment. */
#include "inside.h"
#include "lock.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 4, ROUNDS = 20000 };

static struct {
    hd_biased_lock lock; /* with or without */
    long count;          /* plain: the lock is all that orders it */
    _Atomic int wrong;
} shared;

static void *count_up(void *arg) {
    hd_lock *lock = &shared.lock.lock;
    for (int i = 0; i < ROUNDS; i++) {
        errno = 4000 + i % 64;
        hd_lock_acquire(lock);
        long seen = shared.count;
        if (i % 1024 == 0)
            sched_yield(); /* now and then the others have to step back */
        shared.count = seen + 1;
        hd_lock_release(lock);
        shared.wrong += errno != 4000 + i % 64;
    }
    return arg;
}

static void one_thread_at_a_time_is_inside_and_errno_is_kept(void **state) {
    (void)state;
    for (int fresh = 0; fresh < 2; fresh++) { /* threads get no bias */
        pthread_t threads[THREADS];
        memset(&shared, 0, sizeof shared);
        if (fresh)
            hd_biased_lock_init(&shared.lock);
        else
            hd_lock_init(&shared.lock.lock);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(shared.count, (long)THREADS * ROUNDS);
        assert_int_equal(shared.wrong, 0);
        assert_true(hd_lock_is_free(&shared.lock.lock));
        assert_int_equal(atomic_load(&shared.lock.lock.state), HD_LOCK_FREE);
    }
}

static struct {
    hd_lock lock;
    _Atomic int came, passed;
} crowd;

static void *pass_through(void *arg) {
    crowd.came++;
    hd_lock_acquire(&crowd.lock);
    crowd.passed++;
    hd_lock_release(&crowd.lock);
    return arg;
}

/* Long enough that those who wait have gone over to sleeping. */
static void all_get_in_after_a_holder_that_was_long(void **state) {
    (void)state;
    pthread_t threads[16];
    hd_lock_init(&crowd.lock);
    crowd.came = crowd.passed = 0;
    hd_lock_acquire(&crowd.lock);
    assert_false(hd_lock_is_free(&crowd.lock));
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_through, NULL), 0);
    while (crowd.came < 16)
        sched_yield();
    for (uint64_t end = hd_after(HD_MS(5)); hd_now() < end;)
        sched_yield();
    assert_int_equal(crowd.passed, 0);
    hd_lock_release(&crowd.lock);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.passed, 16);
    assert_true(hd_lock_is_free(&crowd.lock));
}

/* ---- bias ---- */

static uint32_t state_of_shared(void) {
    return atomic_load(&shared.lock.lock.state);
}

static void *take_and_free(void *arg) {
    hd_lock_acquire(&shared.lock.lock);
    shared.count++;
    hd_lock_release(&shared.lock.lock);
    return arg;
}

static int64_t have_a_bias(void *arg) {
    pthread_t thread;
    (void)arg;
    hd_biased_lock_init(&shared.lock);
    check(state_of_shared() == HD_LOCK_FRESH);
    take_and_free(NULL);
    if (state_of_shared() == HD_LOCK_FREE)
        return 0; /* there is no membarrier here */
    check(state_of_shared() == HD_LOCK_BIASED);
    hd_lock_acquire(&shared.lock.lock);
    check(state_of_shared() == HD_LOCK_BIASED && shared.lock.busy == 1);
    check(!hd_lock_is_free(&shared.lock.lock));
    hd_lock_release(&shared.lock.lock);
    check(shared.lock.busy == 0);
    check(pthread_create(&thread, NULL, take_and_free, NULL) == 0);
    pthread_join(thread, NULL);
    check(state_of_shared() == HD_LOCK_FREE); /* and never again biased */
    take_and_free(NULL);
    check(state_of_shared() == HD_LOCK_FREE && shared.lock.busy == 0);
    check(shared.count == 3);
    return 0;
}

static int64_t have_none(void *arg) {
    (void)arg;
    hd_biased_lock_init(&shared.lock);
    take_and_free(NULL);
    return state_of_shared() == HD_LOCK_FREE ? 0 : BROKE;
}

static void the_only_worker_gets_a_bias_and_loses_it_to_the_first_other_thread(void **state) {
    (void)state;
    memset(&shared, 0, sizeof shared);
    passes(1, have_a_bias, NULL);
    passes(2, have_none, NULL);
}

static int64_t bias_it(void *arg) {
    if (!arg)
        hd_biased_lock_init(&shared.lock);
    take_and_free(NULL);
    return (int64_t)state_of_shared();
}

/* The next runtime's worker, which may lie where the last one's lay. */
static void a_bias_is_taken_from_a_worker_that_is_gone(void **state) {
    (void)state;
    memset(&shared, 0, sizeof shared);
    for (int i = 0; i < 20; i++) {
        int64_t first = inside_run(1, bias_it, NULL);
        assert_true(first == HD_LOCK_BIASED || first == HD_LOCK_FREE);
        assert_true(inside_run(1, bias_it, &shared) >= 0);
        take_and_free(NULL);
        assert_int_equal(state_of_shared(), HD_LOCK_FREE);
        assert_int_equal(shared.count, 3 * (i + 1));
    }
}

/* ---- the bias is taken away at whatever moment ---- */

enum { REVOCATIONS = 2000, OTHERS = 2, EACH = 20 };

static struct {
    pthread_barrier_t start, end;
    _Atomic bool over;
    _Atomic uint32_t inside;
    _Atomic int left; /* others that are not through */
} contest;

/* Stores that take their time, so that those behind them are seen late. */
static char *cold;
enum { COLD_BYTES = 32 << 20 };

static void step_inside(int pause) {
    hd_lock_acquire(&shared.lock.lock);
    shared.wrong += atomic_fetch_add_explicit(&contest.inside, 1, memory_order_relaxed) != 0;
    long seen = shared.count;
    for (volatile int i = pause; i > 0; i--) {}
    shared.count = seen + 1;
    atomic_fetch_sub_explicit(&contest.inside, 1, memory_order_relaxed);
    hd_lock_release(&shared.lock.lock);
}

static void *come_late(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (;;) {
        pthread_barrier_wait(&contest.start);
        if (contest.over)
            return NULL;
        for (volatile int pause = rand_r(&seed) % 3000; pause > 0; pause--) {}
        for (int i = 0; i < EACH; i++)
            step_inside(rand_r(&seed) % 300);
        contest.left--;
        pthread_barrier_wait(&contest.end);
    }
}

static int64_t own_it_for_a_while(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int round = 0; round < REVOCATIONS; round++) {
        hd_biased_lock_init(&shared.lock);
        shared.count = 0;
        long own = round % 4 != 0; /* else the first to come may be any of them */
        if (own)
            step_inside(0);
        contest.left = OTHERS;
        pthread_barrier_wait(&contest.start);
        for (; contest.left > 0; own++) {
            for (int i = 0; i < 4; i++)
                cold[(uint32_t)rand_r(&seed) % COLD_BYTES] = (char)i;
            step_inside(rand_r(&seed) % 300);
        }
        pthread_barrier_wait(&contest.end);
        check(shared.count == own + OTHERS * EACH);
        check(state_of_shared() == HD_LOCK_FREE);
    }
    contest.over = true;
    pthread_barrier_wait(&contest.start);
    return 0;
}

static void whoever_takes_the_bias_away_finds_nobody_inside(void **state) {
    (void)state;
    pthread_t threads[OTHERS];
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    memset(&shared, 0, sizeof shared);
    contest.over = false;
    cold = calloc(1, COLD_BYTES);
    assert_non_null(cold);
    pthread_barrier_init(&contest.start, NULL, OTHERS + 1);
    pthread_barrier_init(&contest.end, NULL, OTHERS + 1);
    for (unsigned i = 0; i < OTHERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_late, (void *)(uintptr_t)(seed + i)), 0);
    passes(1, own_it_for_a_while, (void *)(uintptr_t)(seed + OTHERS));
    for (int i = 0; i < OTHERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&contest.start);
    pthread_barrier_destroy(&contest.end);
    free(cold);
    assert_int_equal(shared.wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time_is_inside_and_errno_is_kept),
        cmocka_unit_test(all_get_in_after_a_holder_that_was_long),
        cmocka_unit_test(the_only_worker_gets_a_bias_and_loses_it_to_the_first_other_thread),
        cmocka_unit_test(a_bias_is_taken_from_a_worker_that_is_gone),
        cmocka_unit_test(whoever_takes_the_bias_away_finds_nobody_inside),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
