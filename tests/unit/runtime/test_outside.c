/* Threads that are no tasks: what they may do, and what they are told when they may not; runtimes within tasks; and a
 * host that forks. */
#include "inside.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

static int64_t return_argument(void *arg) {
    return (int64_t)(intptr_t)arg;
}

static int64_t sleep_long(void *arg) {
    (void)arg;
    return hd_sleep(HD_SECONDS(3600));
}

/* ---- what only tasks may ---- */

typedef struct things {
    hd_task *task;
    hd_mutex *mutex;
    hd_semaphore *semaphore;
    hd_event *event;
    hd_channel *channel;
    hd_key key;
    int fds[2], listener, disposed;
} things;

static int64_t no_body(hd_scope *scope, void *arg) {
    (void)scope, (void)arg;
    return BROKE;
}

static void count_disposed(void *arg) {
    ++*(int *)arg;
}

static int tasks_are_refused(things *t) {
    check(hd_await(t->task) == HD_EPERM && hd_await_until(t->task, 0) == HD_EPERM);
    check(hd_join(t->task) == HD_EPERM); /* which keeps the handle then */
    check(hd_gather(&t->task, 1, NULL) == HD_EPERM);
    check(hd_wait(&t->task, 1, HD_WAIT_ALL, HD_NEVER) == HD_EPERM);
    check(hd_yield() == HD_EPERM && hd_sleep(1) == HD_EPERM && hd_sleep_until(HD_NEVER) == HD_EPERM);
    check(hd_scope_run(HD_NEVER, no_body, NULL) == HD_EPERM);
    errno = 0;
    check(!hd_spawn(return_argument, NULL) && errno == EPERM);
    errno = 0;
    check(!hd_spawn_at(HD_NEVER, return_argument, NULL) && errno == EPERM);
    check(hd_blocking(HD_POOL_USER, return_argument, NULL) == HD_EPERM);
    t->disposed = 0;
    check(hd_blocking_abandon(HD_POOL_USER, return_argument, &t->disposed, count_disposed) == HD_EPERM);
    check(t->disposed == 1);
    return 0;
}

static int waits_are_refused(things *t) {
    char byte = 0;
    const char *const argv[] = {"true", NULL};
    check(hd_mutex_lock(t->mutex) == HD_EPERM && hd_mutex_trylock(t->mutex) == HD_EPERM);
    check(hd_mutex_unlock(t->mutex) == HD_EPERM);
    check(hd_semaphore_acquire(t->semaphore, HD_NEVER) == HD_EPERM);
    check(hd_event_wait(t->event, HD_NEVER) == HD_EPERM);
    check(hd_channel_send(t->channel, &byte, HD_NEVER) == HD_EPERM);
    check(hd_channel_receive(t->channel, &byte, HD_NEVER) == HD_EPERM);
    check(hd_fd_wait(t->fds[0], HD_READABLE, HD_NEVER) == HD_EPERM);
    check(hd_read(t->fds[0], &byte, 1) == HD_EPERM && hd_write(t->fds[1], &byte, 1) == HD_EPERM);
    check(hd_write_all(t->fds[1], &byte, 1) == HD_EPERM);
    check(hd_accept(t->listener, NULL, NULL) == HD_EPERM);
    check(hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(t->listener), HD_NEVER) == HD_EPERM);
    errno = 0;
    check(!hd_process_spawn(&(hd_process_options){.argv = argv}) && errno == EPERM);
    check(hd_process_run(&(hd_process_options){.argv = argv}, HD_NEVER, NULL) == HD_EPERM);
    check(hd_local_set(t->key, t) == HD_EPERM);
    return 0;
}

static int the_rest_is_harmless(things *t) {
    char byte = 0;
    check(hd_self() == NULL && hd_runtime_current() == NULL && !hd_cancelled());
    check(hd_fail(HD_EBADF, "%d", 1) == HD_EBADF);
    check(hd_local_get(t->key) == NULL);
    hd_shield_begin();
    hd_shield_end();
    check(hd_semaphore_try(t->semaphore) == 0);
    hd_semaphore_release(t->semaphore);
    check(hd_channel_try_send(t->channel, &byte) == 0 && hd_channel_try_receive(t->channel, &byte) == 0);
    hd_event_set(t->event);
    check(hd_event_is_set(t->event));
    hd_event_clear(t->event);
    hd_release(hd_retain(t->task));
    return 0;
}

