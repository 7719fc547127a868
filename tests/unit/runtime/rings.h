/* Whether batches are made by io_uring here. */
#ifndef HD_TEST_RINGS_H
#define HD_TEST_RINGS_H

#include "base.h"
#include "inside.h"

#include <liburing.h>

/* The system lets us, and there is nobody who could not see what they do. */
static inline bool there_are_rings(void) {
#if defined(HD_TSAN) || defined(HD_ASAN)
    return false;
#else
    struct io_uring ring;
    if (inside_valgrind() || io_uring_queue_init(8, &ring, 0))
        return false;
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
    bool knows = probe && io_uring_opcode_supported(probe, IORING_OP_SEND);
    io_uring_free_probe(probe);
    io_uring_queue_exit(&ring);
    return knows;
#endif
}

#endif
