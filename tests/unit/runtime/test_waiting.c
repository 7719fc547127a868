/* The places in which a task can wait, and what holds in each of them: who is cancelled leaves it, and finds it closed
 * from then on; who is shielded stays; who was served keeps what it got; draining reaches it. */
#include "inside.h"

#include "wait.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* What the places are made of; each uses some. The tester makes it, and completes the wait. */
typedef struct thing {
    hd_mutex *mutex;
    hd_semaphore *semaphore;
    hd_event *event;
    hd_channel *channel;
    hd_task *task, *second;
    hd_signal *source;
    hd_process *process;
    sem_t may_go;
    int fds[2], listener;
} thing;

typedef struct place {
    const char *name;
    hd_wait_kind kind;
    int (*make)(thing *self);
    int64_t (*wait)(thing *self);
    void (*complete)(thing *self); /* NULL: it is never */
    void (*drop)(thing *self);
    bool at_once; /* when `complete` returns the waiting task has been served */
} place;

/* ---- asleep, and at a descriptor ---- */

static int64_t wait_asleep(thing *self) {
    (void)self;
    return hd_sleep(HD_SECONDS(3600));
}

static int make_sockets(thing *self) {
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, self->fds) == 0);
    return 0;
}

static void drop_sockets(thing *self) {
    hd_close(self->fds[0]);
    hd_close(self->fds[1]);
}

static int64_t wait_readable(thing *self) {
    char byte;
    return hd_read(self->fds[0], &byte, 1);
}

static void complete_readable(thing *self) {
    (void)!write(self->fds[1], "x", 1);
}

static int64_t wait_fd(thing *self) {
    return hd_fd_wait(self->fds[0], HD_READABLE, hd_after(HD_SECONDS(3600)));
}

static int make_full(thing *self) {
    static const char zeros[65536];
    check(make_sockets(self) == 0);
    while (write(self->fds[0], zeros, sizeof zeros) > 0) {}
    check(errno == EAGAIN);
    return 0;
}

static int64_t wait_writable(thing *self) {
    return hd_write(self->fds[0], "x", 1);
}

static void complete_writable(thing *self) {
    char some[4096];
    while (read(self->fds[1], some, sizeof some) > 0) {}
}

static int make_listener(thing *self) {
    check((self->listener = hd_tcp_listen("127.0.0.1", 0, 5)) >= 0);
    self->fds[0] = self->fds[1] = -1;
    return 0;
}

static int64_t wait_for_client(thing *self) {
    self->fds[0] = hd_accept(self->listener, NULL, NULL);
    return self->fds[0];
}

static void complete_accept(thing *self) {
    hd_shield_begin();
    self->fds[1] = hd_tcp_connect("127.0.0.1", (uint16_t)hd_tcp_port(self->listener), HD_NEVER);
    hd_shield_end();
}

static void drop_listener(thing *self) {
    hd_close(self->listener);
    for (int i = 0; i < 2; i++)
        if (self->fds[i] >= 0)
            hd_close(self->fds[i]);
}

static int make_source(thing *self) {
    check((self->source = hd_signal_open((int[]){SIGUSR2}, 1)));
    return 0;
}

static int64_t wait_for_signal(thing *self) {
    return hd_signal_next(self->source, HD_NEVER);
}

static void complete_signal(thing *self) {
    (void)self;
    kill(getpid(), SIGUSR2);
}

static void drop_source(thing *self) {
    hd_signal_close(self->source);
}

/* ---- for tasks ---- */

static int64_t await_event(void *arg) {
    return hd_event_wait(arg, HD_NEVER);
}

static int make_task(thing *self) {
    check((self->event = hd_event_create()));
    check((self->task = hd_spawn(await_event, self->event)));
    check((self->second = hd_spawn(await_event, self->event)));
    return 0;
}

static int64_t wait_for_task(thing *self) {
    return hd_await(self->task);
}

static int64_t wait_for_task_until(thing *self) {
    return hd_await_until(self->task, hd_after(HD_SECONDS(3600)));
}

static int64_t wait_for_two(thing *self) {
    return hd_wait((hd_task *[]){self->task, self->second}, 2, HD_WAIT_ALL, HD_NEVER);
}

static int64_t gather_two(thing *self) {
    return hd_gather((hd_task *[]){self->task, self->second}, 2, NULL);
}

static void complete_event(thing *self) {
    hd_event_set(self->event);
}

static void drop_task(thing *self) {
    hd_event_set(self->event);
    hd_shield_begin();
    (void)!hd_join(self->task);
    (void)!hd_join(self->second);
    hd_shield_end();
    hd_event_destroy(self->event);
}

