/* Whether the machine is full: how that is concluded from how often workers lose their cores. */
#include "crowd.h"
#include "inside.h"

static hd_crowd crowd;
static hd_crowd_record record;
static uint64_t now;

static int set_up(void **state) {
    (void)state;
    hd_clock_init();
    hd_crowd_init(&crowd);
    record = (hd_crowd_record){0};
    now = hd_clock_from_ns(HD_SECONDS(1));
    hd_crowd_note(&crowd, &record, now, 0, true);
    return 0;
}

static void after_ms(unsigned ms, long more, bool beside_others) {
    now += hd_clock_from_ns(HD_MS(ms));
    hd_crowd_note(&crowd, &record, now, record.lost + more, beside_others);
}

static bool in_ms(unsigned ms) {
    return hd_crowd_is(&crowd, now + hd_clock_from_ns(HD_MS(ms)));
}

static void who_keeps_its_core_sees_no_crowd(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        after_ms(11, 1, true);
        assert_false(in_ms(0));
    }
}

static void who_loses_it_again_and_again_sees_one_for_a_while(void **state) {
    (void)state;
    assert_true(hd_crowd_is_due(&crowd, &record, now + hd_clock_from_ns(HD_MS(11))));
    after_ms(11, 5, true);
    assert_false(hd_crowd_is_due(&crowd, &record, now));
    assert_true(in_ms(90));
    assert_false(in_ms(110));
}

static void who_is_alone_learns_nothing(void **state) {
    (void)state;
    after_ms(11, 50, false);
    assert_false(in_ms(0));
}

static void a_count_over_a_long_sleep_says_nothing(void **state) {
    (void)state;
    after_ms(500, 50, true);
    assert_false(in_ms(0));
}

static void the_while_is_longer_each_time_and_short_again_after_a_quiet_look(void **state) {
    (void)state;
    static const unsigned holds_ms[] = {100, 200, 400, 800, 1600, 1600};
    for (size_t i = 0; i < sizeof holds_ms / sizeof *holds_ms; i++) {
        after_ms(11, 5, true);
        assert_true(in_ms(holds_ms[i] - 10));
        assert_false(in_ms(holds_ms[i] + 10));
        after_ms(holds_ms[i] + 1, 0, false); /* alone meanwhile */
    }
    after_ms(11, 0, true);
    after_ms(11, 5, true);
    assert_false(in_ms(110));
}

static void the_kernels_count_goes_up(void **state) {
    (void)state;
    assert_true(hd_crowd_lost() >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_keeps_its_core_sees_no_crowd, set_up),
        cmocka_unit_test_setup(who_loses_it_again_and_again_sees_one_for_a_while, set_up),
        cmocka_unit_test_setup(who_is_alone_learns_nothing, set_up),
        cmocka_unit_test_setup(a_count_over_a_long_sleep_says_nothing, set_up),
        cmocka_unit_test_setup(the_while_is_longer_each_time_and_short_again_after_a_quiet_look, set_up),
        cmocka_unit_test_setup(the_kernels_count_goes_up, set_up),
    };
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
