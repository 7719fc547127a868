/* Calls that block: withdrawn, abandoned or carried out, but never both, and never twice. */
#include "stress.h"

typedef struct call {
    round *round;
    uint32_t number, pauses;
    _Atomic uint32_t begun, ended, disposed;
} call;

typedef struct pool_world {
    call calls[VICTIMS_MAX];
    _Atomic uint32_t disposals, disposed;
} pool_world;

static int64_t call_main(void *arg) {
    call *self = arg;
    must(self->round, atomic_fetch_add_explicit(&self->begun, 1, memory_order_relaxed) == 0);
    must(self->round, hd_self() == NULL && hd_sleep(1) == HD_EPERM);
    for (volatile uint32_t i = 0; i < self->pauses; i++) {}
    atomic_fetch_add_explicit(&self->ended, 1, memory_order_relaxed);
    return self->number;
}

static void dispose(void *arg) {
    call *self = arg;
    pool_world *world = self->round->world;
    must(self->round, self->begun == self->ended);
    must(self->round, atomic_fetch_add_explicit(&self->disposed, 1, memory_order_relaxed) == 0);
    /* release: who waits for all disposals may let go of their memory */
    atomic_fetch_add_explicit(&world->disposed, 1, memory_order_release);
}

/* It returns after the call: its argument may lie on this stack. */
static int64_t block(victim *v, hd_pool_class which, uint32_t pauses) {
    round *r = v->round;
    call own = {.round = r, .number = v->number, .pauses = pauses};
    int64_t result = hd_blocking(which, call_main, &own);
    must(r, own.begun == own.ended && own.disposed == 0);
    must(r, own.begun ? result == v->number : result == HD_ECANCELED);
    return result;
}

static int64_t block_or_abandon(victim *v) {
    static const hd_pool_class classes[] = {HD_POOL_USER, HD_POOL_USER, HD_POOL_USER, HD_POOL_FS};
    round *r = v->round;
    pool_world *world = r->world;
    hd_pool_class which = classes[v->variant % 4];
    uint32_t pauses = v->variant / 4 % 4 ? 0 : v->variant / 16 % 5000;
    if (v->variant / 65536 % 2)
        return block(v, which, pauses);
    call *shared = &world->calls[v->number];
    *shared = (call){.round = r, .number = v->number, .pauses = pauses};
    atomic_fetch_add_explicit(&world->disposals, 1, memory_order_relaxed);
    int64_t result = hd_blocking_abandon(which, call_main, shared, dispose);
    must(r, result == v->number || result == HD_ECANCELED);
    must(r, result == HD_ECANCELED || (shared->ended == 1 && shared->disposed == 1));
    return result;
}

void play_blocking(round *self) {
    static const contest rules = {.attempt = block_or_abandon, .victims = VICTIMS_MAX};
    pool_world world = {.disposed = 0};
    self->world = &world;
    round_contest(self, &rules);
    while (atomic_load_explicit(&world.disposed, memory_order_acquire) < world.disposals)
        must(self, hd_sleep(HD_US(5)) == 0);
}
