/* What is known of a descriptor's number, and who waits for it. (The epoll that tells of events: poller.h.)
 *
 * For each direction a record counts the events that the kernel has told, and has a line for the task that waits:
 *
 *     await, having seen all events:  into the line, suspend       an event:  count it; who is in the line goes on
 *     await, having missed one:       go on                        cancellation, deadline:  out of the line
 *
 * One awaits only after EAGAIN, and says which events had been counted before that call. So an event that comes between
 * the EAGAIN and the await is one that was missed, and no edge is lost. It may be stale (its data was read already): then the
 * caller meets EAGAIN again, and waits. Who reads by system calls of its own cannot say what it had seen: for hd_fd_wait
 * that is what it was told last.
 *
 * Transfers. Who waits to read may say what, and who writes may wait until others do: then the call is made for it, together
 * with others' (batch.h). Whoever makes it takes the waiter out of the line first, and tells it at the end:
 *
 *     in line ──take──▶ taken ──the call──▶ told           cancelled, timed out, closed:  only while it is in line
 *
 * So the buffer, which lies where the task waits, is there as long as a call may touch it; and hd_close waits until nobody
 * is taken, as the number might be another descriptor's then.
 *
 * Numbers are used again, so a record has a generation, which goes with each registration into the kernel and comes back
 * with its events: those of an earlier one are ignored. Records lie in chunks that are never freed, so an event in
 * another thread's hands can always be looked up. All under the record's lock, save what is atomic.
 *
 * Turned down: an atomic word for each direction instead of the lock. A request takes the lock a few times, each 10 ns of some
 * 5 us; and without it whoever wakes would have to hold a reference to the task, with as many locked instructions. */
#ifndef HD_RECORD_H
#define HD_RECORD_H

#include "batch.h"
#include "wait.h"

typedef struct hd_poller hd_poller;

/* What a descriptor is, as far as the choice of a system call goes. */
typedef enum hd_fd_kind {
    HD_FD_UNKNOWN, /* not asked yet */
    HD_FD_FILE,    /* no socket */
    HD_FD_SOCKET,
    HD_FD_STREAM, /* a TCP socket: reading less than asked for has emptied it */
} hd_fd_kind;

enum { HD_READ_SIDE, HD_WRITE_SIDE, HD_SIDES };

/* One direction of a descriptor. */
typedef struct hd_side {
    _Atomic uint64_t events;  /* counted by twos, and HD_SIDE_HUNG (poller.c); written under the lock */
    _Atomic uint64_t emptied; /* by who reads */
    uint64_t told;            /* the lock, these two */
    hd_list line;             /* at most one hd_fd_waiter */
} hd_side;

typedef struct hd_record {
    _Alignas(HD_CACHE_LINE) hd_lock lock;
    uint32_t generation;  /* of the latest registration */
    _Atomic uint8_t kind; /* hd_fd_kind */
    bool registered;
    bool for_writing; /* registered for both directions */
    bool bound;       /* registered by a pinned task: it stays in that set */
    bool limited;     /* one of the deadlines is set */
    bool taken[HD_SIDES];
    _Atomic bool put_off; /* a write may be, and not made yet; written under the lock */
    hd_side sides[HD_SIDES];
    hd_poller *place; /* where it is to be registered, or is; NULL: nowhere yet */
    uint64_t deadline_ns[HD_SIDES];
} hd_record;

/* A task in a side's line. It lies where the task waits. */
typedef struct hd_fd_waiter {
    hd_waiter waiter;
    hd_record *record;
    int which;
    int verdict;           /* what the wait came to */
    bool pauses;           /* events are nothing to it */
    hd_transfer *transfer; /* what is to be made for it; NULL: nothing */
    uint64_t events;       /* that were counted before it was made */
} hd_fd_waiter;

/* What is known of a descriptor's direction before a system call on it. */
typedef struct hd_fd_look {
    hd_record *record; /* NULL: nothing was known yet, or there is no memory for it */
    uint64_t events;   /* those that were seen before the call */
    hd_fd_kind kind;
    bool empty;   /* a read would find nothing: wait first */
    bool settled; /* another task's write, which had been put off, has just been made */
} hd_fd_look;

enum { HD_RECORD_CHUNK = 1024, HD_RECORD_CHUNKS = 4096, HD_SIDE_HUNG = 1 };

/* Chunks of records, by number; never freed. */
extern _Atomic(hd_record *) hd_record_chunks[HD_RECORD_CHUNKS];

/* The record of a number, or NULL if there is none of its chunk. */
static inline hd_record *hd_record_find(int fd) {
    if ((unsigned)fd >= HD_RECORD_CHUNK * HD_RECORD_CHUNKS)
        return NULL;
    /* acquire: the records' initial values are seen [D1] */
    hd_record *chunk =
        atomic_load_explicit(&hd_record_chunks[(unsigned)fd / HD_RECORD_CHUNK], memory_order_acquire);
    return chunk ? &chunk[(unsigned)fd % HD_RECORD_CHUNK] : NULL;
}

/* The same, made if need be. 0 or a negative code. */
int hd_record_obtain(int fd, hd_record **found);

/* Relaxed: other threads only compare the count with an earlier one, and what the event stands for comes to them from
 * the kernel. */
static inline uint64_t hd_side_count(const hd_side *self) {
    return atomic_load_explicit(&self->events, memory_order_relaxed);
}

/* Who waits, or NULL. Under the lock. */
static inline hd_fd_waiter *hd_side_first(hd_side *self) {
    hd_waiter *waiter = hd_waiter_first(&self->line);
    return waiter ? hd_container_of(waiter, hd_fd_waiter, waiter) : NULL;
}

/* Counts an event, with HD_SIDE_HUNG or 0. Under the lock. */
void hd_side_count_event(hd_side *self, uint64_t hung);

/* Ends a waiting, if there is one, with `verdict`; 0 is an event. Was there one? Under the lock. */
bool hd_side_grant(hd_side *self, int verdict);

/* Takes who waits there for a transfer; NULL: nobody does. Under the lock. */
hd_fd_waiter *hd_record_take(hd_record *self, int which);

/* Has their transfers made, HD_BATCH_MOST at most, and tells them. A worker, with its batch or none (NULL); no lock is held. */
void hd_record_transfer(hd_batch *batch, hd_fd_waiter *const taken[], unsigned count);

/* Before something else is done with the descriptor: takes the lock when nobody is taken on these sides, of which the last is
 * that of writing, and makes a write that was put off. If there is no room for that, it stays put off. */
void hd_record_lock_settled(hd_record *self, int first, int last);

/* The same for writing, and gives the lock back. */
void hd_record_settle(hd_record *self);

#endif
