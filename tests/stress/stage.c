/* A stage: built, played on, torn down; and what must hold when nobody plays any more:
 *   - every driver, every rival and every task has ended, and the runtimes' lists are empty
 *   - as many tasks have ended as were spawned
 *   - there are as many threads and descriptors as before, and about as much memory */
#include "stage.h"

#include "scheduler.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SETTLED_STAGES = 8 /* after which memory does not grow any more */,
    GROWTH_BYTES = 4 << 20,
    GROWTH_MAPPINGS = 1000
};

plan the_plan;
hd_key victim_key;
_Atomic uint64_t races_done, rounds_done;

static struct {
    pthread_mutex_t lock;
    stage *stage; /* NULL: none just now */
} current = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define must_stage(condition) ((condition) ? (void)0 : stage_broke(#condition, __LINE__))

_Noreturn static void stage_broke(const char *what, int line) {
    fprintf(stderr, "stress: BROKEN stage.c:%d: %s\n  between rounds; seed %llu, after %llu rounds\n", line,
            what, (unsigned long long)the_plan.seed, (unsigned long long)rounds_done);
    abort();
}

/* ---- playing ---- */

/* False: it is over. */
static bool next_round(stage *self, uint64_t *number) {
    uint64_t done = atomic_load_explicit(&races_done, memory_order_relaxed);
    if (done >= the_plan.races || hd_now() >= the_plan.until_ns)
        return false;
    *number = atomic_fetch_add_explicit(&self->next_round, 1, memory_order_relaxed);
    return *number < self->end_round;
}

static int64_t driver_main(void *arg) {
    driver *self = arg;
    for (uint64_t number; next_round(self->stage, &number);)
        round_play(self, the_plan.repeat_round != HD_NEVER ? the_plan.repeat_round : number);
    for (int i = 0; i < PAIRS; i++)
        for (int end = 0; self->pairs[i][0] >= 0 && end < 2; end++)
            must_stage(hd_close(self->pairs[i][end]) == 0);
    return 0;
}

void stage_spawned(stage *self, const hd_runtime *runtime) {
    for (uint32_t i = 0; i < self->runtime_count; i++)
        if (self->runtimes[i] == runtime)
            atomic_fetch_add_explicit(&self->spawned[i], 1, memory_order_relaxed);
}

/* ---- building ---- */

/* As where the machine is full, but for good: each descriptor that somebody awaits is another set's after each event. */
static void move_descriptors(hd_runtime *runtime) {
    for (uint32_t i = 0; i < runtime->loops; i++)
        hd_poller_hand_over(&runtime->workers[i].poller, &runtime->workers[(i + 1) % runtime->loops].poller,
                            UINT64_MAX);
}

static void add_runtime(stage *self, dice *d) {
    hd_runtime_options options = {
        .name = "stress",
        .loops = 1 + below(d, 3),
        .pool_threads = {[HD_POOL_USER] = 1 + below(d, 3), [HD_POOL_FS] = 1},
        .pool_queue = 1 + below(d, 8),
    };
    self->unaccounted[self->runtime_count] = options.unaccounted = options.loops == 1 && below(d, 2);
    hd_runtime *runtime = hd_runtime_create(&options);
    must_stage(runtime);
    if (options.loops > 1 && one_in(d, 2))
        move_descriptors(runtime);
    self->runtimes[self->runtime_count++] = runtime;
    for (unsigned i = 0; i < options.loops; i++)
        self->rivals[self->rival_count++] = rival_create_task(self, runtime);
}

static void start_driver(stage *self, driver *new, hd_runtime *runtime) {
    *new = (driver){.stage = self, .index = (uint32_t)(new - self->drivers), .runtime = runtime};
    new->settled = hd_semaphore_create(0);
    for (int i = 0; i < PAIRS; i++)
        new->pairs[i][0] = new->pairs[i][1] = -1;
    stage_spawned(self, runtime);
    new->task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .name = "driver"}, driver_main, new);
    must_stage(new->settled &&new->task);
}