static int64_t leave_a_task(hd_scope *scope, void *arg) {
    return hd_scope_spawn(scope, await_event, arg) ? 0 : BROKE;
}

static int64_t wait_for_scope(thing *self) {
    return hd_scope_run(hd_after(HD_SECONDS(3600)), leave_a_task, self->event);
}

/* ---- for locks and channels ---- */

static int make_event(thing *self) {
    check((self->event = hd_event_create()));
    return 0;
}

static int64_t wait_for_event(thing *self) {
    return hd_event_wait(self->event, HD_NEVER);
}

static void drop_event(thing *self) {
    hd_event_destroy(self->event);
}

static int make_mutex(thing *self) {
    check((self->mutex = hd_mutex_create()));
    return hd_mutex_trylock(self->mutex);
}

static int64_t wait_for_mutex(thing *self) {
    int code = hd_mutex_lock(self->mutex);
    return code ? code : hd_mutex_unlock(self->mutex);
}

static void complete_mutex(thing *self) {
    hd_mutex_unlock(self->mutex);
}

static void drop_mutex(thing *self) {
    hd_mutex_unlock(self->mutex);
    hd_mutex_destroy(self->mutex);
}

static int make_semaphore(thing *self) {
    check((self->semaphore = hd_semaphore_create(0)));
    return 0;
}

static int64_t wait_for_semaphore(thing *self) {
    return hd_semaphore_acquire(self->semaphore, HD_NEVER);
}

static void complete_semaphore(thing *self) {
    hd_semaphore_release(self->semaphore);
}

static void drop_semaphore(thing *self) {
    hd_semaphore_destroy(self->semaphore);
}

static int make_channel(thing *self) {
    check((self->channel = hd_channel_create(0, sizeof(int))));
    return 0;
}

static int64_t wait_to_send(thing *self) {
    return hd_channel_send(self->channel, &(int){1}, HD_NEVER);
}

static void complete_send(thing *self) {
    (void)!hd_channel_try_receive(self->channel, &(int){0});
}

static int64_t wait_to_receive(thing *self) {
    return hd_channel_receive(self->channel, &(int){0}, HD_NEVER);
}

static void complete_receive(thing *self) {
    (void)!hd_channel_try_send(self->channel, &(int){1});
}

static void drop_channel(thing *self) {
    hd_channel_destroy(self->channel);
}

/* ---- for the pool, with one thread and a queue of one; and for a process ---- */

static int64_t hold(void *arg) {
    while (sem_wait(arg) != 0) {}
    return 0;
}

static int64_t call_hold(void *arg) {
    return hd_blocking(HD_POOL_USER, hold, arg);
}

static hd_pool_stats pool_stats(void) {
    hd_pool_stats stats;
    hd_runtime_pool_stats(hd_runtime_current(), HD_POOL_USER, &stats);
    return stats;
}

static int make_busy_pool(thing *self) {
    sem_init(&self->may_go, 0, 0);
    check((self->task = hd_spawn(call_hold, &self->may_go)));
    check(until_waits(self->task, HD_WAITS_POOL) == 0);
    self->second = NULL;
    while (pool_stats().queued > 0) /* until the thread has taken it */
        check(hd_yield() == 0);
    return 0;
}

static int make_full_pool(thing *self) {
    check(make_busy_pool(self) == 0);
    check((self->second = hd_spawn(call_hold, &self->may_go)));
    check(until_waits(self->second, HD_WAITS_POOL) == 0);
    check(pool_stats().queued == 1);
    return 0;
}

static int64_t seven(void *arg) {
    (void)arg;
    return 7;
}

static int64_t wait_for_pool(thing *self) {
    (void)self;
    return hd_blocking(HD_POOL_USER, seven, NULL);
}

static int64_t wait_for_pool_or_leave(thing *self) {
    (void)self;
    return hd_blocking_abandon(HD_POOL_USER, seven, NULL, NULL);
}

static void complete_calls(thing *self) {
    sem_post(&self->may_go);
    sem_post(&self->may_go);
}

static void drop_pool(thing *self) {
    complete_calls(self);
    hd_shield_begin();
    (void)!hd_join(self->task);
    if (self->second)
        (void)!hd_join(self->second);
    hd_shield_end();
    sem_destroy(&self->may_go);
}

