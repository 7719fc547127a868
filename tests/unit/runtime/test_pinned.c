/* A pinned task stays on one worker, whatever it waits for and whoever wakes it; so thread-locals are safe in it. */
#include "inside.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>

enum { ROUNDS = 40, PINNED = 12 };

/* ---- what wakes it ---- */

typedef struct waker {
    hd_event *event;
    hd_channel *channel;
    hd_semaphore *semaphore;
    int fds[2];
    sem_t bell;
    _Atomic bool over;
} waker;

/* A foreign thread that answers each bell in all ways at once. */
static void *wake_always(void *arg) {
    waker *self = arg;
    for (;;) {
        while (sem_wait(&self->bell) != 0) {}
        if (self->over)
            return NULL;
        hd_event_set(self->event);
        hd_semaphore_release(self->semaphore);
        (void)!hd_channel_try_send(self->channel, &(int){1});
        (void)!write(self->fds[1], "x", 1);
    }
}

static int64_t return_seven(void *arg) {
    (void)arg;
    return 7;
}

static int64_t yield_and_return(void *arg) {
    int code = hd_yield();
    return code ? code : return_seven(arg);
}

/* Each kind of waiting in turn. */
static int wait_somehow(waker *self, int i) {
    char byte;
    int item;
    switch (i % 8) {
    case 0: return hd_yield();
    case 1: return hd_sleep(HD_US(30));
    case 2: return hd_blocking(HD_POOL_USER, return_seven, NULL) == 7 ? 0 : BROKE;
    case 3: return hd_join(hd_spawn(yield_and_return, NULL)) == 7 ? 0 : BROKE;
    case 4: sem_post(&self->bell); return hd_read(self->fds[0], &byte, 1) == 1 ? 0 : BROKE;
    case 5: sem_post(&self->bell); return hd_event_wait(self->event, HD_NEVER);
    case 6: sem_post(&self->bell); return hd_semaphore_acquire(self->semaphore, HD_NEVER);
    default: sem_post(&self->bell); return hd_channel_receive(self->channel, &item, HD_NEVER);
    }
}

/* ---- who stays ---- */

static _Thread_local int mine;

static int64_t stay(void *arg) {
    hd_task_info info;
    pthread_t thread = pthread_self();
    hd_task_inspect(hd_self(), &info);
    int worker = info.worker;
    check(info.pinned);
    for (int i = 0; i < ROUNDS; i++) {
        int *place = &mine, before = ++*place;
        check(wait_somehow(arg, i) == 0);
        hd_task_inspect(hd_self(), &info);
        check(info.worker == worker && pthread_equal(pthread_self(), thread));
        check(place == &mine && mine >= before); /* others on this worker count too */
        if (i % 8 == 5)
            hd_event_clear(((waker *)arg)->event);
    }
    return worker;
}

/* Keeps every worker busy and hungry for tasks. */
static int64_t fidget(void *arg) {
    while (!*(_Atomic bool *)arg)
        check(hd_yield() == 0);
    return 0;
}

static int waker_begin(waker *self, pthread_t *thread) {
    *self = (waker){.event = hd_event_create(), .semaphore = hd_semaphore_create(0)};
    self->channel = hd_channel_create(1000, sizeof(int));
    check(self->event && self->semaphore && self->channel);
    sem_init(&self->bell, 0, 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, self->fds) == 0);
    return pthread_create(thread, NULL, wake_always, self);
}

static void waker_end(waker *self, pthread_t thread) {
    self->over = true;
    sem_post(&self->bell);
    pthread_join(thread, NULL);
    sem_destroy(&self->bell);
    hd_event_destroy(self->event);
    hd_semaphore_destroy(self->semaphore);
    hd_channel_destroy(self->channel);
    hd_close(self->fds[0]);
    hd_close(self->fds[1]);
}

static int64_t stay_amid_thieves(void *arg) {
    hd_task *tasks[PINNED], *fidgety[6];
    waker wakers[PINNED];
    pthread_t threads[PINNED];
    _Atomic bool over = false;
    (void)arg;
    for (int i = 0; i < 6; i++)
        check((fidgety[i] = hd_spawn(fidget, &over)));
    for (int i = 0; i < PINNED; i++) {
        hd_spawn_options options = {.pinned = true, .runtime = i % 2 ? hd_runtime_current() : NULL};
        check(waker_begin(&wakers[i], &threads[i]) == 0);
        check((tasks[i] = hd_spawn_with(&options, stay, &wakers[i])));
    }
    for (int i = 0; i < PINNED; i++) {
        int64_t worker = hd_join(tasks[i]);
        check(worker >= 0 && worker < hd_runtime_loops(hd_runtime_current()));
        waker_end(&wakers[i], threads[i]);
    }
    over = true;
    for (int i = 0; i < 6; i++)
        check(hd_join(fidgety[i]) == 0);
    return 0;
}

static void it_stays_whatever_it_waits_for(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 3; loops++)
        passes(loops, stay_amid_thieves, NULL);
}

/* ---- from outside, and cancelled ---- */

static int64_t tell_worker(void *arg) {
    hd_task_info info;
    (void)arg;
    hd_task_inspect(hd_self(), &info);
    int worker = info.worker;
    int code = hd_sleep(HD_SECONDS(3600));
    hd_task_inspect(hd_self(), &info);
    check(code == HD_ECANCELED && info.worker == worker);
    return worker;
}

static void those_from_outside_are_spread_over_the_workers(void **state) {
    (void)state;
    enum { LOOPS = 3 };
    hd_runtime *runtime = hd_runtime_create(&(hd_runtime_options){.loops = LOOPS});
    hd_task *tasks[4 * LOOPS];
    int count[LOOPS] = {0};
    for (int i = 0; i < 4 * LOOPS; i++) {
        hd_spawn_options options = {.runtime = runtime, .pinned = true};
        assert_non_null(tasks[i] = hd_spawn_with(&options, tell_worker, NULL));
    }
    assert_int_equal(hd_runtime_drain(runtime, hd_after(HD_MS(5))), HD_ETIMEDOUT);
    for (int i = 0; i < 4 * LOOPS; i++) {
        assert_in_range(hd_task_result(tasks[i]), 0, LOOPS - 1);
        count[hd_task_result(tasks[i])]++;
        hd_release(tasks[i]);
    }
    for (int i = 0; i < LOOPS; i++)
        assert_true(count[i] > 0);
    hd_runtime_destroy(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stays_whatever_it_waits_for),
        cmocka_unit_test(those_from_outside_are_spread_over_the_workers),
    };
    return cmocka_run_group_tests_name("pinned", tests, NULL, NULL);
}