static stage *create_empty(uint64_t first, uint64_t end) {
    stage *self = calloc(1, sizeof *self);
    driver *drivers = calloc(DRIVERS_MAX, sizeof *drivers);
    must_stage(self && drivers);
    self->end_round = end;
    atomic_init(&self->next_round, first);
    self->drivers = drivers;
    return self;
}

static stage *create(uint64_t first) {
    uint64_t number = first / STAGE_ROUNDS;
    stage *self = create_empty(first, (number + 1) * STAGE_ROUNDS);
    dice d = {dice_mix(the_plan.seed) ^ dice_mix(~number)};
    for (uint32_t left = 1 + below(&d, RUNTIMES_MAX); left > 0; left--)
        add_runtime(self, &d);
    for (uint32_t left = 1 + below(&d, 2); left > 0; left--)
        self->rivals[self->rival_count++] = rival_create_thread();
    /* few drivers make for workers that park and are woken, many for workers that are never idle */
    uint32_t most = one_in(&d, 3) ? 2 : DRIVERS_MAX / RUNTIMES_MAX;
    self->driver_count = self->runtime_count * (1 + below(&d, most));
    return self;
}

stage *stage_create_on(hd_runtime *runtime, uint32_t drivers, uint64_t rounds) {
    stage *self = create_empty(0, rounds);
    self->runtimes[self->runtime_count++] = runtime;
    for (; self->driver_count < drivers; self->driver_count++)
        start_driver(self, &self->drivers[self->driver_count], runtime);
    return self;
}

/* ---- tearing down ---- */