static int make_process(thing *self) {
    const char *const argv[] = {"cat", NULL};
    check(pipe2(self->fds, O_CLOEXEC) == 0);
    self->process = hd_process_spawn(
        &(hd_process_options){.argv = argv, .stdin_fd = self->fds[0], .stdout_fd = -1, .stderr_fd = -1});
    check(self->process);
    return 0;
}

static int64_t wait_for_process(thing *self) {
    return hd_process_wait(self->process, HD_NEVER, NULL);
}

static void complete_process(thing *self) {
    if (self->fds[1] >= 0)
        close(self->fds[1]);
    self->fds[1] = -1;
}

static void drop_process(thing *self) {
    complete_process(self);
    close(self->fds[0]);
    hd_process_destroy(self->process);
}

/* ---- all of them ---- */

static const place places[] = {
    {"asleep", HD_WAITS_TIMER, NULL, wait_asleep, NULL, NULL, false},
    {"to read", HD_WAITS_DESCRIPTOR, make_sockets, wait_readable, complete_readable, drop_sockets, false},
    {"for a descriptor", HD_WAITS_DESCRIPTOR, make_sockets, wait_fd, complete_readable, drop_sockets, false},
    {"to write", HD_WAITS_DESCRIPTOR, make_full, wait_writable, complete_writable, drop_sockets, false},
    {"for a client", HD_WAITS_DESCRIPTOR, make_listener, wait_for_client, complete_accept, drop_listener,
     false},
    {"for a signal", HD_WAITS_DESCRIPTOR, make_source, wait_for_signal, complete_signal, drop_source, false},
    {"for a task", HD_WAITS_TASK, make_task, wait_for_task, complete_event, drop_task, false},
    {"for a task, until", HD_WAITS_TASK, make_task, wait_for_task_until, complete_event, drop_task, false},
    {"for tasks", HD_WAITS_TASK, make_task, wait_for_two, complete_event, drop_task, false},
    {"for results", HD_WAITS_TASK, make_task, gather_two, complete_event, drop_task, false},
    {"for a scope", HD_WAITS_TASK, make_event, wait_for_scope, complete_event, drop_event, false},
    {"for an event", HD_WAITS_LOCK, make_event, wait_for_event, complete_event, drop_event, true},
    {"for a mutex", HD_WAITS_LOCK, make_mutex, wait_for_mutex, complete_mutex, drop_mutex, true},
    {"for a semaphore", HD_WAITS_LOCK, make_semaphore, wait_for_semaphore, complete_semaphore, drop_semaphore,
     true},
    {"to send", HD_WAITS_CHANNEL, make_channel, wait_to_send, complete_send, drop_channel, true},
    {"to receive", HD_WAITS_CHANNEL, make_channel, wait_to_receive, complete_receive, drop_channel, true},
    {"in the pool's queue", HD_WAITS_POOL, make_busy_pool, wait_for_pool, complete_calls, drop_pool, false},
    {"in line for that queue", HD_WAITS_POOL, make_full_pool, wait_for_pool, complete_calls, drop_pool,
     false},
    {"with a call to leave", HD_WAITS_POOL, make_busy_pool, wait_for_pool_or_leave, complete_calls, drop_pool,
     false},
    {"for a process", HD_WAITS_CHILD, make_process, wait_for_process, complete_process, drop_process, false},
};

enum { PLACES = sizeof places / sizeof *places };

/* The tester has `where` and `what`; the waiting task tells in `steps` how far it came. */
typedef struct trial {
    const place *where;
    thing what;
    _Atomic int steps;
} trial;

static int trial_begin(trial *self, const place *where) {
    *self = (trial){.where = where};
    int code = where->make ? where->make(&self->what) : 0;
    if (code)
        fprintf(stderr, "to wait %s could not be tried\n", where->name);
    return code;
}

static void trial_end(trial *self) {
    if (self->where->drop)
        self->where->drop(&self->what);
}

static int64_t tell(const trial *self, int64_t result) {
    if (result == BROKE)
        fprintf(stderr, "... of a task that waits %s\n", self->where->name);
    return result;
}

/* valgrind knows no pidfd, and so there are no processes to wait for. */
static bool there_is(const place *where) {
    if (where->kind != HD_WAITS_CHILD)
        return true;
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return fd >= 0 && close(fd) == 0;
}

static int64_t in_each_place(int64_t (*try)(trial *)) {
    for (int i = 0; i < PLACES; i++) {
        trial here;
        if (!there_is(&places[i]))
            continue;
        check(trial_begin(&here, &places[i]) == 0);
        int64_t result = tell(&here, try(&here));
        trial_end(&here);
        if (result != 0)
            return result;
    }
    return 0;
}