static int64_t all_that(void *arg) {
    check(tasks_are_refused(arg) == 0);
    check(waits_are_refused(arg) == 0);
    return the_rest_is_harmless(arg);
}

static void *all_that_in_a_thread(void *arg) {
    return (void *)(intptr_t)all_that(arg);
}

static int64_t all_that_in_the_pool(void *arg) {
    return hd_blocking(HD_POOL_USER, all_that, arg);
}

static void who_is_no_task_is_told_so(void **state) {
    (void)state;
    pthread_t thread;
    void *broke;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_spawn_options there = {.runtime = runtime};
    things t = {.task = hd_spawn_with(&there, sleep_long, NULL), .mutex = hd_mutex_create()};
    t.semaphore = hd_semaphore_create(1);
    t.event = hd_event_create();
    t.channel = hd_channel_create(1, 1);
    t.listener = hd_tcp_listen("127.0.0.1", 0, 1);
    assert_int_equal(hd_key_create(&t.key, NULL), 0);
    assert_int_equal(pipe2(t.fds, O_NONBLOCK | O_CLOEXEC), 0);

    assert_int_equal(all_that(&t), 0);
    assert_int_equal(pthread_create(&thread, NULL, all_that_in_a_thread, &t), 0);
    pthread_join(thread, &broke);
    assert_null(broke);
    hd_task *in_pool = hd_spawn_with(&there, all_that_in_the_pool, &t);
    assert_int_equal(hd_cancel(t.task), 0);
    assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    assert_int_equal(hd_task_result(in_pool), 0);
    assert_int_equal(hd_task_result(t.task), HD_ECANCELED);

    hd_release(in_pool);
    hd_release(t.task);
    hd_runtime_destroy(runtime);
    hd_mutex_destroy(t.mutex);
    hd_semaphore_destroy(t.semaphore);
    hd_event_destroy(t.event);
    hd_channel_destroy(t.channel);
    hd_close(t.listener);
    hd_close(t.fds[0]);
    hd_close(t.fds[1]);
}

/* ---- runtimes within tasks ---- */

static int64_t run_inside(void *arg) {
    return hd_run(NULL, return_argument, arg);
}

static int64_t runtimes_inside(void *arg) {
    (void)arg;
    check(run_inside(NULL) == HD_EDEADLK);
    check(hd_runtime_drain(hd_runtime_current(), 0) == HD_EDEADLK);
    hd_task *task = hd_spawn(return_argument, (void *)3);
    check(hd_join(task) == 3); /* it was not drained */
    check(hd_blocking(HD_POOL_USER, run_inside, (void *)7) == 7);
    hd_runtime *other = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    check(other && other != hd_runtime_current());
    check(hd_join(hd_spawn_with(&(hd_spawn_options){.runtime = other}, run_inside, NULL)) == HD_EDEADLK);
    task = hd_spawn_with(&(hd_spawn_options){.runtime = other}, sleep_long, NULL);
    check(hd_runtime_drain(other, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    check(hd_join(task) == HD_ECANCELED);
    hd_runtime_destroy(other);
    return 0;
}

static void a_task_may_have_runtimes_but_not_wait_for_its_own(void **state) {
    (void)state;
    passes(1, runtimes_inside, NULL);
    passes(2, runtimes_inside, NULL);
}

/* ---- spawning from everywhere ---- */

enum { THREADS = 4, EACH = 400 };

typedef struct crowd {
    hd_runtime *runtime;
    _Atomic int ran, cancelled, refused;
} crowd;

static int64_t run_briefly(void *arg) {
    crowd *self = arg;
    int slept = hd_sleep(HD_US(20));
    self->ran++;
    self->cancelled += slept == HD_ECANCELED;
    return slept;
}

static void *spawn_many(void *arg) {
    crowd *self = arg;
    for (int i = 0; i < EACH; i++) {
        hd_spawn_options options = {.runtime = self->runtime, .pinned = i % 3 == 0, .detached = i % 4 == 0};
        if (i % 5 == 0)
            options.start_ns = hd_after(HD_US(i % 100));
        hd_task *task = hd_spawn_with(&options, run_briefly, self);
        if (!task) {
            self->refused++;
        } else if (!options.detached) {
            if (i % 4 == 1)
                hd_cancel(task);
            hd_release(task);
        }
    }
    return NULL;
}

static void foreign_threads_spawn_cancel_and_forget(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        crowd self = {.runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops})};
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, spawn_many, &self), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(hd_runtime_drain(self.runtime, HD_NEVER), 0);
        assert_int_equal(self.ran, THREADS * EACH);
        assert_int_equal(self.refused, 0);
        assert_in_range(self.cancelled, 1, THREADS * EACH / 4);
        spawn_many(&self);
        assert_int_equal(self.refused, EACH);
        assert_int_equal(errno, ESHUTDOWN);
        hd_runtime_destroy(self.runtime);
    }
}

