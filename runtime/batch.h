/* Several reads and writes of sockets in one system call.
 *
 * A system call has a price beside what it does, which is high on virtual machines whose hypervisor has a hand in it (1 µs
 * on some of those at hand, 0.17 on others). An io_uring makes many calls for one such price. It is used for nothing else
 * here: each of its calls is one that does not wait (MSG_DONTWAIT), and all have ended when hd_batch_run returns. So none is
 * ever under way in the kernel while its task goes on, and where there is no ring the same calls are made one by one.
 *
 * | operation                     | who                                    |
 * |-------------------------------|----------------------------------------|
 * | hd_batch_pays, hd_batch_run   | the worker that has it                 |
 * | hd_batch_create, _destroy     | before that worker's thread, and after |
 *
 * Turned down: an io_uring that waits for descriptors, too, instead of epoll. What is under way in one belongs to its thread: a
 * stand-in could not serve a stuck worker's descriptors, nor could who is cancelled leave without asking the kernel back. */
#ifndef HD_BATCH_H
#define HD_BATCH_H

#include "base.h"

#include <limits.h>

enum {
    HD_BATCH_MOST = 64,
    HD_BATCH_BYTES_MOST =
        16 << 10,          /* of a call that is worth it: to copy more takes longer than a system call */
    HD_NOT_MADE = INT_MIN, /* no call's result */
};

/* A call that is to be made. */
typedef struct hd_transfer {
    int fd;
    bool out;       /* send(2), else recv(2) */
    void *buffer;   /* is only read if `out` */
    size_t bytes;   /* at most INT_MAX */
    ssize_t result; /* as the call's own, errors as negative codes; until then HD_NOT_MADE */
} hd_transfer;

typedef struct hd_batch hd_batch;

/* NULL: no memory. It opens its ring when it is first needed. */
hd_batch *hd_batch_create(void);
void hd_batch_destroy(hd_batch *batch);

/* Are calls worth being gathered for it? */
bool hd_batch_pays(const hd_batch *batch);

/* Makes the calls, HD_BATCH_MOST at most; one by one without a batch (NULL). */
void hd_batch_run(hd_batch *batch, hd_transfer *const transfers[], unsigned count);

/* For tests: system calls are taken to be dear from now on, or cheap, whatever they are. Process-wide. */
void hd_batch_assume_dear(bool dear);

#endif
