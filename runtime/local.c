/* Values of a task: 32 slots, which a task gets with its first value.
 *
 * Only the task touches its slots. The table of keys only grows: a key's destructor is written before the key is
 * given out, and who has a key got it from hd_key_create in some orderly way, so readers need no lock.
 *
 * A destructor may set values again. So the slots are gone through until all are empty, at most ROUNDS times (what is
 * set in the last round is left undestroyed, as POSIX does with threads' keys). */
#include "local.h"

#include "sys.h"

enum { KEYS = 32, ROUNDS = 4 };

static struct {
    hd_lock lock; /* of creating; zero is free */
    _Atomic uint32_t count;
    void (*destructors[KEYS])(void *);
} keys;

static bool key_valid(hd_key key) {
    /* relaxed: whoever has the key is ordered after its creation, however it got it */
    return key < atomic_load_explicit(&keys.count, memory_order_relaxed);
}

int hd_key_create(hd_key *key, void (*destructor)(void *)) {
    hd_lock_acquire(&keys.lock);
    /* relaxed, both: the lock orders the writers; for readers see key_valid */
    uint32_t next = atomic_load_explicit(&keys.count, memory_order_relaxed);
    if (next < KEYS) {
        keys.destructors[next] = destructor;
        *key = next;
        atomic_store_explicit(&keys.count, next + 1, memory_order_relaxed);
    }
    hd_lock_release(&keys.lock);
    return next < KEYS ? 0 : HD_ENOMEM;
}

int hd_local_set(hd_key key, void *value) {
    hd_task *self = hd_task_self();
    if (!self)
        return HD_EPERM;
    if (!key_valid(key))
        return HD_EINVAL;
    hd_life *life = hd_task_life(self);
    if (!life->locals && value)
        life->locals = hd_sys_zalloc(KEYS * sizeof *life->locals);
    if (!life->locals)
        return value ? HD_ENOMEM : 0;
    life->locals[key] = value;
    return 0;
}

void *hd_local_get(hd_key key) {
    hd_task *self = hd_task_self();
    void **locals = self ? hd_task_life(self)->locals : NULL;
    return locals && key_valid(key) ? locals[key] : NULL;
}

static bool destroy_round(void **slots) {
    bool any = false;
    for (hd_key key = 0; key < KEYS; key++) {
        void *value = slots[key];
        slots[key] = NULL;
        if (value && keys.destructors[key]) {
            any = true;
            keys.destructors[key](value);
        }
    }
    return any;
}

HD_COLD void hd_local_fini(hd_task *task) {
    hd_life *life = hd_task_life(task);
    if (!life->locals)
        return;
    for (int round = 0; round < ROUNDS && destroy_round(life->locals); round++)
        ;
    hd_sys_free(life->locals);
    life->locals = NULL;
}