typedef struct visit {
    hd_runtime *runtime;
    hd_scope *scope;
    _Atomic int ran;
} visit;

static int64_t count_visit(void *arg) {
    int slept = hd_sleep(HD_MS(1));
    ((visit *)arg)->ran++;
    return slept;
}

static void *spawn_into_scope(void *arg) {
    visit *self = arg;
    hd_spawn_options options = {.runtime = self->runtime, .scope = self->scope, .detached = true};
    for (int i = 0; i < 10; i++)
        if (!hd_spawn_with(&options, count_visit, self))
            return self;
    return NULL;
}

static int64_t let_others_spawn(hd_scope *scope, void *arg) {
    visit *self = arg;
    pthread_t thread;
    void *broke;
    self->scope = scope;
    check(pthread_create(&thread, NULL, spawn_into_scope, self) == 0);
    pthread_join(thread, &broke);
    return broke ? BROKE : 0;
}

static int64_t scope_with_visitors(void *arg) {
    visit self = {.runtime = hd_runtime_current()};
    (void)arg;
    check(hd_scope_run(HD_NEVER, let_others_spawn, &self) == 0);
    return self.ran == 10 ? 0 : BROKE;
}

static void a_foreign_thread_spawns_into_a_scope(void **state) {
    (void)state;
    passes(1, scope_with_visitors, NULL);
    passes(2, scope_with_visitors, NULL);
}

static hd_runtime *target;
static _Atomic int ran;

static int64_t count_run(void *arg) {
    ran++;
    return arg ? hd_sleep(HD_US(10)) : 0;
}

static void *spawn_from_a_thread(void *arg) {
    for (int i = 0; i < 300; i++) {
        hd_spawn_options options = {
            .runtime = target, .pinned = i % 5 == 0, .start_ns = i % 7 ? 0 : hd_after(HD_US(50))};
        options.detached = i % 2;
        hd_task *task = hd_spawn_with(&options, count_run, i % 3 ? arg : NULL);
        if (task && !options.detached)
            hd_release(task);
        ran -= task == NULL;
    }
    return NULL;
}

static void foreign_threads_may_spawn(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        pthread_t threads[3];
        ran = 0;
        target = hd_runtime_create(&(hd_runtime_options){.loops = loops});
        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, spawn_from_a_thread, &target), 0);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        hd_runtime_drain(target, HD_NEVER);
        hd_runtime_destroy(target);
        assert_int_equal(ran, 3 * 300);
    }
}

static void *spawn_one(void *arg) {
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = arg}, count_run, NULL);
    hd_release(task);
    return task;
}

static int64_t let_a_thread_spawn_here(void *arg) {
    (void)arg;
    pthread_t thread;
    void *spawned;
    ran = 0;
    check(pthread_create(&thread, NULL, spawn_one, hd_runtime_current()) == 0);
    pthread_join(thread, &spawned);
    check(spawned);
    while (ran == 0)
        check(hd_yield() == 0);
    return 0;
}

static void a_thread_may_spawn_into_the_runtime_of_hd_run(void **state) {
    (void)state;
    passes(1, let_a_thread_spawn_here, NULL);
    passes(2, let_a_thread_spawn_here, NULL);
}

static int64_t sleep_for_ever(void *arg) {
    (void)arg;
    ran += hd_sleep_until(HD_NEVER) == HD_ECANCELED;
    return 0;
}

static void *spawn_sleeper(void *arg) {
    hd_release(hd_spawn_with(&(hd_spawn_options){.runtime = arg}, sleep_for_ever, NULL));
    return NULL;
}

