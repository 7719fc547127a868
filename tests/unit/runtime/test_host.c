/* Tasks on the stacks of those that await them, seen from inside: chains of hosts in which the top waits in each place that
 * there is, and one of them is cancelled, wherever it stands; fibers that move between workers with all that is on them; and who
 * is not hosted. What holds for each joined task, hosted or not, is in test_join.c. */
#include "inside.h"
#include "host.h"
#include "scope.h"
#include "worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

/* How many were: whether one is hosted depends on whose turn it is, so tests count on some only. */
static _Atomic int hosted;

static void note_host(void) {
    hosted += hd_self()->host != NULL;
}

static uint64_t sum_of(const hd_task_info *info) {
    uint64_t sum = info->runnable_ns + info->running_ns;
    for (int i = 0; i < HD_WAITS_KINDS; i++)
        sum += info->waiting_ns[i];
    return sum;
}

/* ---- chains ---- */

enum { DEPTH = 5, TOP = DEPTH - 1, NOBODY = -1, LET_GO = 7, CANCELLED = 100 };

typedef enum place {
    SLEEPS,
    SLEEPS_FOR_EVER,
    EVENT,
    EVENT_IN_TIME,
    MUTEX,
    SEMAPHORE,
    SENDS,
    RECEIVES,
    DESCRIPTOR,
    CALL,
    AWAITS,
    AWAITS_IN_TIME,
    GATHERS,
    WAITS,
    SCOPE,
    PLACES
} place;

static const hd_wait_kind kinds[PLACES] = {
    [SLEEPS] = HD_WAITS_TIMER,
    [SLEEPS_FOR_EVER] = HD_WAITS_TIMER,
    [EVENT] = HD_WAITS_LOCK,
    [EVENT_IN_TIME] = HD_WAITS_LOCK,
    [MUTEX] = HD_WAITS_LOCK,
    [SEMAPHORE] = HD_WAITS_LOCK,
    [SENDS] = HD_WAITS_CHANNEL,
    [RECEIVES] = HD_WAITS_CHANNEL,
    [DESCRIPTOR] = HD_WAITS_DESCRIPTOR,
    [CALL] = HD_WAITS_POOL,
    [AWAITS] = HD_WAITS_TASK,
    [AWAITS_IN_TIME] = HD_WAITS_TASK,
    [GATHERS] = HD_WAITS_TASK,
    [WAITS] = HD_WAITS_TASK,
    [SCOPE] = HD_WAITS_TASK,
};

typedef struct chain {
    place place;
    uint64_t far_ns;
    hd_event *event;
    hd_mutex *mutex;
    hd_semaphore *semaphore;
    hd_channel *channel;
    int pipe[2];
    sem_t call;
    _Atomic bool call_runs;
    hd_task *other; /* another task to wait for, which waits for the event */
    struct level {
        struct chain *chain;
        int index;
        _Atomic(hd_task *) task;
        int64_t got; /* from the await */
        bool is_cancelled, hosted;
    } levels[DEPTH];
} chain;

static int64_t block(void *arg) {
    chain *self = arg;
    self->call_runs = true;
    while (sem_wait(&self->call) != 0) {}
    return 0;
}

static int64_t await_event(void *arg) {
    return hd_event_wait(arg, HD_NEVER);
}

static int64_t leave_one_behind(hd_scope *scope, void *arg) {
    return hd_scope_spawn(scope, await_event, arg) ? 0 : BROKE;
}

static int64_t wait_at(chain *self) {
    int item = 1;
    switch (self->place) {
    case SLEEPS: return hd_sleep_until(self->far_ns);
    case SLEEPS_FOR_EVER: return hd_sleep_until(HD_NEVER);
    case EVENT: return hd_event_wait(self->event, HD_NEVER);
    case EVENT_IN_TIME: return hd_event_wait(self->event, hd_after(HD_SECONDS(3600)));
    case MUTEX: {
        int code = hd_mutex_lock(self->mutex);
        return code ? code : hd_mutex_unlock(self->mutex);
    }
    case SEMAPHORE: return hd_semaphore_acquire(self->semaphore, HD_NEVER);
    case SENDS: return hd_channel_send(self->channel, &item, HD_NEVER);
    case RECEIVES: return hd_channel_receive(self->channel, &item, HD_NEVER);
    case DESCRIPTOR: return hd_fd_wait(self->pipe[0], HD_READABLE, HD_NEVER);
    case CALL: return hd_blocking(HD_POOL_USER, block, self);
    case AWAITS: return hd_await(self->other);
    case AWAITS_IN_TIME: return hd_await_until(self->other, hd_after(HD_SECONDS(3600)));
    case GATHERS: return hd_gather(&self->other, 1, NULL);
    case WAITS: return hd_wait(&self->other, 1, HD_WAIT_FIRST_DONE, HD_NEVER);
    default: return hd_scope_run(HD_NEVER, leave_one_behind, self->event);
    }
}

