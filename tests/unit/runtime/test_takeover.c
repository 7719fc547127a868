/* Workers that are stuck: what others do for them, what becomes of those afterwards, and who is told.
 *
 * Most tasks here block their threads until something has happened that only a stand-in can bring about, on all workers at
 * once. So hardly any time stands in these tests: without stand-ins they would hang. */
#include "inside.h"
#include "monitor.h"
#include "scheduler.h"
#include "stuck.h"
#include "sys.h"

#include <dirent.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

enum { LOOPS = 2, LOOPS_MOST = 4 };

/* ---- who is told -------------------------------------------------------------------------------------------------------- */

enum { TOLD_MOST = 100 };

typedef struct told {
    uint64_t task, tag, stuck_ns;
    unsigned worker;
    bool taken_over, sleeps, has_blocker, has_more;
    char name[20], runtime[20], function[40], call[40];
} told;

static struct {
    pthread_mutex_t lock;
    told reports[TOLD_MOST];
    _Atomic int count;
    sem_t heard;
} tale = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void copy(char *to, size_t bytes, const char *from) {
    snprintf(to, bytes, "%s", from ? from : "");
}

static bool begins(const char *text, const char *with) {
    return text && strncmp(text, with, strlen(with)) == 0;
}

static void tell(const hd_stuck_report *report, void *arg) {
    told one = {.task = report->task,
                .tag = report->tag,
                .stuck_ns = report->stuck_ns,
                .worker = report->worker,
                .taken_over = report->taken_over,
                .sleeps = report->sleeps};
    copy(one.name, sizeof one.name, report->name);
    copy(one.runtime, sizeof one.runtime, report->runtime);
    copy(one.function, sizeof one.function, report->function);
    copy(one.call, sizeof one.call, report->call_name);
    for (size_t i = 0; i < report->frame_count; i++) {
        one.has_blocker |= begins(report->frames[i].function, "dawdle");
        one.has_more |= begins(report->frames[i].function, "hd_worker"); /* the runtime's own */
    }
    pthread_mutex_lock(&tale.lock);
    if (arg == &tale && tale.count < TOLD_MOST)
        tale.reports[tale.count++] = one;
    pthread_mutex_unlock(&tale.lock);
    sem_post(&tale.heard);
}

/* The last report about the task; true if there is one. */
static bool told_of(uint64_t task, told *which) {
    bool found = false;
    pthread_mutex_lock(&tale.lock);
    for (int i = 0; i < tale.count; i++)
        if (tale.reports[i].task == task) {
            *which = tale.reports[i];
            found = true;
        }
    pthread_mutex_unlock(&tale.lock);
    return found;
}

static int begin(void **state) {
    (void)state;
    hd_stuck_init(); /* nothing has been reported yet */
    tale.count = 0;
    return sem_init(&tale.heard, 0, 0);
}

static int end(void **state) {
    (void)state;
    return sem_destroy(&tale.heard);
}

/* ---- the cast ------------------------------------------------------------------------------------------------------------- */

static hd_runtime *create(unsigned loops) {
    hd_runtime *runtime = hd_runtime_create(
        &(hd_runtime_options){.loops = loops, .name = "stuck", .on_stuck = tell, .on_stuck_arg = &tale});
    assert_non_null(runtime);
    return runtime;
}

static uint64_t stuck_count(hd_runtime *runtime) {
    uint64_t count = 0;
    for (unsigned i = 0; i < hd_runtime_loops(runtime); i++) {
        hd_loop_stats stats;
        hd_runtime_loop_stats(runtime, i, &stats);
        count += stats.stuck;
    }
    return count;
}

/* Runs `fn(arg)` as so many tasks of the runtime, and ends that. If they are pinned, each is on a worker of its own, for as
 * many as there are. Returns how often workers got stuck. */