static int64_t leave_a_sleeper_behind(void *arg) {
    (void)arg;
    pthread_t thread;
    ran = 0;
    check(pthread_create(&thread, NULL, spawn_sleeper, hd_runtime_current()) == 0);
    pthread_join(thread, NULL);
    hd_release(hd_spawn(sleep_for_ever, NULL));
    return 5;
}

static void what_is_left_when_the_root_ends_is_cancelled_and_awaited(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        assert_int_equal(inside_run(loops, leave_a_sleeper_behind, NULL), 5);
        assert_int_equal(ran, 2);
    }
}

/* ---- draining ---- */

typedef struct drained {
    hd_runtime *runtime;
    hd_task *computes;
    sem_t may_end;
    _Atomic bool computing, in_call, told;
} drained;

static int64_t compute_until_told(void *arg) {
    drained *self = arg;
    self->computing = true;
    while (!self->told) {}
    return hd_cancelled() ? 5 : BROKE;
}

static int64_t end_when_told(void *arg) {
    drained *self = arg;
    self->in_call = true;
    while (sem_wait(&self->may_end) != 0) {}
    return 6;
}

static int64_t call_until_told(void *arg) {
    return hd_blocking(HD_POOL_USER, end_when_told, arg);
}

static int64_t yield_for_ever(void *arg) {
    (void)arg;
    while (hd_yield() == 0) {}
    return HD_ECANCELED;
}

static int64_t clean_up(void *arg) {
    int64_t slept = sleep_long(arg);
    hd_shield_begin();
    check(hd_join(hd_spawn(return_argument, (void *)8)) == 8);
    check(hd_sleep(HD_US(100)) == 0);
    hd_shield_end();
    return slept;
}

/* Lets go of what does not hear a cancellation, once that was made. */
static void *tell_when_cancelled(void *arg) {
    drained *self = arg;
    hd_task_info info;
    do {
        hd_task_inspect(self->computes, &info);
        sched_yield();
    } while (!info.cancelled);
    self->told = true;
    sem_post(&self->may_end);
    return NULL;
}

/* A task that computes keeps pinned ones behind it from beginning. */
static void drain_all_states(unsigned loops) {
    enum { ENDED, WAITS, YIELDS, CALLS, CLEANS, COMPUTES, FIRST_BEHIND, STATES = FIRST_BEHIND + 4 };
    const hd_fn fns[STATES] = {return_argument,    sleep_long, yield_for_ever, call_until_told, clean_up,
                               compute_until_told, sleep_long, sleep_long,     sleep_long,      sleep_long};
    drained self = {.runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops})};
    hd_task *tasks[STATES];
    pthread_t teller;
    sem_init(&self.may_end, 0, 0);
    for (int i = 0; i < STATES; i++) {
        hd_spawn_options options = {.runtime = self.runtime, .pinned = i % 2};
        if (i >= FIRST_BEHIND + 2)
            options.start_ns = i % 2 ? HD_NEVER : hd_after(HD_SECONDS(3600));
        tasks[i] = hd_spawn_with(&options, fns[i], &self);
        assert_non_null(tasks[i]);
        while ((i == ENDED && !hd_task_done(tasks[ENDED])) || (i == CALLS && !self.in_call) ||
               (i == COMPUTES && !self.computing))
            sched_yield();
    }
    self.computes = tasks[COMPUTES];
    assert_int_equal(pthread_create(&teller, NULL, tell_when_cancelled, &self), 0);
    assert_int_equal(hd_runtime_drain(self.runtime, hd_after(HD_MS(1))), HD_ETIMEDOUT);
    pthread_join(teller, NULL);
    for (int i = 0; i < STATES; i++) {
        int64_t wanted = i == ENDED ? (intptr_t)&self : i == COMPUTES ? 5 : i == CALLS ? 6 : HD_ECANCELED;
        assert_true(hd_task_done(tasks[i]));
        assert_int_equal(hd_task_result(tasks[i]), wanted);
        hd_release(tasks[i]);
    }
    assert_int_equal(hd_runtime_drain(self.runtime, HD_NEVER), 0);
    hd_runtime_destroy(self.runtime);
    sem_destroy(&self.may_end);
}