/* The top waits, all below it join the next one, and each says on its return whether it was cancelled. */
static int64_t stand_on(void *arg) {
    struct level *self = arg;
    chain *all = self->chain;
    note_host();
    self->hosted = hd_self()->host != NULL;
    if (self->index == TOP) {
        self->got = wait_at(all);
    } else {
        struct level *next = self + 1;
        hd_task *task = hd_spawn(stand_on, next);
        next->task = hd_retain(task);
        self->got = hd_join(task);
    }
    self->is_cancelled = hd_cancelled();
    check((hd_yield() == HD_ECANCELED) == self->is_cancelled);
    return self->is_cancelled                     ? CANCELLED + self->index
           : self->index == TOP && self->got == 0 ? LET_GO
                                                  : self->got;
}

/* What the top waits for comes. */
static int64_t let_go(chain *self) {
    int item = 0;
    hd_event_set(self->event);
    switch (self->place) {
    case MUTEX: return hd_mutex_unlock(self->mutex);
    case SEMAPHORE: hd_semaphore_release(self->semaphore); return 0;
    case SENDS: return hd_channel_receive(self->channel, &item, HD_NEVER);
    case RECEIVES: return hd_channel_send(self->channel, &item, HD_NEVER);
    case DESCRIPTOR: return write(self->pipe[1], "x", 1) == 1 ? 0 : BROKE;
    case CALL: return sem_post(&self->call);
    default: return 0;
    }
}

static void *cancel_from_outside(void *arg) {
    return (void *)(intptr_t)hd_cancel(arg);
}

static int64_t cancel_one(hd_task *task, bool from_outside) {
    pthread_t thread;
    void *result;
    if (!from_outside)
        return hd_cancel(task);
    check(pthread_create(&thread, NULL, cancel_from_outside, task) == 0);
    pthread_join(thread, &result);
    return (int64_t)(intptr_t)result;
}

/* Each waits for the next one, and looks like it; on several loops only once all have come to rest. */
static int64_t until_all_wait(chain *self) {
    for (int i = 0; i < DEPTH; i++) {
        hd_task_info info, next = {.id = 0};
        check(until_waits(self->levels[i].task, i == TOP ? kinds[self->place] : HD_WAITS_TASK) == 0);
        hd_task_inspect(self->levels[i].task, &info);
        check(sum_of(&info) == info.age_ns && !info.cancelled);
        if (i < TOP)
            hd_task_inspect(self->levels[i + 1].task, &next);
        check(info.state != HD_TASK_WAITING || i == TOP || info.waits_detail == next.id);
    }
    return 0;
}

static int64_t open_chain(chain *self, place where, int cancelled) {
    *self = (chain){.place = where};
    bool ends_by_time = where == SLEEPS && cancelled == NOBODY;
    self->far_ns = hd_after(ends_by_time ? HD_MS(4) : HD_SECONDS(3600));
    check((self->event = hd_event_create()) && (self->mutex = hd_mutex_create()));
    check((self->semaphore = hd_semaphore_create(0)) && (self->channel = hd_channel_create(0, sizeof(int))));
    check(pipe2(self->pipe, O_NONBLOCK | O_CLOEXEC) == 0);
    check(sem_init(&self->call, 0, 0) == 0);
    check(hd_mutex_lock(self->mutex) == 0);
    check((self->other = hd_spawn(await_event, self->event)));
    check(until_waits(self->other, HD_WAITS_LOCK) == 0);
    for (int i = 0; i < DEPTH; i++) {
        self->levels[i].chain = self;
        self->levels[i].index = i;
    }
    return 0;
}

