/* Mutexes, semaphores, events: nobody is lost in line, nothing is granted twice, no place gets lost. */
#include "stress.h"

/* ---- mutex ---- */

typedef struct mutex_world {
    hd_mutex *mutex;
    bool driver_holds;
    uint32_t inside, entered; /* under the mutex */
    _Atomic uint32_t succeeded;
} mutex_world;

static int use_and_unlock(round *r, mutex_world *world, bool at_length) {
    must(r, world->inside++ == 0);
    world->entered++;
    if (at_length)
        (void)hd_yield();
    must(r, --world->inside == 0);
    atomic_fetch_add_explicit(&world->succeeded, 1, memory_order_relaxed);
    must(r, hd_mutex_unlock(world->mutex) == 0);
    return 0;
}

static int64_t lock_it(victim *v) {
    mutex_world *world = v->round->world;
    int code = hd_mutex_lock(world->mutex);
    must(v->round, code == 0 || code == HD_ECANCELED);
    return code ? code : use_and_unlock(v->round, world, v->variant % 4 == 0);
}

static void try_it(action *self) {
    mutex_world *world = self->round->world;
    int code = hd_mutex_trylock(world->mutex);
    must(self->round, code == 0 || code == (hd_self() ? HD_EAGAIN : HD_EPERM));
    if (code == 0)
        use_and_unlock(self->round, world, false);
}

static void driver_unlocks(round *self) {
    mutex_world *world = self->world;
    world->driver_holds = false;
    must(self, hd_mutex_unlock(world->mutex) == 0);
}

static void unlock_if_held(round *self, uint32_t left) {
    (void)left;
    if (((mutex_world *)self->world)->driver_holds)
        driver_unlocks(self);
}

void play_mutex(round *self) {
    static const contest rules = {
        .attempt = lock_it,
        .actions = {try_it},
        .midway = driver_unlocks,
        .finale = unlock_if_held,
        .victims = VICTIMS_MAX,
    };
    mutex_world world = {.mutex = hd_mutex_create(), .driver_holds = true};
    must(self, world.mutex && hd_mutex_lock(world.mutex) == 0);
    self->world = &world;
    round_contest(self, &rules);
    must(self, hd_mutex_trylock(world.mutex) == 0 && world.inside == 0);
    must(self, world.entered == atomic_load_explicit(&world.succeeded, memory_order_relaxed));
    must(self, hd_mutex_unlock(world.mutex) == 0);
    hd_mutex_destroy(world.mutex);
}

/* ---- semaphore ---- */

typedef struct semaphore_world {
    hd_semaphore *semaphore;
    _Atomic uint32_t given, taken;
} semaphore_world;

static void give_place(semaphore_world *world) {
    atomic_fetch_add_explicit(&world->given, 1, memory_order_relaxed);
    hd_semaphore_release(world->semaphore);
}

/* relaxed: whoever took a place is ordered after who gave it */
static void place_taken(round *r, semaphore_world *world) {
    uint32_t taken = atomic_fetch_add_explicit(&world->taken, 1, memory_order_relaxed) + 1;
    must(r, taken <= atomic_load_explicit(&world->given, memory_order_relaxed));
}

static int64_t acquire_it(victim *v) {
    semaphore_world *world = v->round->world;
    int code = hd_semaphore_acquire(world->semaphore, victim_deadline(v));
    must(v->round, code == 0 || code == HD_ECANCELED || code == HD_ETIMEDOUT);
    if (code)
        return code;
    place_taken(v->round, world);
    if (v->variant % 4 == 0)
        give_place(world);
    return 0;
}

static void release_place(action *self) {
    give_place(self->round->world);
}

static void try_place(action *self) {
    semaphore_world *world = self->round->world;
    int code = hd_semaphore_try(world->semaphore);
    must(self->round, code == 0 || code == HD_EAGAIN);
    if (code == 0)
        place_taken(self->round, world);
}

static void release_for_all(round *self, uint32_t left) {
    while (left-- > 0)
        give_place(self->world);
}

void play_semaphore(round *self) {
    static const contest rules = {
        .attempt = acquire_it,
        .actions = {release_place, release_place, try_place},
        .finale = release_for_all,
        .victims = VICTIMS_MAX,
        .deadlines = true,
    };
    uint32_t first = below(&self->dice, 3);
    semaphore_world world = {.semaphore = hd_semaphore_create(first), .given = first};
    must(self, world.semaphore);
    self->world = &world;
    round_contest(self, &rules);
    for (uint32_t taken = world.taken; taken < world.given; taken++)
        must(self, hd_semaphore_try(world.semaphore) == 0);
    must(self, hd_semaphore_try(world.semaphore) == HD_EAGAIN);
    hd_semaphore_destroy(world.semaphore);
}

/* ---- event ---- */

typedef struct event_world {
    hd_event *event;
    _Atomic bool set_begun;
} event_world;

static int64_t wait_for_event(victim *v) {
    event_world *world = v->round->world;
    int code = hd_event_wait(world->event, victim_deadline(v));
    must(v->round, code == 0 || code == HD_ECANCELED || code == HD_ETIMEDOUT);
    must(v->round, code != 0 || atomic_load_explicit(&world->set_begun, memory_order_relaxed));
    return code;
}

static void set_event(event_world *world) {
    atomic_store_explicit(&world->set_begun, true, memory_order_relaxed);
    hd_event_set(world->event);
}

static void set_it(action *self) {
    set_event(self->round->world);
}

static void clear_it(action *self) {
    hd_event_clear(((event_world *)self->round->world)->event);
}

static void set_at_last(round *self, uint32_t left) {
    (void)left;
    set_event(self->world);
}

void play_event(round *self) {
    static const contest rules = {
        .attempt = wait_for_event,
        .actions = {set_it, clear_it},
        .finale = set_at_last,
        .victims = VICTIMS_MAX,
        .deadlines = true,
    };
    event_world world = {.event = hd_event_create()};
    must(self, world.event);
    self->world = &world;
    round_contest(self, &rules);
    must(self, hd_event_is_set(world.event));
    hd_event_destroy(world.event);
}