static uint64_t play(hd_runtime *runtime, unsigned count, bool pinned, hd_fn fn, void *arg) {
    hd_task *tasks[LOOPS_MOST];
    int64_t result = 0;
    hd_spawn_options options = {.runtime = runtime, .pinned = pinned, .name = "blocker", .tag = 7};
    for (unsigned i = 0; i < count; i++)
        assert_non_null(tasks[i] = hd_spawn_with(&options, fn, arg));
    hd_runtime_drain(runtime, HD_NEVER);
    uint64_t stuck = stuck_count(runtime);
    hd_runtime_destroy(runtime); /* before anything else is said: the next test is not to find it */
    for (unsigned i = 0; i < count; i++) {
        result = result ? result : hd_task_result(tasks[i]);
        hd_release(tasks[i]);
    }
    assert_int_equal(result, 0);
    return stuck;
}

static uint64_t all_block(unsigned loops, hd_fn fn) {
    return play(create(loops), loops, true, fn, NULL);
}

/* A bell blocks the thread of who waits for it. */
static void wait_for(sem_t *bell) {
    while (sem_wait(bell) != 0) {}
}

static int64_t ring(void *bell) {
    return sem_post(bell);
}

static uint64_t own_id(void) {
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    return info.id;
}

/* ---- what a stand-in does -------------------------------------------------------------------------------------------------- */

static int64_t block_for_a_timer(void *arg) {
    sem_t bell;
    (void)arg;
    sem_init(&bell, 0, 0);
    hd_task *task = hd_spawn_at(hd_after(HD_MS(1)), ring, &bell);
    check(task);
    wait_for(&bell);
    return hd_join(task);
}

static void timers_of_a_stuck_worker_fire(void **state) {
    (void)state;
    assert_true(all_block(LOOPS, block_for_a_timer) >= LOOPS);
    assert_true(all_block(LOOPS_MOST, block_for_a_timer) >= LOOPS_MOST);
}

typedef struct reader {
    int fds[2];
    sem_t bell;
} reader;

static int64_t read_and_ring(void *arg) {
    reader *self = arg;
    char byte;
    check(hd_read(self->fds[0], &byte, 1) == 1);
    return ring(&self->bell);
}

static int64_t block_for_a_descriptor(void *arg) {
    reader self;
    (void)arg;
    sem_init(&self.bell, 0, 0);
    check(pipe2(self.fds, O_NONBLOCK | O_CLOEXEC) == 0);
    int code = hd_fd_wait(self.fds[0], HD_READABLE, 1); /* now this loop is its home */
    check(code == HD_ETIMEDOUT);
    hd_task *task = hd_spawn(read_and_ring, &self);
    check(task && until_waits(task, HD_WAITS_DESCRIPTOR) == 0);
    check(write(self.fds[1], "x", 1) == 1);
    wait_for(&self.bell);
    check(hd_join(task) == 0);
    check(hd_close(self.fds[0]) == 0 && hd_close(self.fds[1]) == 0);
    return 0;
}

static void descriptors_of_a_stuck_worker_are_watched(void **state) {
    (void)state;
    assert_true(all_block(LOOPS, block_for_a_descriptor) >= LOOPS);
}

enum { QUEUED = 30 };

static int64_t block_for_the_queue(void *arg) {
    hd_task *tasks[QUEUED];
    sem_t bell;
    (void)arg;
    sem_init(&bell, 0, 0);
    for (int i = 0; i < QUEUED; i++)
        check((tasks[i] = hd_spawn(ring, &bell)));
    for (int i = 0; i < QUEUED; i++)
        wait_for(&bell);
    for (int i = 0; i < QUEUED; i++)
        check(hd_join(tasks[i]) == 0);
    return 0;
}

static void what_waits_in_its_queue_is_run(void **state) {
    (void)state;
    all_block(LOOPS, block_for_the_queue);
}

typedef struct sleeper {
    hd_event *event;
    sem_t bell;
} sleeper;

static int64_t wake_and_ring(void *arg) {
    sleeper *self = arg;
    check(hd_event_wait(self->event, HD_NEVER) == 0);
    return ring(&self->bell);
}

