/* What waking costs: it is learned, within its bounds. */
#include "inside.h"
#include "price.h"

static const uint64_t US = 1000;

static void tell(hd_prices *prices, uint64_t sending_us, uint64_t arriving_us, int times) {
    for (int i = 0; i < times; i++) {
        hd_price_sent(prices, hd_clock_from_ns(sending_us * US));
        hd_price_arrived(prices, hd_clock_from_ns(arriving_us * US));
    }
}

static uint64_t price_us(const hd_prices *prices) {
    return hd_clock_to_ns(hd_price(prices)) / US;
}

static void at_first_it_is_what_is_usual(void **state) {
    (void)state;
    hd_prices prices;
    hd_prices_init(&prices);
    assert_in_range(price_us(&prices), 59, 61);
}

static void it_follows_what_is_measured_up_and_down(void **state) {
    (void)state;
    hd_prices prices;
    hd_prices_init(&prices);
    tell(&prices, 40, 90, 50);
    assert_in_range(price_us(&prices), 110, 150);
    tell(&prices, 12, 60, 50);
    assert_in_range(price_us(&prices), 60, 85);
}

static void one_in_three_that_takes_long_does_not_move_it_far(void **state) {
    (void)state;
    hd_prices prices;
    hd_prices_init(&prices);
    for (int i = 0; i < 100; i++) {
        tell(&prices, 20, 60, 2);
        tell(&prices, 5000, 5000, 1);
    }
    assert_in_range(price_us(&prices), 60, 110);
}

static void it_stays_within_its_bounds(void **state) {
    (void)state;
    hd_prices prices;
    hd_prices_init(&prices);
    tell(&prices, 1, 1, 1000);
    assert_in_range(price_us(&prices), 59, 61);
    tell(&prices, 0, 0, 1000);
    tell(&prices, 10000, 10000, 1000);
    assert_in_range(price_us(&prices), 239, 241);
}

static int set_up(void **state) {
    (void)state;
    hd_clock_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first_it_is_what_is_usual),
        cmocka_unit_test(it_follows_what_is_measured_up_and_down),
        cmocka_unit_test(one_in_three_that_takes_long_does_not_move_it_far),
        cmocka_unit_test(it_stays_within_its_bounds),
    };
    return cmocka_run_group_tests_name("price", tests, set_up, NULL);
}