static void in_each_place_passes(unsigned loops, hd_fn fn) {
    hd_runtime_options options = {.loops = loops, .pool_threads = {1}, .pool_queue = 1};
    assert_int_equal(hd_run(&options, fn, NULL), 0);
}

/* ---- cancelled ---- */

static int64_t wait_thrice(void *arg) {
    trial *self = arg;
    for (; self->steps < 3; self->steps++)
        check(self->where->wait(&self->what) == HD_ECANCELED);
    return HD_ECANCELED;
}

static int64_t try_cancelling(trial *self) {
    check(cancel_waiting(hd_spawn(wait_thrice, self), self->where->kind) == HD_ECANCELED);
    check(self->steps == 3);
    return 0;
}

static int64_t cancel_in_each(void *arg) {
    (void)arg;
    return in_each_place(try_cancelling);
}

static void who_is_cancelled_stops_waiting_wherever_it_is_and_for_good(void **state) {
    (void)state;
    in_each_place_passes(1, cancel_in_each);
    in_each_place_passes(2, cancel_in_each);
}

static int64_t try_cancelling_before(trial *self) {
    hd_task *task = hd_spawn(wait_thrice, self);
    check(hd_cancel(task) == 0);
    check(hd_join(task) == HD_ECANCELED);
    check(self->steps == 3);
    return 0;
}

static int64_t cancel_before_each(void *arg) {
    (void)arg;
    return in_each_place(try_cancelling_before);
}

static void who_was_cancelled_before_does_not_begin_to_wait(void **state) {
    (void)state;
    in_each_place_passes(1, cancel_before_each);
    in_each_place_passes(2, cancel_before_each);
}

/* ---- shielded ---- */

static int64_t wait_shielded(void *arg) {
    trial *self = arg;
    hd_shield_begin();
    int64_t result = self->where->wait(&self->what);
    hd_shield_end();
    self->steps = 1;
    check(self->where->wait(&self->what) == HD_ECANCELED);
    return result;
}

static int64_t try_shielding(trial *self) {
    if (!self->where->complete)
        return 0;
    hd_task *task = hd_spawn(wait_shielded, self);
    check(until_waits(task, self->where->kind) == 0);
    check(hd_cancel(task) == 0);
    for (int i = 0; i < 20; i++)
        check(hd_yield() == 0);
    check(until_waits(task, self->where->kind) == 0);
    check(self->steps == 0);
    self->where->complete(&self->what);
    check(hd_join(task) >= 0);
    return 0;
}

static int64_t shield_in_each(void *arg) {
    (void)arg;
    return in_each_place(try_shielding);
}

static void who_is_shielded_goes_on_waiting(void **state) {
    (void)state;
    in_each_place_passes(1, shield_in_each);
    in_each_place_passes(2, shield_in_each);
}

/* ---- both at once ---- */

static int64_t wait_once(void *arg) {
    trial *self = arg;
    return self->where->wait(&self->what);
}

static int64_t try_serving_and_cancelling(trial *self) {
    for (int first = 0; first < 2 && self->where->at_once; first++) {
        hd_task *task = hd_spawn(wait_once, self);
        check(until_waits(task, self->where->kind) == 0);
        self->where->complete(&self->what);
        check(hd_cancel(task) == 0);
        check(hd_join(task) == 0);
        if (self->where->wait == wait_for_event)
            hd_event_clear(self->what.event);
        if (self->where->wait == wait_for_mutex)
            check(hd_mutex_trylock(self->what.mutex) == 0);
    }
    return 0;
}

static int64_t serve_and_cancel_in_each(void *arg) {
    (void)arg;
    return in_each_place(try_serving_and_cancelling);
}

static void who_was_served_before_it_was_cancelled_has_what_it_got(void **state) {
    (void)state;
    in_each_place_passes(1, serve_and_cancel_in_each);
}

/* ---- drained ---- */

static _Atomic bool all_wait;

/* What it waits for may be cancelled before it is itself. */
static int64_t wait_until_cancelled(void *arg) {
    trial *self = arg;
    while (self->where->wait(&self->what) >= 0) {}
    return wait_thrice(arg);
}