static int sleeper_begin(sleeper *self, hd_task **task) {
    sem_init(&self->bell, 0, 0);
    check((self->event = hd_event_create()) && (*task = hd_spawn(wake_and_ring, self)));
    return until_waits(*task, HD_WAITS_LOCK);
}

static int64_t sleeper_end(sleeper *self, hd_task *task) {
    wait_for(&self->bell);
    int64_t result = hd_join(task);
    hd_event_destroy(self->event);
    return result;
}

static int64_t block_for_the_slot(void *arg) {
    sleeper self;
    hd_task *task;
    (void)arg;
    check(sleeper_begin(&self, &task) == 0);
    hd_event_set(self.event);
    return sleeper_end(&self, task);
}

static void what_waits_in_its_slot_is_run(void **state) {
    (void)state;
    all_block(LOOPS, block_for_the_slot);
}

static int64_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static int64_t call_and_ring(void *bell) {
    for (int i = 0; i < QUEUED; i++)
        check(hd_blocking(HD_POOL_USER, nothing, NULL) == 0);
    return ring(bell);
}

static int64_t block_for_calls(void *arg) {
    hd_task *tasks[4];
    sem_t bell;
    (void)arg;
    sem_init(&bell, 0, 0);
    for (int i = 0; i < 4; i++)
        check((tasks[i] = hd_spawn(call_and_ring, &bell)));
    for (int i = 0; i < 4; i++)
        wait_for(&bell);
    for (int i = 0; i < 4; i++)
        check(hd_join(tasks[i]) == 0);
    return 0;
}

static void calls_on_the_pool_come_back(void **state) {
    (void)state;
    all_block(LOOPS, block_for_calls);
}

/* ---- what it does for one that goes on computing ------------------------------------------------------------------------------ */

/* Computes until the calling worker has a stand-in that has gone to sleep. */
static void compute_until_relieved(void) {
    hd_worker *worker = hd_worker_self();
    for (;;) {
        hd_worker *relief = atomic_load(&worker->relief);
        if (relief && atomic_load(&relief->idler.parked))
            return;
        hd_cpu_relax();
    }
}

static int64_t spawn_while_stuck(void *arg) {
    compute_until_relieved();
    return block_for_the_queue(arg);
}

static int64_t start_a_timer_while_stuck(void *arg) {
    compute_until_relieved();
    return block_for_a_timer(arg);
}

static int64_t wake_while_stuck(void *arg) {
    sleeper self;
    hd_task *task;
    (void)arg;
    check(sleeper_begin(&self, &task) == 0);
    compute_until_relieved();
    hd_event_set(self.event);
    return sleeper_end(&self, task);
}

static void what_it_queues_while_it_is_stuck_is_done_too(void **state) {
    (void)state;
    all_block(LOOPS, spawn_while_stuck);
    all_block(LOOPS, start_a_timer_while_stuck);
    all_block(LOOPS, wake_while_stuck);
}

/* The slots of a ring from which its owner took tasks out are empty: that does not hide what stands behind them. */
static int64_t block_as_a_guest(void *arg) {
    wait_for(arg);
    return 0;
}

static int64_t block_behind_an_empty_slot(void *arg) {
    sem_t bell;
    (void)arg;
    sem_init(&bell, 0, 0);
    hd_task *guest = hd_spawn(block_as_a_guest, &bell);
    hd_task *other = hd_spawn(ring, &bell);
    check(guest && other);
    check(hd_join(guest) == 0);
    return hd_join(other);
}

static void a_guest_that_blocks_does_not_hide_what_stands_behind_it(void **state) {
    (void)state;
    play(create(LOOPS), LOOPS, false, block_behind_an_empty_slot, NULL);
}

/* ---- stand-ins that are stuck ------------------------------------------------------------------------------------------------- */

typedef struct nest {
    intptr_t depth;
    sem_t bell;
} nest;

static int64_t block_for_the_next(void *arg) {
    nest *self = arg, inner = {.depth = self->depth - 1};
    if (self->depth > 0) {
        sem_init(&inner.bell, 0, 0);
        hd_task *task = hd_spawn(block_for_the_next, &inner);
        check(task);
        wait_for(&inner.bell);
        check(hd_join(task) == 0);
    }
    return ring(&self->bell);
}

