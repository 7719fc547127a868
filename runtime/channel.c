/* A channel: a bounded queue of copied items between tasks.
 *
 * At any time at most one of these is true: receivers wait (and the buffer is empty), senders wait (and it is full).
 * Whoever comes serves the first of the other side directly: a sender copies into the waiting receiver's item, a
 * receiver out of the waiting sender's, or moves that into the place it has just made. So items keep the order in
 * which their senders came, and capacity 0 needs no case of its own.
 *
 * The copies are made under the lock. Items are meant to be small; large things travel as pointers. */
#include "context.h"
#include "grant.h"
#include "scope.h"
#include "sys.h"
#include "wait.h"

#include <string.h>

struct hd_channel {
    hd_biased_lock lock; /* of the rest */
    bool closed;         /* then nobody waits */
    hd_list senders, receivers;
    size_t capacity, item_bytes; /* constant */
    size_t first, count;
    char items[];
};

/* Who waits. */
typedef struct turn {
    hd_waiter waiter;
    union {
        const void *from; /* a sender's item */
        void *to;         /* a receiver's */
    };
    bool closed; /* it was granted by the closing, not by the other side */
} turn;

hd_channel *hd_channel_create(size_t capacity, size_t item_bytes) {
    size_t bytes;
    hd_channel *channel = NULL;
    if (!__builtin_mul_overflow(capacity, item_bytes, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *channel, &bytes))
        channel = hd_sys_zalloc(bytes);
    if (!channel) {
        errno = ENOMEM;
        return NULL;
    }
    hd_biased_lock_init(&channel->lock);
    hd_list_init(&channel->senders);
    hd_list_init(&channel->receivers);
    channel->capacity = capacity;
    channel->item_bytes = item_bytes;
    return channel;
}

void hd_channel_destroy(hd_channel *channel) {
    hd_assert(!channel || (hd_list_empty(&channel->senders) && hd_list_empty(&channel->receivers)));
    hd_sys_free(channel);
}

static void item_copy(const hd_channel *channel, void *to, const void *from) {
    if (hd_likely(channel->item_bytes == sizeof(void *))) /* most items are pointers or numbers */
        memcpy(to, from, sizeof(void *));
    else if (channel->item_bytes)
        memcpy(to, from, channel->item_bytes);
}

static void buffer_push(hd_channel *channel, const void *item) {
    size_t left = channel->capacity - channel->first;
    size_t at = channel->count < left ? channel->first + channel->count : channel->count - left;
    item_copy(channel, channel->items + at * channel->item_bytes, item);
    channel->count++;
}

static void buffer_pop(hd_channel *channel, void *item) {
    item_copy(channel, item, channel->items + channel->first * channel->item_bytes);
    channel->first = channel->first + 1 < channel->capacity ? channel->first + 1 : 0;
    channel->count--;
}

static inline turn *turn_of(hd_waiter *waiter) {
    return hd_container_of(waiter, turn, waiter);
}

/* Would a sender have to wait, or a receiver? Under the lock. */
static inline bool sender_waits(const hd_channel *channel) {
    return channel->count == channel->capacity && hd_list_empty(&channel->receivers) && !channel->closed;
}

static inline bool receiver_waits(const hd_channel *channel) {
    return channel->count == 0 && hd_list_empty(&channel->senders) && !channel->closed;
}

/* These enter with the lock, and leave without; the first two if they need not wait. */
static int send_now(hd_here *here, hd_channel *channel, const void *item) {
    hd_waiter *receiver = hd_waiter_first(&channel->receivers);
    int code = 0;
    if (hd_likely(receiver)) {
        item_copy(channel, turn_of(receiver)->to, item);
        hd_waiter_grant_here(here, receiver);
    } else if (!channel->closed) {
        buffer_push(channel, item);
    } else {
        code = HD_ECLOSED;
    }
    hd_lock_release(&channel->lock.lock);
    return code;
}

/* Apart, so that who has to wait instead need not save registers for it first. */
static HD_NOINLINE int receive_now(hd_here *here, hd_channel *channel, void *item) {
    hd_waiter *sender = hd_waiter_first(&channel->senders);
    int code = 0;
    if (channel->count > 0)
        buffer_pop(channel, item);
    else if (sender)
        item_copy(channel, item, turn_of(sender)->from);
    else
        code = HD_ECLOSED;
    if (sender) {
        if (channel->capacity > 0)
            buffer_push(channel, turn_of(sender)->from);
        hd_waiter_grant_here(here, sender);
    }
    hd_lock_release(&channel->lock.lock);
    return code;
}

static inline int wait_turn(hd_channel *channel, hd_list *line, turn *mine, uint64_t deadline_ns) {
    mine->closed = false;
    int code = hd_wait_in_line(&channel->lock.lock, line, &mine->waiter, HD_WAITS_CHANNEL, 0, deadline_ns);
    return code ? code : mine->closed ? HD_ECLOSED : 0;
}

