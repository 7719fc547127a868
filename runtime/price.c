#include "price.h"

enum {
    SENDING_FIRST_NS = 10000,
    ARRIVING_FIRST_NS = 50000,
    LEAST_NS = 60000,
    MOST_NS = 4 * LEAST_NS,
    STEP = 8, /* the part of itself by which an estimate moves */
};

void hd_prices_init(hd_prices *prices) {
    prices->least = hd_clock_from_ns(LEAST_NS);
    prices->most = hd_clock_from_ns(MOST_NS);
    atomic_init(&prices->sending, hd_clock_from_ns(SENDING_FIRST_NS));
    atomic_init(&prices->arriving, hd_clock_from_ns(ARRIVING_FIRST_NS));
}

static void learn(_Atomic uint64_t *price, uint64_t sample) {
    uint64_t known = atomic_load_explicit(price, memory_order_relaxed); /* relaxed, both: a hint */
    uint64_t step = known / STEP + 1;
    atomic_store_explicit(price, sample > known ? known + step : known - (known < step ? known : step),
                          memory_order_relaxed);
}

void hd_price_sent(hd_prices *prices, uint64_t ticks) {
    learn(&prices->sending, ticks);
}

void hd_price_arrived(hd_prices *prices, uint64_t ticks) {
    learn(&prices->arriving, ticks);
}