static int64_t wait_in_all(void *arg) {
    static trial trials[PLACES];
    hd_task *tasks[PLACES];
    (void)arg;
    for (int i = 0; i < PLACES; i++) {
        /* those in the pool would wait for each other's calls */
        bool fits = places[i].kind != HD_WAITS_POOL && there_is(&places[i]);
        check(trial_begin(&trials[i], &places[fits ? i : 0]) == 0);
        check((tasks[i] = hd_spawn(wait_until_cancelled, &trials[i])));
        check(until_waits(tasks[i], trials[i].where->kind) == 0);
    }
    all_wait = true;
    check(hd_sleep(HD_SECONDS(3600)) == HD_ECANCELED);
    hd_shield_begin();
    for (int i = 0; i < PLACES; i++) {
        check(tell(&trials[i], hd_join(tasks[i])) == HD_ECANCELED);
        check(trials[i].steps == 3);
        trial_end(&trials[i]);
    }
    hd_shield_end();
    return 0;
}

static void draining_reaches_tasks_in_every_place(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops});
        all_wait = false;
        hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, wait_in_all, NULL);
        assert_non_null(task);
        while (!all_wait && !hd_task_done(task))
            sched_yield();
        assert_int_equal(hd_runtime_drain(runtime, 0), HD_ETIMEDOUT);
        assert_int_equal(hd_task_result(task), 0);
        hd_release(task);
        hd_runtime_destroy(runtime);
    }
}

/* ---- a call that runs ---- */

static int64_t cancel_a_running_call(void *arg) {
    (void)arg;
    sem_t may_go;
    sem_init(&may_go, 0, 0);
    hd_task *task = hd_spawn(call_hold, &may_go);
    check(until_waits(task, HD_WAITS_POOL) == 0);
    while (pool_stats().threads == 0 || pool_stats().queued > 0)
        check(hd_yield() == 0);
    check(hd_cancel(task) == 0);
    for (int i = 0; i < 20; i++)
        check(hd_yield() == 0);
    check(until_waits(task, HD_WAITS_POOL) == 0);
    sem_post(&may_go);
    check(hd_join(task) == 0);
    sem_destroy(&may_go);
    return 0;
}

static void a_call_that_runs_is_waited_for(void **state) {
    (void)state;
    in_each_place_passes(1, cancel_a_running_call);
    in_each_place_passes(2, cancel_a_running_call);
}

/* ---- a grant in two steps ---- */

typedef struct line {
    hd_lock lock;
    hd_list waiters;
    uint64_t deadline_ns;
} line;

static int64_t stand_in_line(void *arg) {
    line *self = arg;
    hd_waiter waiter;
    hd_lock_acquire(&self->lock);
    return hd_wait_in_line(&self->lock, &self->waiters, &waiter, HD_WAITS_LOCK, 0, self->deadline_ns);
}

/* Neither what came before it is told, nor what comes then, ends the wait. */
static int64_t take_and_tell(void *arg) {
    line self = {.deadline_ns = arg ? hd_after(HD_MS(2)) : HD_NEVER};
    hd_lock_init(&self.lock);
    hd_list_init(&self.waiters);
    hd_task *task = hd_spawn(stand_in_line, &self);
    check(until_waits(task, HD_WAITS_LOCK) == 0);
    hd_lock_acquire(&self.lock);
    hd_waiter *first = hd_waiter_first(&self.waiters);
    hd_waiter_take(first);
    check(hd_waiter_first(&self.waiters) == NULL);
    hd_lock_release(&self.lock);
    if (arg)
        check(hd_sleep(HD_MS(4)) == 0);
    else
        hd_cancel(task);
    for (int i = 0; i < 10; i++)
        check(hd_yield() == 0);
    check(until_waits(task, HD_WAITS_LOCK) == 0);
    hd_lock_acquire(&self.lock);
    hd_waiter_tell(first);
    hd_lock_release(&self.lock);
    return hd_join(task);
}

static void who_was_taken_out_of_line_waits_until_it_is_told(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hd_runtime_options options = {.loops = loops, .simulated = true};
        assert_int_equal(hd_run(&options, take_and_tell, NULL), 0);
        assert_int_equal(hd_run(&options, take_and_tell, state), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_cancelled_stops_waiting_wherever_it_is_and_for_good),
        cmocka_unit_test(who_was_cancelled_before_does_not_begin_to_wait),
        cmocka_unit_test(who_is_shielded_goes_on_waiting),
        cmocka_unit_test(who_was_served_before_it_was_cancelled_has_what_it_got),
        cmocka_unit_test(draining_reaches_tasks_in_every_place),
        cmocka_unit_test(a_call_that_runs_is_waited_for),
        cmocka_unit_test(who_was_taken_out_of_line_waits_until_it_is_told),
    };
    hd_signal_block((int[]){SIGUSR2}, 1);
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