static int64_t close_chain(chain *self) {
    hd_event_set(self->event);
    int64_t other = hd_join(self->other);
    check(other == 0 || other == HD_ECANCELED);
    for (int i = 0; i < DEPTH; i++)
        hd_release(self->levels[i].task);
    if (self->place != MUTEX || hd_mutex_trylock(self->mutex) == HD_EDEADLK)
        (void)hd_mutex_unlock(self->mutex);
    hd_mutex_destroy(self->mutex);
    hd_event_destroy(self->event);
    hd_semaphore_destroy(self->semaphore);
    hd_channel_destroy(self->channel);
    sem_destroy(&self->call);
    check(hd_close(self->pipe[0]) == 0 && hd_close(self->pipe[1]) == 0);
    return 0;
}

static int64_t try_chain(place where, int cancelled, bool from_outside) {
    chain self;
    check(open_chain(&self, where, cancelled) == 0);
    hd_task *bottom = hd_spawn(stand_on, &self.levels[0]);
    self.levels[0].task = hd_retain(bottom);
    while (!self.levels[TOP].task)
        check(hd_yield() == 0);
    while (where == CALL && !self.call_runs)
        check(hd_yield() == 0);
    if (where != SLEEPS || cancelled != NOBODY) /* which may be over by now */
        check(until_all_wait(&self) == 0);
    if (cancelled == NOBODY) {
        check(where == SLEEPS_FOR_EVER ? hd_cancel(self.levels[TOP].task) == 0 : let_go(&self) == 0);
        check(hd_join(bottom) == (where == SLEEPS_FOR_EVER ? CANCELLED + TOP : LET_GO));
        return close_chain(&self);
    }
    check(cancel_one(self.levels[cancelled].task, from_outside) == 0);
    if (where == CALL) /* which is waited for all the same */
        check(let_go(&self) == 0);
    check(hd_join(bottom) == CANCELLED + cancelled);
    for (int i = 0; i < DEPTH; i++) {
        struct level *level = &self.levels[i];
        int64_t returned = hd_task_result(level->task);
        if (i < cancelled)
            check(!level->is_cancelled && level->got == CANCELLED + cancelled && returned == level->got);
        else if (where != CALL) /* that may be over before the cancellation has come up to the top */
            check(level->is_cancelled && level->got == HD_ECANCELED && returned == CANCELLED + i);
    }
    return close_chain(&self);
}

static int64_t try_chains(void *arg) {
    (void)arg;
    for (int where = 0; where < PLACES; where++) {
        for (int who = NOBODY; who < DEPTH; who++) {
            int64_t result = try_chain(where, who, (where + who) % 2);
            if (result)
                fprintf(stderr, "in place %d, with %d cancelled\n", where, who);
            check(result == 0);
        }
    }
    return 0;
}

static void whoever_is_cancelled_those_above_are_too_and_those_below_are_not(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        hosted = 0;
        passes(loops, try_chains, NULL);
        assert_true(hosted > PLACES * DEPTH);
    }
}

/* ---- scopes that are cancelled under hosts and guests ---- */

typedef struct tent {
    enum { DEADLINE, FAILURE, CANCEL, CAUSES } cause;
    bool parks, in_inner; /* the guests; and to which scope they belong */
    hd_scope *scope;
    hd_event *event;
    _Atomic int inside, cleaned;
} tent;

static int64_t fail_once_all_are_inside(void *arg) {
    tent *self = arg;
    while (self->inside < 2)
        check(hd_yield() == 0);
    if (self->cause == CANCEL)
        hd_scope_cancel(self->scope);
    return self->cause == FAILURE ? hd_fail(HD_EBADF, "as agreed") : 0;
}

static int64_t second_guest(void *arg) {
    tent *self = arg;
    int result;
    note_host();
    self->inside++;
    if (self->parks)
        result = hd_event_wait(self->event, HD_NEVER);
    else
        while ((result = hd_yield()) == 0) {}
    check(result == HD_ECANCELED);
    self->cleaned++;
    return result;
}

static int64_t first_guest(void *arg) {
    tent *self = arg;
    note_host();
    self->inside++;
    int64_t result = hd_join(hd_spawn(second_guest, self));
    check(result == HD_ECANCELED && hd_cancelled());
    hd_shield_begin();
    check(hd_sleep(HD_US(50)) == 0);
    hd_shield_end();
    self->cleaned++;
    return result;
}

static int64_t camp(hd_scope *scope, void *arg) {
    tent *self = arg;
    self->scope = scope;
    check(self->cause == DEADLINE || hd_scope_spawn(scope, fail_once_all_are_inside, self));
    return hd_join(hd_spawn(first_guest, self));
}