static int64_t block_deeply(void *arg) {
    nest outermost = {.depth = 7};
    (void)arg;
    sem_init(&outermost.bell, 0, 0);
    return block_for_the_next(&outermost);
}

static void a_stuck_stand_in_is_relieved_as_well(void **state) {
    (void)state;
    all_block(LOOPS, block_deeply);
}

/* Calls `visit` with the name of each thread and its status; returns the sum of what that says. */
static unsigned long sum_of_threads(unsigned long (*visit)(const char *name, FILE *status)) {
    DIR *tasks = opendir("/proc/self/task");
    unsigned long sum = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char path[300], name[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file && fscanf(file, "Name: %63s\n", name) == 1)
            sum += visit(name, file);
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return sum;
}

static unsigned long is_stand_in(const char *name, FILE *status) {
    (void)status;
    return begins(name, "stuck-") && strchr(name, '+');
}

static unsigned long stand_ins_alive(void) {
    return sum_of_threads(is_stand_in);
}

static bool until_no_stand_ins(void) {
    for (uint64_t limit = hd_after(HD_SECONDS(60)); hd_now() < limit; sched_yield())
        if (stand_ins_alive() == 0)
            return true;
    return false;
}

static int64_t get_stuck_again_and_again(void *arg) {
    for (int round = 0; round < 4; round++) {
        compute_until_relieved();
        check(stand_ins_alive() >= 1);
        check(block_for_a_timer(arg) == 0);
        while (hd_worker_self()->relief)
            check(hd_yield() == 0);
    }
    return 0;
}

static void stand_ins_go_when_the_worker_is_back_and_come_again(void **state) {
    (void)state;
    hd_runtime *runtime = create(LOOPS);
    /* Pinned: a stand-in that has been dismissed, to which it might move while it yields, is not relieved. */
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .pinned = true},
                                  get_stuck_again_and_again, NULL);
    assert_non_null(task);
    while (!hd_task_done(task))
        sched_yield();
    int64_t result = hd_task_result(task);
    hd_release(task);
    bool gone = until_no_stand_ins();
    hd_runtime_destroy(runtime);
    assert_int_equal(result, 0);
    assert_true(gone);
}

static void a_runtime_may_end_while_stand_ins_are_leaving(void **state) {
    (void)state;
    for (int round = 0; round < 10; round++)
        all_block(LOOPS, block_for_a_timer);
}

static int64_t block_while_something_fails(void *nth) {
    sem_t bell;
    sem_init(&bell, 0, 0);
    hd_task *task = hd_spawn_at(hd_after(HD_MS(1)), ring, &bell);
    check(task);
    hd_sys_fail_after(*(int *)nth);
    wait_for(&bell);
    hd_sys_fail_after(0);
    return hd_join(task);
}

static void who_cannot_be_relieved_at_once_is_later(void **state) {
    (void)state;
    for (int nth = 1; nth < 10; nth++)
        play(create(LOOPS), 1, true, block_while_something_fails, &nth);
}

/* ---- who has to stay ------------------------------------------------------------------------------------------------------------ */

static int64_t note(void *flag) {
    *(bool *)flag = true;
    return 0;
}

static int64_t keep_a_pinned_task_waiting(void *arg) {
    sem_t bell;
    bool ran = false;
    (void)arg;
    sem_init(&bell, 0, 0);
    hd_task *pinned = hd_spawn_with(&(hd_spawn_options){.pinned = true}, note, &ran);
    hd_task *timed = hd_spawn_at(hd_after(HD_MS(1)), ring, &bell);
    check(pinned && timed);
    wait_for(&bell);
    check(!ran);
    check(hd_join(pinned) == 0 && hd_join(timed) == 0);
    check(ran);
    return 0;
}

static void pinned_tasks_stay_where_they_are(void **state) {
    (void)state;
    all_block(LOOPS, keep_a_pinned_task_waiting);
}

