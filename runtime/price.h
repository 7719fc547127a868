/* What waking a parked worker costs on this machine, learned from each time that it is done.
 *
 * Two prices: the waker's own time, and how long it takes until the other runs. Their sum is the work that one worker
 * would do alone before two get ahead of it. On bare metal it is some 40 µs, on virtual machines 60 to 250, and more where a
 * processor that the host has put to sleep must be fetched back. So the scheduler asks here, and not a constant.
 *
 * What is kept is the median, by a step up for each sample above it and one down for each below: the samples in which the
 * woken one found its core taken do not move it far. It stays between 60 µs, of which less is never worth while, and four times that:
 * above, backlogs that should be shared would be found by nobody, and nothing more be learned.
 *
 * | operation                | who                                                 |
 * |--------------------------|-----------------------------------------------------|
 * | hd_price_sent, _arrived  | any worker of the runtime: relaxed, a step may be lost |
 * | hd_price                 | any thread                                          |
 */
#ifndef HD_PRICE_H
#define HD_PRICE_H

#include "clock.h"

typedef struct hd_prices {
    uint64_t least, most;               /* constant */
    _Atomic uint64_t sending, arriving; /* ticks, all of them */
} hd_prices;

/* After hd_clock_init. */
void hd_prices_init(hd_prices *prices);

/* A waker needed so many ticks to wake somebody; who was woken ran so many after it had begun to. */
void hd_price_sent(hd_prices *prices, uint64_t ticks);
void hd_price_arrived(hd_prices *prices, uint64_t ticks);

/* Ticks: a backlog of so much is worth waking somebody. */
static inline uint64_t hd_price(const hd_prices *prices) {
    /* relaxed, both: a hint */
    uint64_t both = atomic_load_explicit(&prices->sending, memory_order_relaxed) +
                    atomic_load_explicit(&prices->arriving, memory_order_relaxed);
    return both < prices->least ? prices->least : both > prices->most ? prices->most : both;
}

#endif
