/* A counting semaphore between tasks. A release goes to the first in line and is counted only when there is none, so
 * nobody who comes later overtakes. */
#include "sys.h"
#include "wait.h"

struct hd_semaphore {
    hd_biased_lock lock; /* of the rest */
    hd_list line;        /* empty unless count is 0 */
    uint64_t count;
};

hd_semaphore *hd_semaphore_create(uint64_t count) {
    hd_semaphore *semaphore = hd_sys_zalloc(sizeof *semaphore);
    if (!semaphore) {
        errno = ENOMEM;
        return NULL;
    }
    hd_biased_lock_init(&semaphore->lock);
    hd_list_init(&semaphore->line);
    semaphore->count = count;
    return semaphore;
}

void hd_semaphore_destroy(hd_semaphore *semaphore) {
    hd_assert(!semaphore || hd_list_empty(&semaphore->line));
    hd_sys_free(semaphore);
}

HD_HOT int hd_semaphore_acquire(hd_semaphore *semaphore, uint64_t deadline_ns) {
    int code = hd_task_checkpoint();
    if (code)
        return code;
    hd_lock_acquire(&semaphore->lock.lock);
    if (semaphore->count == 0)
        return hd_wait_for_lock(&semaphore->lock.lock, &semaphore->line, deadline_ns);
    semaphore->count--;
    hd_lock_release(&semaphore->lock.lock);
    return 0;
}

int hd_semaphore_try(hd_semaphore *semaphore) {
    hd_lock_acquire(&semaphore->lock.lock);
    bool free = semaphore->count > 0;
    if (free)
        semaphore->count--;
    hd_lock_release(&semaphore->lock.lock);
    return free ? 0 : HD_EAGAIN;
}

HD_HOT void hd_semaphore_release(hd_semaphore *semaphore) {
    hd_lock_acquire(&semaphore->lock.lock);
    hd_waiter *next = hd_waiter_first(&semaphore->line);
    if (next)
        hd_waiter_grant(next);
    else
        semaphore->count++;
    hd_lock_release(&semaphore->lock.lock);
}