static int64_t pin_one(void *bell) {
    bool ran = false;
    hd_task *pinned = hd_spawn_with(&(hd_spawn_options){.pinned = true}, note, &ran);
    check(pinned && hd_join(pinned) == 0 && ran);
    return ring(bell);
}

static int64_t block_for_one_that_pins(void *arg) {
    sem_t bell;
    (void)arg;
    sem_init(&bell, 0, 0);
    hd_task *task = hd_spawn_at(hd_after(HD_MS(1)), pin_one, &bell);
    check(task);
    wait_for(&bell);
    return hd_join(task);
}

static void a_stand_in_pins_its_tasks_to_others(void **state) {
    (void)state;
    play(create(LOOPS), 1, true, block_for_one_that_pins, NULL);
}

/* ---- reports --------------------------------------------------------------------------------------------------------------------- */

static HD_NOINLINE void dawdle_asleep(void) {
    wait_for(&tale.heard);
    __asm__ volatile("" ::: "memory");
}

static HD_NOINLINE void dawdle_awake(void) {
    while (sem_trywait(&tale.heard) != 0)
        hd_cpu_relax();
    __asm__ volatile("" ::: "memory");
}

static int64_t wait_to_be_told(void *asleep) {
    hd_task_info info;
    told report;
    hd_task_inspect(hd_self(), &info);
    if (asleep)
        dawdle_asleep();
    else
        dawdle_awake();
    check(told_of(info.id, &report));
    check(report.tag == 7 && report.stuck_ns >= HD_STUCK_NS);
    check(report.worker == (unsigned)info.worker);
    check(strcmp(report.name, "blocker") == 0 && strcmp(report.runtime, "stuck") == 0);
    check(strcmp(report.function, "wait_to_be_told") == 0);
    check(report.taken_over == (hd_runtime_loops(hd_runtime_current()) > 1));
    check(getenv("LD_PRELOAD") || (report.has_blocker && !report.has_more));
    check(getenv("LD_PRELOAD") || !asleep || (report.sleeps && strcmp(report.call, "futex") == 0));
    return 0;
}

static void a_call_that_blocks_is_reported(void **state) {
    play(create(LOOPS), 1, true, wait_to_be_told, state);
}

static void a_long_computation_is_reported(void **state) {
    (void)state;
    play(create(LOOPS), 1, true, wait_to_be_told, NULL);
}

static void a_stuck_single_loop_is_reported(void **state) {
    play(create(1), 1, true, wait_to_be_told, state);
    play(create(1), 1, true, wait_to_be_told, NULL);
}

static int64_t guest_that_blocks(void *id) {
    *(uint64_t *)id = own_id();
    dawdle_asleep();
    return 0;
}

static int64_t host_one_that_blocks(void *arg) {
    uint64_t guest = 0;
    told report;
    (void)arg;
    hd_task *task = hd_spawn(guest_that_blocks, &guest);
    check(task && hd_join(task) == 0);
    check(told_of(guest, &report));
    check(strcmp(report.function, "guest_that_blocks") == 0);
    check(!told_of(own_id(), &report));
    return 0;
}

static void of_a_host_and_its_guest_the_one_that_blocks_is_reported(void **state) {
    (void)state;
    play(create(1), 1, false, host_one_that_blocks, NULL);
}

/* ---- on one loop ----------------------------------------------------------------------------------------------------------------- */

static int64_t freeze(void *arg) {
    bool ran = false;
    (void)arg;
    hd_task *task = hd_spawn_at(hd_after(HD_MS(1)), note, &ran);
    check(task);
    dawdle_asleep();
    check(!ran && stand_ins_alive() == 0);
    check(hd_join(task) == 0 && ran);
    return 0;
}

static void nobody_stands_in_for_a_single_loop(void **state) {
    (void)state;
    assert_int_equal(all_block(1, freeze), 1);
}

static int64_t yield_for_a_while(void *arg) {
    (void)arg;
    for (uint64_t end = hd_after(HD_MS(40)); hd_now() < end;)
        check(hd_yield() == 0);
    return 0;
}