static HD_RESUMES int wait_to_send(hd_channel *channel, const void *item, uint64_t deadline_ns) {
    turn mine;
    hd_context_leaves();
    mine.from = item;
    return wait_turn(channel, &channel->senders, &mine, deadline_ns);
}

static HD_RESUMES int wait_to_receive(hd_channel *channel, void *item, uint64_t deadline_ns) {
    turn mine;
    hd_context_leaves();
    mine.to = item;
    return wait_turn(channel, &channel->receivers, &mine, deadline_ns);
}

/* Most items, to a receiver that waits. False: nothing was done. Under the lock. */
static inline bool send_at_once(hd_here *here, hd_channel *channel, const void *item) {
    hd_waiter *receiver = hd_waiter_first(&channel->receivers);
    if (!receiver || channel->item_bytes != sizeof(void *) || !hd_waiter_grant_at_once(here, receiver))
        return false;
    /* It goes on on this thread, so after this. */
    memcpy(turn_of(receiver)->to, item, sizeof(void *));
    return true;
}

/* Enters with the lock, and leaves without. */
static inline int send_locked(hd_here *here, hd_channel *channel, const void *item, uint64_t deadline_ns) {
    return sender_waits(channel) ? wait_to_send(channel, item, deadline_ns) : send_now(here, channel, item);
}

static HD_NOINLINE int send_under_lock(hd_channel *channel, const void *item, uint64_t deadline_ns) {
    return send_locked(hd_here_get(), channel, item, deadline_ns);
}

static HD_HOT HD_NOINLINE int send_anyhow(hd_channel *channel, const void *item, uint64_t deadline_ns) {
    hd_here *here = hd_here_get();
    int code = hd_task_checkpoint_here(here);
    if (code)
        return code;
    hd_lock_acquire_here(here, &channel->lock.lock);
    return send_locked(here, channel, item, deadline_ns);
}

/* Calls nothing to which it would come back, so that it need not save registers. */
HD_HOT int hd_channel_send(hd_channel *channel, const void *item, uint64_t deadline_ns) {
    hd_here *here = hd_here_get();
    hd_task *self = hd_here_task(here);
    if (!self || !here->alone || !hd_scope_surely_goes_on(self) ||
        !hd_lock_try_here(here, &channel->lock.lock))
        return send_anyhow(channel, item, deadline_ns);
    if (!send_at_once(here, channel, item))
        return send_under_lock(channel, item, deadline_ns);
    hd_lock_release(&channel->lock.lock);
    return 0;
}

/* Enters with the lock, and leaves without. */
static inline int receive_locked(hd_here *here, hd_channel *channel, void *item, uint64_t deadline_ns) {
    return receiver_waits(channel) ? wait_to_receive(channel, item, deadline_ns)
                                   : receive_now(here, channel, item);
}

static HD_COLD int receive_slowly(hd_channel *channel, void *item, uint64_t deadline_ns) {
    int code = hd_task_checkpoint();
    if (code)
        return code;
    hd_here *here = hd_here_get();
    hd_lock_acquire_here(here, &channel->lock.lock);
    return receive_locked(here, channel, item, deadline_ns);
}

HD_HOT int hd_channel_receive(hd_channel *channel, void *item, uint64_t deadline_ns) {
    hd_here *here = hd_here_get();
    hd_task *self = hd_here_task(here);
    if (!self || !hd_scope_surely_goes_on(self) || !hd_lock_try_here(here, &channel->lock.lock))
        return receive_slowly(channel, item, deadline_ns);
    return receive_locked(here, channel, item, deadline_ns);
}

int hd_channel_try_send(hd_channel *channel, const void *item) {
    hd_here *here = hd_here_get();
    hd_lock_acquire_here(here, &channel->lock.lock);
    if (!sender_waits(channel))
        return send_now(here, channel, item);
    hd_lock_release(&channel->lock.lock);
    return HD_EAGAIN;
}

int hd_channel_try_receive(hd_channel *channel, void *item) {
    hd_here *here = hd_here_get();
    hd_lock_acquire_here(here, &channel->lock.lock);
    if (!receiver_waits(channel))
        return receive_now(here, channel, item);
    hd_lock_release(&channel->lock.lock);
    return HD_EAGAIN;
}

static void dismiss(hd_list *line) {
    for (hd_waiter *waiter; (waiter = hd_waiter_first(line));) {
        turn_of(waiter)->closed = true;
        hd_waiter_grant(waiter);
    }
}

void hd_channel_close(hd_channel *channel) {
    hd_lock_acquire(&channel->lock.lock);
    channel->closed = true;
    dismiss(&channel->senders);
    dismiss(&channel->receivers);
    hd_lock_release(&channel->lock.lock);
}