static void draining_ends_tasks_in_every_state(void **state) {
    (void)state;
    for (unsigned loops = 2; loops <= 3; loops++)
        drain_all_states(loops);
}

static void *drain_it(void *arg) {
    return (void *)(intptr_t)hd_runtime_drain(arg, hd_after(HD_MS(1)));
}

static void several_threads_may_drain_at_once(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) {
        pthread_t threads[3];
        void *code;
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1 + (unsigned)i % 2});
        hd_spawn_options there = {.runtime = runtime, .detached = true};
        assert_non_null(hd_spawn_with(&there, sleep_long, NULL));
        for (int j = 0; j < 3; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, drain_it, runtime), 0);
        for (int j = 0; j < 3; j++) {
            pthread_join(threads[j], &code);
            assert_true((intptr_t)code == 0 || (intptr_t)code == HD_ETIMEDOUT);
        }
        hd_runtime_destroy(runtime);
    }
}

/* ---- a host that forks ---- */

static _Atomic bool enough;
static _Atomic int ticks;

static int64_t tick(void *arg) {
    (void)arg;
    while (!enough) {
        ticks++;
        check(hd_sleep(HD_US(50)) == 0);
    }
    return 0;
}

/* What the child of a fork may do. */
static pid_t fork_child(int i) {
    pid_t child = fork();
    if (child != 0)
        return child;
    if (i % 2)
        execlp("sh", "sh", "-c", "exit 9", (char *)NULL);
    _exit(i % 2 ? 127 : 9);
}

static int64_t status_of(void *arg) {
    int status = 0;
    pid_t child = (pid_t)(intptr_t)arg;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return BROKE;
    return WIFEXITED(status) ? WEXITSTATUS(status) : BROKE;
}

static void *fork_some(void *arg) {
    for (int i = 0; i < 6; i++)
        if (status_of((void *)(intptr_t)fork_child(i)) != 9)
            return fork_some;
    return arg;
}

static int64_t fork_in_a_task(void *arg) {
    (void)arg;
    for (int i = 0; i < 6; i++) {
        pid_t child = fork_child(i);
        check(child > 0);
        check(hd_blocking(HD_POOL_USER, status_of, (void *)(intptr_t)child) == 9);
        check(hd_sleep(HD_US(10)) == 0);
    }
    return 0;
}

static void a_host_may_fork_and_the_child_exec_or_exit(void **state) {
    (void)state;
    enough = false;
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 2});
    hd_spawn_options there = {.runtime = runtime};
    hd_task *ticker = hd_spawn_with(&there, tick, NULL),
            *forker = hd_spawn_with(&there, fork_in_a_task, NULL);
    pthread_t thread;
    void *broke;
    assert_true(ticker && forker);
    assert_int_equal(pthread_create(&thread, NULL, fork_some, NULL), 0);
    assert_null(fork_some(NULL));
    pthread_join(thread, &broke);
    assert_null(broke);
    while (!hd_task_done(forker))
        sched_yield();
    for (int before = ticks; ticks < before + 10;) /* it still has time, timers and workers */
        sched_yield();
    enough = true;
    assert_int_equal(hd_runtime_drain(runtime, HD_NEVER), 0);
    assert_int_equal(hd_task_result(ticker), 0);
    assert_int_equal(hd_task_result(forker), 0);
    hd_release(ticker);
    hd_release(forker);
    hd_runtime_destroy(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_no_task_is_told_so),
        cmocka_unit_test(a_task_may_have_runtimes_but_not_wait_for_its_own),
        cmocka_unit_test(foreign_threads_spawn_cancel_and_forget),
        cmocka_unit_test(a_foreign_thread_spawns_into_a_scope),
        cmocka_unit_test(foreign_threads_may_spawn),
        cmocka_unit_test(a_thread_may_spawn_into_the_runtime_of_hd_run),
        cmocka_unit_test(what_is_left_when_the_root_ends_is_cancelled_and_awaited),
        cmocka_unit_test(draining_ends_tasks_in_every_state),
        cmocka_unit_test(several_threads_may_drain_at_once),
        cmocka_unit_test(a_host_may_fork_and_the_child_exec_or_exit),
    };
    return cmocka_run_group_tests_name("outside", tests, NULL, NULL);
}