/* A loaded machine may take the core away for as long as that, but not each time. */
static void who_yields_is_not_stuck_even_alone(void **state) {
    (void)state;
    uint64_t count = 1;
    for (int tries = 0; tries < 50 && count > 0; tries++)
        count = all_block(1, yield_for_a_while);
    assert_int_equal(count, 0);
}

/* ---- all at once ------------------------------------------------------------------------------------------------------------------ */

enum { WALKERS = 40, STEPS = 60, PLACES = 8 };

static struct {
    hd_channel *channels[PLACES];
    hd_mutex *mutex;
    hd_semaphore *semaphore;
    int64_t counted; /* under the mutex */
    _Atomic int64_t sum;
} ground;

static uint32_t draw(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int64_t add(void *arg) {
    int64_t n = (intptr_t)arg;
    atomic_fetch_add(&ground.sum, n);
    if (n % 3 == 0)
        return hd_yield();
    return n % 3 == 1 ? hd_sleep(HD_US(100)) : 0;
}

static int64_t add_on_the_pool(void *arg) {
    atomic_fetch_add(&ground.sum, (intptr_t)arg);
    return 0;
}

static int step(uint32_t *seed, intptr_t n) {
    struct timespec nap = {.tv_nsec = 11000000 + draw(seed) % 20000000};
    intptr_t item = n;
    int64_t result;
    switch (draw(seed) % 12) {
    case 0:
        check(n % 5 != 0 || nanosleep(&nap, NULL) == 0); /* the thread's */
        break;
    case 1: check(hd_sleep(draw(seed) % HD_MS(2)) == 0); break;
    case 2:
        check(hd_mutex_lock(ground.mutex) == 0);
        ground.counted++;
        check(draw(seed) % 4 != 0 || hd_yield() == 0);
        ground.counted--;
        check(hd_mutex_unlock(ground.mutex) == 0);
        break;
    case 3: check(hd_channel_send(ground.channels[draw(seed) % PLACES], &item, HD_NEVER) == 0); return 0;
    case 4: check(hd_blocking(HD_POOL_USER, add_on_the_pool, (void *)n) == 0); return 0;
    case 5:
        check(hd_semaphore_acquire(ground.semaphore, HD_NEVER) == 0);
        check(hd_sleep(HD_US(50)) == 0);
        hd_semaphore_release(ground.semaphore);
        break;
    default: {
        hd_task *task = hd_spawn(add, (void *)n);
        check(task);
        if (draw(seed) % 2)
            check(hd_yield() == 0);
        result = hd_join(task);
        check(result == 0);
        return 0;
    }
    }
    atomic_fetch_add(&ground.sum, n);
    return 0;
}

static int64_t walk(void *arg) {
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    for (intptr_t n = 1; n <= STEPS; n++)
        check(step(&seed, n) == 0);
    return 0;
}

static int64_t collect(void *channel) {
    intptr_t item;
    int code;
    while ((code = hd_channel_receive(channel, &item, HD_NEVER)) == 0)
        atomic_fetch_add(&ground.sum, item);
    return code == HD_ECLOSED ? 0 : code;
}

static int64_t walk_in_crowds(void *arg) {
    hd_task *walkers[WALKERS], *collectors[PLACES];
    uintptr_t seed = *(unsigned *)arg;
    check((ground.mutex = hd_mutex_create()) && (ground.semaphore = hd_semaphore_create(3)));
    ground.sum = 0;
    for (int i = 0; i < PLACES; i++) {
        check((ground.channels[i] = hd_channel_create(2, sizeof(intptr_t))));
        check((collectors[i] = hd_spawn(collect, ground.channels[i])));
    }
    for (int i = 0; i < WALKERS; i++)
        check((walkers[i] = hd_spawn(walk, (void *)(seed * WALKERS + i))));
    for (int i = 0; i < WALKERS; i++)
        check(hd_join(walkers[i]) == 0);
    for (int i = 0; i < PLACES; i++)
        hd_channel_close(ground.channels[i]);
    for (int i = 0; i < PLACES; i++) {
        check(hd_join(collectors[i]) == 0);
        hd_channel_destroy(ground.channels[i]);
    }
    hd_mutex_destroy(ground.mutex);
    hd_semaphore_destroy(ground.semaphore);
    check(ground.sum == (int64_t)WALKERS * STEPS * (STEPS + 1) / 2);
    return 0;
}

static void nothing_is_lost_or_done_twice_meanwhile(void **state) {
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        unsigned seed = (unsigned)hd_now();
        hd_runtime_options options = {
            .loops = 2 + round % 2, .name = "stuck", .on_stuck = tell, .on_stuck_arg = &tale};
        int64_t result = hd_run(&options, walk_in_crowds, &seed);
        if (result != 0)
            fprintf(stderr, "seed %u\n", seed);
        assert_int_equal(result, 0);
    }
}

