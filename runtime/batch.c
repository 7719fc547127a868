#include "batch.h"

#include "sys.h"

#include <liburing.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HD_VALGRIND
#    include <valgrind/valgrind.h>
#endif

enum {
    WORTH_IT = 3, /* fewer calls take no longer one by one */
    DEAR_NS = 100,
    DEAR_TRIES = 16,
    DEAR_CALLS = 8, /* in each, since reading the clock takes as long as a cheap one */
};

struct hd_batch {
    enum { UNTRIED, READY, REFUSED } state;
    struct io_uring ring; /* if READY */
};

/* ---- does it pay? ---- */

static _Atomic bool
    calls_are_dear; /* constant after calls_measured, save for tests; relaxed, all: a choice */
static pthread_once_t calls_measured = PTHREAD_ONCE_INIT;

/* The quickest of some, as others may be interrupted. */
static void measure_calls(void) {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < DEAR_TRIES; i++) {
        uint64_t began = hd_sys_now();
        for (int call = 0; call < DEAR_CALLS; call++)
            syscall(SYS_getppid);
        uint64_t took = (hd_sys_now() - began) / DEAR_CALLS;
        least = took < least ? took : least;
    }
    atomic_store_explicit(&calls_are_dear, least > DEAR_NS, memory_order_relaxed);
}

void hd_batch_assume_dear(bool dear) {
    pthread_once(&calls_measured, measure_calls);
    atomic_store_explicit(&calls_are_dear, dear, memory_order_relaxed);
}

bool hd_batch_pays(const hd_batch *batch) {
    return batch && batch->state != REFUSED && atomic_load_explicit(&calls_are_dear, memory_order_relaxed);
}

/* ---- the ring ---- */

hd_batch *hd_batch_create(void) {
    pthread_once(&calls_measured, measure_calls);
    return hd_sys_zalloc(sizeof(hd_batch));
}

void hd_batch_destroy(hd_batch *batch) {
    if (batch && batch->state == READY)
        io_uring_queue_exit(&batch->ring);
    hd_sys_free(batch);
}

#if defined(HD_TSAN) || defined(HD_ASAN)
/* They look at the C library's calls. */
static bool is_ready(hd_batch *batch HD_UNUSED) {
    return false;
}
#else
/* Linux before 5.6 has rings, but not these calls; nor can it be asked. */
static bool knows_calls(struct io_uring *ring) {
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool knows = probe && io_uring_opcode_supported(probe, IORING_OP_RECV) &&
                 io_uring_opcode_supported(probe, IORING_OP_SEND);
    io_uring_free_probe(probe);
    return knows;
}

/* valgrind does not see what a ring reads. */
static bool under_valgrind(void) {
#    ifdef HD_VALGRIND
    return RUNNING_ON_VALGRIND;
#    else
    return false;
#    endif
}

/* Many containers refuse it. */
static bool open_ring(struct io_uring *ring) {
    if (under_valgrind() || hd_sys_fails() || io_uring_queue_init(HD_BATCH_MOST, ring, 0))
        return false;
    if (knows_calls(ring))
        return true;
    io_uring_queue_exit(ring);
    return false;
}

static bool is_ready(hd_batch *batch) {
    if (batch->state == UNTRIED)
        batch->state = open_ring(&batch->ring) ? READY : REFUSED;
    return batch->state == READY;
}
#endif

/* ---- the calls ---- */

static int flags_of(const hd_transfer *self) {
    return self->out ? MSG_DONTWAIT | MSG_NOSIGNAL : MSG_DONTWAIT;
}

static void run_one(hd_transfer *self) {
    ssize_t result = self->out ? hd_sys_send(self->fd, self->buffer, self->bytes, flags_of(self))
                               : hd_sys_recv(self->fd, self->buffer, self->bytes, flags_of(self));
    self->result = result < 0 ? -errno : result;
}

static void prepare(struct io_uring *ring, hd_transfer *self) {
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    if (self->out)
        io_uring_prep_send(entry, self->fd, self->buffer, self->bytes, flags_of(self));
    else
        io_uring_prep_recv(entry, self->fd, self->buffer, self->bytes, flags_of(self));
    io_uring_sqe_set_data(entry, self);
}

/* The results of those that have ended; how many. */
static unsigned collect(struct io_uring *ring) {
    struct io_uring_cqe *ended;
    unsigned head, count = 0;
    io_uring_for_each_cqe(ring, head, ended) {
        hd_transfer *transfer = io_uring_cqe_get_data(ended);
        transfer->result = ended->res;
        count++;
    }
    io_uring_cq_advance(ring, count);
    return count;
}

/* What the kernel does not take is left, and the ring given up: a program may forbid itself such calls at any time, and a kernel
 * without memory is better left alone. */
static void run_together(hd_batch *batch, hd_transfer *const transfers[], unsigned count) {
    for (unsigned i = 0; i < count; i++)
        prepare(&batch->ring, transfers[i]);
    for (unsigned left = count; left > 0;) {
        int code = io_uring_submit_and_wait(&batch->ring, left);
        unsigned ended = collect(&batch->ring);
        left -= ended;
        if (code < 0 && code != -EINTR && !ended) {
            io_uring_queue_exit(&batch->ring);
            batch->state = REFUSED;
            return;
        }
    }
}

void hd_batch_run(hd_batch *batch, hd_transfer *const transfers[], unsigned count) {
    int kept = errno;
    for (unsigned i = 0; i < count; i++)
        transfers[i]->result = HD_NOT_MADE;
    if (batch && count >= WORTH_IT && is_ready(batch))
        run_together(batch, transfers, count);
    for (unsigned i = 0; i < count; i++)
        if (transfers[i]->result == HD_NOT_MADE)
            run_one(transfers[i]);
    errno = kept;
}
