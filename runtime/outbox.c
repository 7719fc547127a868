#include "outbox.h"

/* False: it is full. Under the record's lock. */
static bool add(hd_outbox *self, hd_record *record) {
    hd_lock_acquire(&self->lock);
    uint32_t count = hd_outbox_count(self);
    if (count < HD_BATCH_MOST) {
        /* relaxed: who finds the record in the outbox sees it, by the outbox's lock */
        atomic_store_explicit(&record->put_off, true, memory_order_relaxed);
        self->records[count] = record;
        atomic_store_explicit(&self->count, count + 1, memory_order_relaxed); /* relaxed: under the lock */
    }
    hd_lock_release(&self->lock);
    return count < HD_BATCH_MOST;
}

static bool has_deadline(const hd_record *record) {
    return record->limited && record->deadline_ns[HD_WRITE_SIDE] != HD_NEVER;
}

int hd_outbox_put(hd_outbox *outbox, hd_transfer *transfer, hd_fd_look *look) {
    hd_record *record = look->record;
    hd_list *line = &record->sides[HD_WRITE_SIDE].line;
    transfer->result = HD_NOT_MADE;
    hd_lock_acquire(&record->lock);
    if (!hd_list_empty(line) || record->taken[HD_WRITE_SIDE] || has_deadline(record) ||
        !add(outbox, record)) {
        hd_lock_release(&record->lock);
        return 0;
    }
    hd_task_life(hd_task_self())->unwaited = 0;
    hd_fd_waiter waiter = {.record = record, .which = HD_WRITE_SIDE, .pauses = true, .transfer = transfer};
    int code = hd_wait_in_line(&record->lock, line, &waiter.waiter, HD_WAITS_DESCRIPTOR,
                               (uint64_t)transfer->fd, HD_NEVER);
    look->events = waiter.events;
    return code ? code : waiter.verdict;
}

/* Was it made meanwhile, on the way to something else? Then its lock may be held for long, by who closes it (poller.c). */
static bool is_settled(const hd_record *record) {
    return !atomic_load_explicit(&record->put_off, memory_order_relaxed); /* relaxed: see add */
}

static uint32_t take_records(hd_outbox *self, hd_record *records[]) {
    hd_lock_acquire(&self->lock);
    uint32_t count = hd_outbox_count(self);
    for (uint32_t i = 0; i < count; i++)
        records[i] = self->records[i];
    atomic_store_explicit(&self->count, 0, memory_order_relaxed); /* relaxed: under the lock */
    hd_lock_release(&self->lock);
    return count;
}

unsigned hd_outbox_flush(hd_outbox *self, hd_batch *batch) {
    hd_record *records[HD_BATCH_MOST];
    hd_fd_waiter *taken[HD_BATCH_MOST];
    uint32_t count = take_records(self, records);
    unsigned writes = 0;
    for (uint32_t i = 0; i < count; i++) {
        hd_record *record = records[i];
        if (is_settled(record))
            continue;
        hd_lock_acquire(&record->lock);
        if ((taken[writes] = hd_record_take(record, HD_WRITE_SIDE)))
            writes++;
        hd_lock_release(&record->lock);
    }
    hd_record_transfer(batch, taken, writes);
    return writes;
}