static unsigned entries(const char *path) {
    DIR *directory = opendir(path);
    unsigned count = 0;
    must_stage(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Of memory: what is reserved for tasks and stacks is given back, too. */
static unsigned mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned count = 0;
    must_stage(maps);
    for (int c; (c = getc(maps)) != EOF;)
        count += c == '\n';
    fclose(maps);
    return count;
}

/* The first stage's remainder is what belongs to the process. */
static void check_leftovers(uint64_t stages) {
    static unsigned threads, descriptors, reserved;
    static size_t memory;
    struct mallinfo2 heap = mallinfo2();
    size_t used = heap.uordblks + heap.hblkhd;
    if (stages == 0) {
        descriptors = entries("/proc/self/fd");
        threads = entries("/proc/self/task");
    }
    must_stage(entries("/proc/self/fd") == descriptors);
    /* a joined thread is still listed for a moment */
    for (uint64_t until = hd_after(HD_SECONDS(20)); entries("/proc/self/task") > threads; sched_yield())
        must_stage(hd_now() < until);
    unsigned mapped = mappings();
    if (stages < SETTLED_STAGES) {
        memory = used > memory ? used : memory;
        reserved = mapped > reserved ? mapped : reserved;
    } else {
        must_stage(used < memory + GROWTH_BYTES);
        must_stage(mapped < reserved + GROWTH_MAPPINGS);
    }
}

static bool count_one(const hd_task_info *info, void *arg) {
    (void)info;
    ++*(unsigned *)arg;
    return true;
}

static uint64_t tasks_ended(hd_runtime *runtime) {
    uint64_t ended = 0;
    for (unsigned i = 0; i < hd_runtime_loops(runtime); i++) {
        hd_loop_stats stats;
        hd_runtime_loop_stats(runtime, i, &stats);
        ended += stats.tasks_ended;
    }
    return ended;
}

static void end_runtime(stage *self, uint32_t which) {
    hd_runtime *runtime = self->runtimes[which];
    unsigned left = 0;
    must_stage(hd_runtime_drain(runtime, hd_after(HD_SECONDS(60))) == 0);
    hd_runtime_tasks(runtime, count_one, &left);
    must_stage(left == 0);
    /* counted by the worker, a moment after who waits was told */
    for (uint64_t until = hd_after(HD_SECONDS(20)); tasks_ended(runtime) < self->spawned[which];
         sched_yield())
        must_stage(hd_now() < until);
    must_stage(tasks_ended(runtime) == self->spawned[which]);
    hd_runtime_destroy(runtime);
}

void stage_end(stage *self, tally tallies[]) {
    for (uint32_t i = 0; i < self->driver_count; i++) {
        driver *ended = &self->drivers[i];
        for (unsigned which = 0; which < scenario_count; which++) {
            tallies[which].rounds += ended->tallies[which].rounds;
            for (int how = 0; how < OUTCOMES; how++)
                tallies[which].ended[how] += ended->tallies[which].ended[how];
        }
        must_stage(hd_task_result(ended->task) == 0);
        hd_release(ended->task);
        hd_semaphore_destroy(ended->settled);
    }
    free(self->drivers);
    free(self);
}

static void destroy(stage *self, tally tallies[]) {
    for (uint32_t i = 0; i < self->rival_count; i++)
        rival_destroy(self->rivals[i]);
    for (uint32_t i = 0; i < self->runtime_count; i++)
        end_runtime(self, i);
    stage_end(self, tallies);
}

static void make_current(stage *next) {
    pthread_mutex_lock(&current.lock);
    current.stage = next;
    pthread_mutex_unlock(&current.lock);
}

uint64_t stage_play(uint64_t first, tally tallies[]) {
    static uint64_t stages;
    stage *self = create(first);
    uint64_t end = self->end_round;
    for (uint32_t i = 0; i < self->driver_count; i++)
        start_driver(self, &self->drivers[i], self->runtimes[i % self->runtime_count]);
    make_current(self);
    /* the watch sees to it that this ends */
    for (uint32_t i = 0; i < self->driver_count; i++)
        while (!hd_task_done(self->drivers[i].task))
            usleep(1000);
    make_current(NULL);
    destroy(self, tallies);
    check_leftovers(stages++);
    return end;
}

/* ---- looking on ---- */

static bool tell_task(const hd_task_info *info, void *arg) {
    fprintf(stderr, "  %s %llu: %s%s", info->name, (unsigned long long)info->id,
            hd_task_state_name(info->state), info->cancelled ? ", cancelled" : "");
    if (info->state == HD_TASK_WAITING)
        fprintf(stderr, " for %s %llu", hd_wait_kind_name(info->waits_for),
                (unsigned long long)info->waits_detail);
    fprintf(stderr, ", worker %d, %llu ms old\n", info->worker, (unsigned long long)(info->age_ns / 1000000));
    return ++*(unsigned *)arg < 500;
}

void stage_tell(void) {
    stage *self = current.stage;
    for (uint32_t i = 0; self && i < self->driver_count; i++) {
        driver *d = &self->drivers[i];
        if (d->playing && !hd_task_done(d->task))
            fprintf(stderr, "  driver %u: %s, --seed %llu --round %llu\n", (unsigned)i, d->playing->name,
                    (unsigned long long)the_plan.seed, (unsigned long long)d->playing_round);
    }
    for (uint32_t i = 0; self && i < self->runtime_count; i++) {
        unsigned told = 0;
        fprintf(stderr, "  runtime %u, %u loops\n", (unsigned)i, hd_runtime_loops(self->runtimes[i]));
        hd_runtime_tasks(self->runtimes[i], tell_task, &told);
    }
}

static bool check_task(const hd_task_info *info, void *arg) {
    uint64_t sum = info->runnable_ns + info->running_ns;
    bool unaccounted = *(bool *)arg;
    for (int kind = 0; kind < HD_WAITS_KINDS; kind++)
        sum += info->waiting_ns[kind];
    must_stage(info->state == HD_TASK_DONE || sum == (unaccounted ? 0 : info->age_ns));
    must_stage(info->id > 0 && info->name);
    return true;
}

bool stage_look(void) {
    pthread_mutex_lock(&current.lock);
    stage *self = current.stage;
    for (uint32_t i = 0; self && i < self->runtime_count; i++)
        hd_runtime_tasks(self->runtimes[i], check_task, &self->unaccounted[i]);
    pthread_mutex_unlock(&current.lock);
    return self != NULL;
}
