#include "record.h"

#include "sys.h"

enum { ONE_EVENT = 2 };

_Atomic(hd_record *) hd_record_chunks[HD_RECORD_CHUNKS];

/* ---- records ---- */

static hd_record *chunk_create(void) {
    hd_record *chunk = hd_sys_zalloc_aligned(HD_CACHE_LINE, HD_RECORD_CHUNK * sizeof *chunk);
    for (size_t i = 0; chunk && i < HD_RECORD_CHUNK; i++) {
        hd_lock_init(&chunk[i].lock);
        for (int which = 0; which < HD_SIDES; which++) {
            /* nothing is emptied before the first read */
            atomic_init(&chunk[i].sides[which].events, ONE_EVENT);
            chunk[i].sides[which].told = ONE_EVENT;
            hd_list_init(&chunk[i].sides[which].line);
        }
    }
    return chunk;
}

int hd_record_obtain(int fd, hd_record **found) {
    *found = hd_record_find(fd);
    if (*found)
        return 0;
    if (fd < 0)
        return HD_EBADF;
    if (fd >= HD_RECORD_CHUNK * HD_RECORD_CHUNKS)
        return HD_ENOTSUP;
    hd_record *fresh = chunk_create(), *none = NULL;
    if (!fresh)
        return HD_ENOMEM;
    /* release: see hd_record_find; acquire: another thread's chunk, when it came first [D1] */
    if (!atomic_compare_exchange_strong_explicit(&hd_record_chunks[fd / HD_RECORD_CHUNK], &none, fresh,
                                                 memory_order_acq_rel, memory_order_acquire))
        hd_sys_free(fresh);
    *found = hd_record_find(fd);
    return 0;
}

/* ---- events ---- */

void hd_side_count_event(hd_side *self, uint64_t hung) {
    atomic_store_explicit(&self->events, (hd_side_count(self) + ONE_EVENT) | hung,
                          memory_order_relaxed); /* relaxed: see hd_side_count */
}

bool hd_side_grant(hd_side *self, int verdict) {
    hd_fd_waiter *first = hd_side_first(self);
    if (!first || (verdict == 0 && first->pauses))
        return false;
    self->told = hd_side_count(self);
    first->verdict = verdict;
    hd_waiter_grant(&first->waiter);
    return true;
}

/* ---- transfers ---- */

hd_fd_waiter *hd_record_take(hd_record *self, int which) {
    hd_side *side = &self->sides[which];
    hd_fd_waiter *first = hd_side_first(side);
    if (!first || !first->transfer || self->taken[which])
        return NULL;
    first->events = hd_side_count(side);
    if (which == HD_READ_SIDE)
        side->told = first->events;
    hd_waiter_take(&first->waiter);
    self->taken[which] = true;
    return first;
}

static void tell(hd_fd_waiter *self) {
    hd_record *record = self->record;
    hd_lock_acquire(&record->lock);
    if (self->which == HD_WRITE_SIDE)
        atomic_store_explicit(&record->put_off, false, memory_order_relaxed); /* relaxed: the lock */
    record->taken[self->which] = false;
    hd_waiter_tell(&self->waiter);
    hd_lock_release(&record->lock);
}

void hd_record_transfer(hd_batch *batch, hd_fd_waiter *const taken[], unsigned count) {
    hd_transfer *transfers[HD_BATCH_MOST];
    if (count == 0)
        return;
    for (unsigned i = 0; i < count; i++)
        transfers[i] = taken[i]->transfer;
    hd_batch_run(batch, transfers, count);
    for (unsigned i = 0; i < count; i++)
        tell(taken[i]);
}

/* Under the lock. */
static void make_what_was_put_off(hd_record *self) {
    hd_fd_waiter *first = hd_side_first(&self->sides[HD_WRITE_SIDE]);
    bool made = true;
    if (first && first->transfer) {
        hd_batch_run(NULL, &first->transfer, 1);
        made = first->transfer->result != HD_EAGAIN;
        if (made)
            hd_waiter_grant(&first->waiter);
        else
            first->transfer->result = HD_NOT_MADE;
    }
    if (made)
        atomic_store_explicit(&self->put_off, false, memory_order_relaxed); /* relaxed: the lock */
}

void hd_record_lock_settled(hd_record *self, int first, int last) {
    for (int round = 0;; round++) {
        hd_lock_acquire(&self->lock);
        if (!self->taken[first] && !self->taken[last])
            break;
        hd_lock_release(&self->lock);
        hd_lock_pause(round);
    }
    make_what_was_put_off(self);
}

void hd_record_settle(hd_record *self) {
    hd_record_lock_settled(self, HD_WRITE_SIDE, HD_WRITE_SIDE);
    hd_lock_release(&self->lock);
}
