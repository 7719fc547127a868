/* What comes from outside: tasks that foreign threads spawn, whole runtimes that end while they are used, processes. */
#include "stage.h"

#include <sched.h>
#include <signal.h>

/* ---- spawned by whoever ---- */

static int64_t linger(victim *v) {
    switch (v->variant % 4) {
    case 0: return 0;
    case 1: return hd_yield();
    default: return hd_sleep(v->join_patience_ns);
    }
}

static void spawn_it(action *self) {
    victim *v = self->object;
    stage *s = self->round->driver->stage;
    hd_spawn_options options = {.name = "from outside", .pinned = v->variant / 8 % 4 == 0};
    options.runtime = s->runtimes[self->number % s->runtime_count];
    if (v->variant / 32 % 8 == 0)
        options.start_ns = hd_after(v->variant / 256 % 50000);
    v->task = round_spawn_as(self->round, &options, victim_main, v);
    if (v->to_cancel) {
        for (volatile uint32_t i = 0; i < v->variant / 256 % 2000; i++) {}
        victim_cancel(v);
    }
}

void play_outside(round *self) {
    uint32_t count = 1 + below(&self->dice, VICTIMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        victim *v = round_victim(self, linger, false);
        round_act(self, spawn_it, v, v->variant / 1024);
    }
    round_settle(self);
    for (uint32_t i = 0; i < count; i++)
        round_join(self, &self->victims[i]);
}

/* ---- a runtime that ends ---- */

static int64_t stay(victim *v) {
    hd_event *never = v->round->world;
    switch (v->variant % 4) {
    case 0: return hd_sleep(v->join_patience_ns);
    case 1: return hd_sleep_until(HD_NEVER);
    case 2:
        while (hd_yield() == 0) {}
        return HD_ECANCELED;
    default: return hd_event_wait(never, HD_NEVER);
    }
}

/* On a pool's thread, since draining blocks it. */
static int64_t make_drain_destroy(void *arg) {
    round *self = arg;
    dice *d = &self->dice;
    uint32_t count = below(d, VICTIMS_MAX);
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = 1 + below(d, 2), .name = "brief"});
    must(self, runtime);
    for (uint32_t i = 0; i < count; i++) {
        victim *v = round_victim(self, stay, false);
        hd_spawn_options options = {.runtime = runtime, .pinned = one_in(d, 4), .name = "brief"};
        if (one_in(d, 4))
            options.start_ns = one_in(d, 2) ? HD_NEVER : hd_after(random_ns(d));
        v->shielded = false;
        v->task = hd_spawn_with(&options, victim_main, v);
        must(self, v->task);
        if (v->to_cancel)
            round_cancel(self, v);
    }
    if (one_in(d, 2)) {
        int code = hd_runtime_drain(runtime, one_in(d, 2) ? 0 : hd_after(random_ns(d)));
        must(self, code == 0 || code == HD_ETIMEDOUT);
        for (uint32_t i = 0; i < count; i++)
            must(self, hd_task_done(self->victims[i].task));
        must(self, !hd_spawn_with(&(hd_spawn_options){.runtime = runtime}, victim_main, NULL));
        must(self, errno == ESHUTDOWN);
    }
    hd_runtime_destroy(runtime);
    return 0;
}

void play_runtime(round *self) {
    hd_event *never = hd_event_create();
    must(self, never);
    self->world = never;
    self->anything_cancels = true;
    must(self, hd_blocking(HD_POOL_USER, make_drain_destroy, self) == 0);
    round_settle(self);
    for (uint32_t i = 0; i < self->victim_count; i++)
        round_join(self, &self->victims[i]);
    hd_event_destroy(never);
}

/* ---- processes ---- */

static int64_t run_process(victim *v) {
    round *r = v->round;
    bool left_alone = v->patience_ns == HD_NEVER && (v->shielded || !v->to_cancel);
    const char *const brief[] = {"true", NULL}, *const lengthy[] = {"sleep", "3600", NULL};
    hd_process_options options = {.argv = left_alone || v->variant % 2 ? brief : lengthy,
                                  .stdin_fd = -1,
                                  .stdout_fd = -1,
                                  .stderr_fd = -1};
    hd_exit status = {.code = -1};
    if (v->variant / 8 % 2) {
        int code = hd_process_run(&options, victim_deadline(v), &status);
        must(r, code == HD_ECANCELED || code == HD_ETIMEDOUT ||
                    (code == 0 && options.argv == brief && status.code == 0 && status.signal == 0));
        return code;
    }
    hd_process *process = hd_process_spawn(&options);
    if (!process) {
        must(r, errno == ECANCELED);
        return HD_ECANCELED;
    }
    int code = hd_process_wait(process, victim_deadline(v), &status);
    must(r, code == 0 || code == HD_ECANCELED || code == HD_ETIMEDOUT);
    must(r, code != 0 || (options.argv == brief && status.code == 0 && status.signal == 0));
    if (code != 0 && v->variant / 2 % 2)
        must(r, hd_process_signal(process, SIGKILL, v->variant / 4 % 2) <= 0);
    hd_process_destroy(process);
    return code;
}

void play_process(round *self) {
    static const contest rules = {.attempt = run_process, .victims = 4, .deadlines = true};
    round_contest(self, &rules);
}
