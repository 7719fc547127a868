/* Rivals: a pinned task or a thread, with an inbox of actions that it performs as fast as they come.
 *
 * The inbox is a stack that anybody pushes on and its owner takes whole, so it has no ABA problem. Who pushes on an empty
 * one rings. */
#include "stage.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOKS = 200 /* for another action, before it sleeps */ };

struct rival {
    _Alignas(64) _Atomic(action *) inbox;
    _Atomic bool stop;
    hd_semaphore *bell; /* of a task, and */
    hd_task *task;
    sem_t thread_bell; /* of a thread */
    pthread_t thread;
};

void action_perform(action *a) {
    round *r = a->round;
    for (volatile uint32_t i = 0; i < a->pauses; i++) {}
    a->perform(a);
    /* release: the driver sees what was done; acquire: the last one has seen the others'. The driver, which has a share
     * too, waits only if it is not the last. */
    if (atomic_fetch_sub_explicit(&r->pending, 1, memory_order_acq_rel) == 1)
        hd_semaphore_release(r->driver->settled);
}

static bool perform_all(rival *self) {
    action *a = atomic_exchange_explicit(&self->inbox, NULL, memory_order_acquire);
    bool any = a != NULL;
    for (action *next; a; a = next) {
        next = a->next;
        action_perform(a);
    }
    return any;
}

static void perform_while_they_come(rival *self) {
    for (int look = 0; look < LOOKS; look++)
        if (perform_all(self))
            look = 0;
}

static int64_t task_main(void *arg) {
    rival *self = arg;
    while (!atomic_load_explicit(&self->stop, memory_order_acquire)) {
        int code = hd_semaphore_acquire(self->bell, HD_NEVER);
        if (code != 0)
            return code;
        perform_while_they_come(self);
    }
    return 0;
}

static void *thread_main(void *arg) {
    rival *self = arg;
    while (!atomic_load_explicit(&self->stop, memory_order_acquire)) {
        while (sem_wait(&self->thread_bell) != 0) {}
        perform_while_they_come(self);
    }
    return NULL;
}

static void ring(rival *self) {
    if (self->task)
        hd_semaphore_release(self->bell);
    else
        sem_post(&self->thread_bell);
}

void rival_give(rival *self, action *a) {
    action *first = atomic_load_explicit(&self->inbox, memory_order_relaxed);
    do {
        a->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&self->inbox, &first, a, memory_order_release,
                                                    memory_order_relaxed));
    if (!first)
        ring(self);
}

static rival *create(void) {
    rival *self = aligned_alloc(_Alignof(rival), sizeof *self);
    if (!self)
        abort();
    *self = (rival){.stop = false};
    return self;
}

rival *rival_create_thread(void) {
    rival *self = create();
    sem_init(&self->thread_bell, 0, 0);
    if (pthread_create(&self->thread, NULL, thread_main, self))
        abort();
    return self;
}

rival *rival_create_task(stage *on, hd_runtime *runtime) {
    rival *self = create();
    self->bell = hd_semaphore_create(0);
    self->task = hd_spawn_with(&(hd_spawn_options){.runtime = runtime, .pinned = true, .name = "rival"},
                               task_main, self);
    stage_spawned(on, runtime);
    if (!self->bell || !self->task)
        abort();
    return self;
}

void rival_destroy(rival *self) {
    atomic_store_explicit(&self->stop, true, memory_order_release);
    ring(self);
    if (self->task) {
        /* no task here, so it cannot be awaited; its runtime is drained before this memory is used again */
        while (!hd_task_done(self->task))
            sched_yield();
        hd_release(self->task);
        hd_semaphore_destroy(self->bell);
    } else {
        pthread_join(self->thread, NULL);
        sem_destroy(&self->thread_bell);
    }
    free(self);
}