/* ---- when there is nothing to do --------------------------------------------------------------------------------------------------- */

/* How often a thread of the runtime has gone to sleep. */
static unsigned long sleeps_of(const char *name, FILE *status) {
    char line[200];
    unsigned long count = 0;
    while ((begins(name, "stuck-") || begins(name, "hd-")) && fgets(line, sizeof line, status))
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1)
            break;
    return count;
}

static void an_idle_runtime_makes_no_wake_ups(void **state) {
    (void)state;
    unsigned long before = 0, after = 1;
    hd_runtime *runtime = create(LOOPS);
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, block_for_a_timer, NULL);
    assert_non_null(task);
    while (!hd_task_done(task))
        sched_yield();
    hd_release(task);
    until_no_stand_ins();
    while (!atomic_load(&hd_monitor_asleep))
        sched_yield();
    /* What is still on its way to sleep when the count begins spoils one try; a clock that ticks spoils all. */
    for (int tries = 0; tries < 5 && before != after; tries++) {
        before = sum_of_threads(sleeps_of);
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        after = sum_of_threads(sleeps_of);
    }
    hd_runtime_destroy(runtime);
    assert_int_equal(before, after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_of_a_stuck_worker_fire, begin, end),
        cmocka_unit_test_setup_teardown(descriptors_of_a_stuck_worker_are_watched, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_in_its_queue_is_run, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_in_its_slot_is_run, begin, end),
        cmocka_unit_test_setup_teardown(calls_on_the_pool_come_back, begin, end),
        cmocka_unit_test_setup_teardown(what_it_queues_while_it_is_stuck_is_done_too, begin, end),
        cmocka_unit_test_setup_teardown(a_guest_that_blocks_does_not_hide_what_stands_behind_it, begin, end),
        cmocka_unit_test_setup_teardown(a_stuck_stand_in_is_relieved_as_well, begin, end),
        cmocka_unit_test_setup_teardown(stand_ins_go_when_the_worker_is_back_and_come_again, begin, end),
        cmocka_unit_test_setup_teardown(a_runtime_may_end_while_stand_ins_are_leaving, begin, end),
        cmocka_unit_test_setup_teardown(who_cannot_be_relieved_at_once_is_later, begin, end),
        cmocka_unit_test_setup_teardown(pinned_tasks_stay_where_they_are, begin, end),
        cmocka_unit_test_setup_teardown(a_stand_in_pins_its_tasks_to_others, begin, end),
        cmocka_unit_test_setup_teardown(a_call_that_blocks_is_reported, begin, end),
        cmocka_unit_test_setup_teardown(a_long_computation_is_reported, begin, end),
        cmocka_unit_test_setup_teardown(a_stuck_single_loop_is_reported, begin, end),
        cmocka_unit_test_setup_teardown(of_a_host_and_its_guest_the_one_that_blocks_is_reported, begin, end),
        cmocka_unit_test_setup_teardown(nobody_stands_in_for_a_single_loop, begin, end),
        cmocka_unit_test_setup_teardown(who_yields_is_not_stuck_even_alone, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_lost_or_done_twice_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(an_idle_runtime_makes_no_wake_ups, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