static int64_t camp_outside(hd_scope *scope, void *arg) {
    tent *self = arg;
    hd_task *guest = hd_spawn_with(&(hd_spawn_options){.scope = scope->outer}, first_guest, self);
    self->scope = scope;
    check(guest);
    check(self->cause == DEADLINE || hd_scope_spawn(scope, fail_once_all_are_inside, self));
    return hd_join(guest);
}

static int64_t break_up_camps(void *arg) {
    (void)arg;
    for (int i = 0; i < CAUSES * 4 * 4; i++) {
        tent self = {.cause = i % CAUSES, .parks = i / CAUSES % 2, .in_inner = i / CAUSES / 2 % 2};
        self.event = hd_event_create();
        uint64_t deadline_ns = self.cause == DEADLINE ? hd_after(HD_MS(1)) : HD_NEVER;
        int64_t result = hd_scope_run(deadline_ns, self.in_inner ? camp : camp_outside, &self);
        check(result == (self.cause == DEADLINE  ? HD_ETIMEDOUT
                         : self.cause == FAILURE ? HD_EBADF
                                                 : HD_ECANCELED));
        check(self.cause != FAILURE || strcmp(hd_self()->error, "as agreed") == 0);
        check(self.cleaned == self.inside && (self.inside == 2 || self.cause == DEADLINE));
        check(hd_yield() == 0);
        hd_event_destroy(self.event);
    }
    return 0;
}

static void a_scope_that_is_cancelled_takes_its_guests_along(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++) {
        hosted = 0;
        passes(loops, break_up_camps, NULL);
        assert_true(hosted > 0);
    }
}

/* ---- root tasks ---- */

static int64_t cleaned_at(void *arg) {
    int64_t result = hd_sleep(HD_SECONDS(3600));
    ++*(_Atomic int *)arg;
    return result;
}

static int64_t leave_sleepers(void *arg) {
    note_host();
    for (int i = 0; i < 3; i++)
        hd_release(hd_spawn(cleaned_at, arg));
    return hd_yield() == 0 ? 3 : BROKE;
}

static int64_t join_roots(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        _Atomic int cleaned = 0;
        hd_task *root = hd_spawn_with(&(hd_spawn_options){.runtime = hd_runtime_current()}, leave_sleepers,
                                      (void *)&cleaned);
        check(hd_join(root) == 3);
        check(cleaned == 3);
    }
    return 0;
}

static void a_root_task_that_is_hosted_awaits_what_it_leaves(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        hosted = 0;
        passes(loops, join_roots, NULL);
        assert_true(hosted > 0);
    }
}

/* ---- between workers ---- */

enum { WANDERERS = 24, STEPS = 60, LEVELS = 4 };

static hd_semaphore *turns[WANDERERS];
static _Atomic int moved_on_a_host, hosts_moved;

typedef struct step {
    int place, level;
} step;

static bool right_here(const hd_task *self) {
    return hd_self() == self && hd_worker_self()->here.current == self &&
           hd_worker_self()->runtime == hd_runtime_current();
}

/* Each lets some other go on, which comes to this worker, before it waits for its own turn; on top of some hosts. */
static int64_t wander(void *arg) {
    step *self = arg, above = {self->place, self->level + 1};
    hd_task *me = hd_self(), *host = me->host;
    note_host();
    for (int i = 0; i < STEPS; i++) {
        uint32_t before = hd_worker_self()->index;
        if (self->level < LEVELS && i % (STEPS / 3) == 1) {
            check(hd_join(hd_spawn(wander, &above)) == self->level + 1);
            hosts_moved += before != hd_worker_self()->index;
        } else {
            errno = 1000 + self->place;
            hd_semaphore_release(turns[(self->place * 5 + i) % WANDERERS]);
            check(hd_semaphore_acquire(turns[self->place], HD_NEVER) == 0);
            check(errno == 1000 + self->place);
            moved_on_a_host += host && before != hd_worker_self()->index;
        }
        hd_task_info info;
        hd_task_inspect(me, &info);
        check(right_here(me) && info.worker == (int)hd_worker_self()->index && info.state == HD_TASK_RUNNING);
        check(!host || me->host == host);
    }
    return self->level;
}

