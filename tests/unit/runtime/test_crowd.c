/* Whether the machine is full: how that is concluded from the time that workers are without a core. */
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
    hd_crowd_note(&crowd, &record, now, (hd_crowd_use){.ran_ns = HD_SECONDS(1)}, true);
    return 0;
}

/* In each of these it has run for a half of what it did not wait for a core, and was parked for the other. */
static void after_ms(unsigned ms, unsigned waited_ms, bool beside_others) {
    hd_crowd_use use = record.use;
    use.waited_ns += HD_MS(waited_ms);
    use.ran_ns += HD_MS(ms - waited_ms) / 2;
    now += hd_clock_from_ns(HD_MS(ms));
    hd_crowd_note(&crowd, &record, now, use, beside_others);
}

static bool in_ms(unsigned ms) {
    return hd_crowd_is(&crowd, now + hd_clock_from_ns(HD_MS(ms)));
}

static void who_keeps_its_core_sees_no_crowd(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        after_ms(17, 1, true);
        assert_false(in_ms(0));
    }
}

static void who_loses_it_for_long_sees_one_for_a_while(void **state) {
    (void)state;
    assert_true(hd_crowd_is_due(&crowd, &record, now + hd_clock_from_ns(HD_MS(11))));
    after_ms(11, 5, true);
    assert_false(hd_crowd_is_due(&crowd, &record, now));
    assert_true(in_ms(190));
    assert_false(in_ms(210));
}

/* Roughly: what a tick is in nanoseconds becomes known only as time goes by. */
static void check_parts(uint32_t share, uint32_t granted) {
    assert_in_range(atomic_load_explicit(&record.share, memory_order_relaxed), share - 8, share + 8);
    assert_in_range(atomic_load_explicit(&record.granted, memory_order_relaxed), granted - 2, granted + 2);
}

static void its_share_of_a_core_is_the_mean_of_the_last_looks(void **state) {
    (void)state;
    assert_false(hd_crowd_knows(&crowd, &record, now));
    for (int i = 0; i < 20; i++)
        after_ms(20, 0, true);
    check_parts(50, 100);
    assert_false(hd_crowd_waits(&record));
    assert_true(hd_crowd_knows(&crowd, &record, now));
    after_ms(500, 0, true); /* that was too long ago, and says nothing */
    check_parts(50, 100);
    assert_false(hd_crowd_knows(&crowd, &record, now));
    for (int i = 0; i < 20; i++)
        after_ms(20, 10, true);
    check_parts(25, 34);
    assert_true(hd_crowd_waits(&record));
}

static void what_one_at_a_time_does_is_claimed_by_one_until_the_parts_show_it(void **state) {
    (void)state;
    assert_true(hd_crowd_claim(&crowd, now));
    assert_false(hd_crowd_claim(&crowd, now - 1)); /* by one whose clock was read before */
    assert_false(hd_crowd_claim(&crowd, now + hd_clock_from_ns(HD_MS(79))));
    assert_true(hd_crowd_claim(&crowd, now + hd_clock_from_ns(HD_MS(81))));
}

static void who_is_alone_learns_nothing(void **state) {
    (void)state;
    after_ms(11, 8, false);
    assert_false(in_ms(0));
}

static void looks_that_are_far_apart_say_nothing(void **state) {
    (void)state;
    after_ms(500, 250, true);
    assert_false(in_ms(0));
}

static void counts_that_begin_anew_say_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        hd_crowd_use fresh = {.ran_ns = i ? HD_MS(1) : 0, .waited_ns = i ? HD_MS(5) : 0};
        record.use = (hd_crowd_use){.ran_ns = HD_SECONDS(1), .waited_ns = HD_SECONDS(1)};
        now += hd_clock_from_ns(HD_MS(11));
        hd_crowd_note(&crowd, &record, now, fresh, true);
        assert_false(in_ms(0));
    }
    record.use = (hd_crowd_use){0}; /* was not told */
    after_ms(11, 5, true);
    assert_false(in_ms(0));
}

static void who_hardly_wants_a_core_says_nothing(void **state) {
    (void)state;
    hd_crowd_use use = record.use;
    use.waited_ns += HD_US(100);
    now += hd_clock_from_ns(HD_MS(11));
    hd_crowd_note(&crowd, &record, now, use, true);
    assert_false(in_ms(0));
}

static void the_while_is_longer_each_time_and_short_again_after_a_quiet_one(void **state) {
    (void)state;
    static const unsigned holds_ms[] = {200, 400, 800, 1600, 1600};
    for (size_t i = 0; i < sizeof holds_ms / sizeof *holds_ms; i++) {
        after_ms(11, 5, true);
        assert_true(in_ms(holds_ms[i] - 10));
        assert_false(in_ms(holds_ms[i] + 10));
        after_ms(holds_ms[i] + 1, 0, false); /* alone meanwhile */
        after_ms(11, 0, true);
    }
    after_ms(1601, 0, false);
    after_ms(11, 0, true);
    after_ms(11, 5, true);
    assert_false(in_ms(210));
}

static void a_thread_that_computes_has_run(void **state) {
    (void)state;
    uint64_t before = hd_crowd_used().ran_ns, from = hd_now();
    if (!before)
        skip();                                            /* the kernel does not tell */
    while (hd_crowd_used().ran_ns - before < HD_MS(30)) {} /* the kernel counts up at its own ticks */
    assert_true(hd_now() - from > HD_MS(15));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_keeps_its_core_sees_no_crowd, set_up),
        cmocka_unit_test_setup(who_loses_it_for_long_sees_one_for_a_while, set_up),
        cmocka_unit_test_setup(its_share_of_a_core_is_the_mean_of_the_last_looks, set_up),
        cmocka_unit_test_setup(what_one_at_a_time_does_is_claimed_by_one_until_the_parts_show_it, set_up),
        cmocka_unit_test_setup(who_is_alone_learns_nothing, set_up),
        cmocka_unit_test_setup(looks_that_are_far_apart_say_nothing, set_up),
        cmocka_unit_test_setup(counts_that_begin_anew_say_nothing, set_up),
        cmocka_unit_test_setup(who_hardly_wants_a_core_says_nothing, set_up),
        cmocka_unit_test_setup(the_while_is_longer_each_time_and_short_again_after_a_quiet_one, set_up),
        cmocka_unit_test_setup(a_thread_that_computes_has_run, set_up),
    };
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
