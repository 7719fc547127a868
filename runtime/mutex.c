/* A mutex between tasks. Unlocking hands it to the first in line, so it is served in order, and never free while
 * somebody waits. The owner is known by the task's id, since ids, unlike addresses, are not used twice. */
#include "sys.h"
#include "wait.h"

struct hd_mutex {
    hd_biased_lock lock; /* of the rest */
    hd_list line;
    uint64_t owner; /* a task's id; 0: free, and then the line is empty */
};

hd_mutex *hd_mutex_create(void) {
    hd_mutex *mutex = hd_sys_zalloc(sizeof *mutex);
    if (!mutex) {
        errno = ENOMEM;
        return NULL;
    }
    hd_biased_lock_init(&mutex->lock);
    hd_list_init(&mutex->line);
    return mutex;
}

void hd_mutex_destroy(hd_mutex *mutex) {
    hd_assert(!mutex || hd_list_empty(&mutex->line));
    hd_sys_free(mutex);
}

HD_HOT int hd_mutex_lock(hd_mutex *mutex) {
    int code = hd_task_checkpoint();
    if (code)
        return code;
    uint64_t self = hd_task_self()->id;
    hd_lock_acquire(&mutex->lock.lock);
    if (mutex->owner && mutex->owner != self)
        return hd_wait_for_lock(&mutex->lock.lock, &mutex->line, HD_NEVER);
    if (mutex->owner == self)
        code = HD_EDEADLK;
    mutex->owner = self;
    hd_lock_release(&mutex->lock.lock);
    return code;
}

int hd_mutex_trylock(hd_mutex *mutex) {
    hd_task *self = hd_task_self();
    if (!self)
        return HD_EPERM;
    hd_lock_acquire(&mutex->lock.lock);
    bool free = !mutex->owner;
    if (free)
        mutex->owner = self->id;
    hd_lock_release(&mutex->lock.lock);
    return free ? 0 : HD_EAGAIN;
}

HD_HOT int hd_mutex_unlock(hd_mutex *mutex) {
    hd_task *self = hd_task_self();
    int code = 0;
    hd_lock_acquire(&mutex->lock.lock);
    if (self && mutex->owner == self->id) {
        hd_waiter *next = hd_waiter_first(&mutex->line);
        mutex->owner = next ? next->task->id : 0;
        if (next)
            hd_waiter_grant(next);
    } else {
        code = HD_EPERM;
    }
    hd_lock_release(&mutex->lock.lock);
    return code;
}