static int64_t let_them_wander(void *arg) {
    static step steps[WANDERERS];
    hd_task *tasks[WANDERERS];
    (void)arg;
    for (int i = 0; i < WANDERERS; i++)
        check((turns[i] = hd_semaphore_create(0)));
    for (int i = 0; i < WANDERERS; i++) {
        steps[i] = (step){i, 0};
        check((tasks[i] = hd_spawn(wander, &steps[i])));
    }
    /* Who is through is gone with its turn: the others get one from here. */
    for (int left = WANDERERS; left > 0;) {
        hd_task *going[WANDERERS];
        size_t count = 0;
        for (int i = 0; i < WANDERERS; i++)
            if (!hd_task_done(tasks[i]))
                going[count++] = tasks[i];
        left = (int)count;
        for (int i = 0; count && i < WANDERERS; i++)
            hd_semaphore_release(turns[i]);
        if (count)
            check(hd_wait(going, count, HD_WAIT_FIRST_DONE, hd_after(HD_MS(1))) >= HD_ETIMEDOUT);
    }
    for (int i = 0; i < WANDERERS; i++) {
        check(hd_join(tasks[i]) == 0);
        hd_semaphore_destroy(turns[i]);
    }
    return 0;
}

static void a_fiber_moves_with_all_that_is_on_it(void **state) {
    (void)state;
    for (unsigned loops = 2; loops <= 4; loops++) {
        hosted = moved_on_a_host = hosts_moved = 0;
        passes(loops, let_them_wander, NULL);
        assert_true(hosted > 0);
        assert_true(moved_on_a_host > 0);
        assert_true(hosts_moved > 0);
    }
}

/* ---- who is not hosted ---- */

static int64_t be_alone(void *arg) {
    check(!hd_self()->host);
    check(hd_yield() == 0);
    return arg ? hd_worker_self()->index == (uint32_t)(intptr_t)arg - 1 ? 0 : BROKE : 0;
}

static int64_t join_from_a_pin(void *arg) {
    (void)arg;
    uint32_t home = hd_worker_self()->index;
    for (int i = 0; i < 100; i++) {
        check(hd_join(hd_spawn(be_alone, NULL)) == 0);
        check(hd_worker_self()->index == home);
        check(hd_join(hd_spawn_with(&(hd_spawn_options){.pinned = true}, be_alone,
                                    (void *)(intptr_t)(home + 1))) == 0);
    }
    return 0;
}

static int64_t join_pins(void *arg) {
    (void)arg;
    for (int i = 0; i < 100; i++)
        check(hd_join(hd_spawn_with(&(hd_spawn_options){.pinned = true}, be_alone, NULL)) == 0);
    hd_task *pins[4];
    for (int i = 0; i < 4; i++)
        pins[i] = hd_spawn_with(&(hd_spawn_options){.pinned = true}, join_from_a_pin, NULL);
    for (int i = 0; i < 4; i++)
        check(hd_join(pins[i]) == 0);
    return 0;
}

static void on_several_loops_pinned_tasks_neither_host_nor_are_hosted(void **state) {
    (void)state;
    passes(2, join_pins, NULL);
    passes(3, join_pins, NULL);
}

static int64_t sleep_behind_a_shield(void *arg) {
    hd_task_info info;
    hd_shield_begin();
    int result = hd_sleep(HD_US(20));
    hd_shield_end();
    hd_task_inspect(hd_self(), &info);
    check(sum_of(&info) == info.age_ns && info.waiting_ns[HD_WAITS_TIMER] >= *(uint64_t *)arg);
    return result;
}

/* They stand in the ring, but their timers are still armed. */
static int64_t join_the_cancelled(void *arg) {
    uint64_t delay_ns = HD_MS(2);
    hd_task *tasks[4];
    (void)arg;
    for (int i = 0; i < 4; i++)
        check((tasks[i] = hd_spawn_at(hd_after(HD_SECONDS(3600)), sleep_behind_a_shield, &delay_ns)));
    check(hd_sleep(delay_ns) == 0);
    for (int i = 0; i < 4; i++)
        check(hd_cancel(tasks[i]) == 0);
    for (int i = 0; i < 4; i++)
        check(hd_join(tasks[i]) == 0);
    return 0;
}

static void a_delayed_task_that_is_cancelled_and_joined_is_rid_of_its_timer(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++)
        passes(loops, join_the_cancelled, NULL);
}

/* ---- others have their turn ---- */

typedef struct bustle {
    enum { TIMER, RING, PIN, READY, POSTED, IN_TIME, BUSTLES } what;
    _Atomic bool over, begun;
    int pipe[2];
    hd_task *busy;
} bustle;

static int64_t end_it(void *arg) {
    bustle *self = arg;
    int result = 0;
    if (self->what == TIMER)
        result = hd_sleep(HD_US(500));
    else if (self->what == READY)
        result = hd_fd_wait(self->pipe[0], HD_READABLE, HD_NEVER);
    self->over = true;
    return result;
}

static int64_t be_brief(void *arg) {
    (void)arg;
    note_host();
    return 0;
}

static int64_t join_without_rest(void *arg) {
    bustle *self = arg;
    int64_t result = 0;
    self->begun = true;
    while (!self->over && result == 0)
        result = hd_join(hd_spawn(be_brief, NULL));
    return result;
}

static int64_t join_in_time(hd_scope *scope, void *arg) {
    (void)scope;
    return join_without_rest(arg);
}

static void *from_outside(void *arg) {
    bustle *self = arg;
    while (!self->begun) {}
    if (self->what == READY)
        return (void *)(intptr_t)(write(self->pipe[1], "x", 1) != 1);
    return (void *)(intptr_t)hd_cancel(self->busy);
}

static int64_t rush(void *arg) {
    bustle self = {.what = (int)(intptr_t)arg};
    pthread_t thread;
    void *wrong = NULL;
    int64_t expected = self.what == POSTED ? HD_ECANCELED : 0;
    bool has_thread = self.what == READY || self.what == POSTED;
    if (self.what == IN_TIME)
        return hd_scope_run(hd_after(HD_MS(1)), join_in_time, &self) == HD_ETIMEDOUT ? 0 : BROKE;
    check(pipe2(self.pipe, O_NONBLOCK | O_CLOEXEC) == 0);
    hd_task *ender = NULL;
    if (self.what != POSTED)
        check((ender = hd_spawn_with(&(hd_spawn_options){.pinned = self.what == PIN}, end_it, &self)));
    if (self.what == READY)
        check(until_waits(ender, HD_WAITS_DESCRIPTOR) == 0);
    while (self.what == TIMER && !inside_waits(ender, HD_WAITS_TIMER) && !hd_task_done(ender))
        check(hd_yield() == 0); /* on a busy machine its time may be over before it was seen to wait */
    check((self.busy = hd_spawn(join_without_rest, &self)));
    check(!has_thread || pthread_create(&thread, NULL, from_outside, &self) == 0);
    check(hd_await(self.busy) == expected);
    check(!ender || hd_join(ender) == 0);
    if (has_thread)
        pthread_join(thread, &wrong);
    check(!wrong);
    hd_release(self.busy); /* not before: the thread may be cancelling it */
    check(hd_close(self.pipe[0]) == 0 && hd_close(self.pipe[1]) == 0);
    return 0;
}

static void a_task_that_does_nothing_but_join_lets_the_others_have_their_turn(void **state) {
    (void)state;
    hosted = 0;
    for (unsigned loops = 1; loops <= 2; loops++)
        for (intptr_t what = 0; what < BUSTLES; what++)
            passes(loops, rush, (void *)what);
    assert_true(hosted > 0);
}

static void draining_gets_through_to_who_does_nothing_but_join(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 2; loops++) {
        bustle self = {.what = POSTED};
        hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = loops});
        hd_task *busy = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, join_without_rest, &self);
        assert_int_equal(hd_runtime_drain(runtime, hd_after(HD_MS(1))), HD_ETIMEDOUT);
        assert_int_equal(hd_task_result(busy), HD_ECANCELED);
        hd_release(busy);
        hd_runtime_destroy(runtime);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_cancelled_those_above_are_too_and_those_below_are_not),
        cmocka_unit_test(a_scope_that_is_cancelled_takes_its_guests_along),
        cmocka_unit_test(a_root_task_that_is_hosted_awaits_what_it_leaves),
        cmocka_unit_test(a_fiber_moves_with_all_that_is_on_it),
        cmocka_unit_test(on_several_loops_pinned_tasks_neither_host_nor_are_hosted),
        cmocka_unit_test(a_delayed_task_that_is_cancelled_and_joined_is_rid_of_its_timer),
        cmocka_unit_test(a_task_that_does_nothing_but_join_lets_the_others_have_their_turn),
        cmocka_unit_test(draining_gets_through_to_who_does_nothing_but_join),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
