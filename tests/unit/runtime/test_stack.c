#include "fiber.h"
#include "inside.h"
#include "stack.h"
#include "sys.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_class_is_the_smallest_that_holds_it(void **state) {
    (void)state;
    assert_int_equal(hd_stack_class(1), 0);
    assert_int_equal(hd_stack_class_bytes(0), 16 << 10);
    assert_int_equal(hd_stack_class(16 << 10), 0);
    assert_int_equal(hd_stack_class((16 << 10) + 1), 1);
    assert_int_equal(hd_stack_class((size_t)64 << 20), HD_STACK_CLASSES - 1);
    assert_int_equal(hd_stack_class(((size_t)64 << 20) + 1), -1);
}

static void stacks_are_writable_from_end_to_end_and_do_not_overlap(void **state) {
    (void)state;
    enum { MANY = 6000 }; /* of the smallest: more than one arena holds */
    static unsigned char *low[MANY];
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    size_t bytes = hd_stack_class_bytes(0);
    for (int i = 0; i < MANY; i++) {
        low[i] = hd_stack_create(&stacks, 0);
        assert_non_null(low[i]);
        low[i][0] = (unsigned char)i;
        low[i][bytes - 1] = (unsigned char)~i;
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(low[i][0], (unsigned char)i);
        assert_int_equal(low[i][bytes - 1], (unsigned char)~i);
    }
    hd_stacks_fini(&stacks);
}

/* Does a write there end the process? */
static bool faults(volatile char *where) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        *where = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

static void running_off_a_stack_faults(void **state) {
    (void)state;
    for (int old_kernel = 0; old_kernel < 2; old_kernel++) {
        hd_stacks stacks;
        hd_stacks_init(&stacks, false);
        if (old_kernel)
            stacks.guard_by_madvise = false;
        for (int stack_class = 0; stack_class < 4; stack_class++) {
            char *first = hd_stack_create(&stacks, stack_class);
            char *second = hd_stack_create(&stacks, stack_class);
            assert_false(faults(first));
            assert_true(faults(first - 1));
            assert_true(faults(second - stacks.page_bytes));
        }
        hd_stacks_fini(&stacks);
    }
}

static void without_a_guard_there_is_no_stack_unless_that_is_allowed(void **state) {
    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        hd_stacks stacks;
        hd_stacks_init(&stacks, allowed);
        stacks.guard_by_madvise = false;
        stacks.mprotected = UINT32_MAX; /* the budget is spent */
        void *low = hd_stack_create(&stacks, 0);
        assert_int_equal(low != NULL, allowed);
        hd_stacks_fini(&stacks);
    }
}

static void a_smaller_arena_is_tried_where_a_large_one_is_refused(void **state) {
    (void)state;
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    hd_sys_fail_after(2); /* its record is there, the address space is not */
    assert_non_null(hd_stack_create(&stacks, 0));
    assert_true(stacks.fresh[0].end - stacks.fresh[0].next < 64 << 20);
    hd_stacks_fini(&stacks);
    hd_stacks_init(&stacks, false);
    hd_sys_fail_after(1);
    assert_null(hd_stack_create(&stacks, 0));
    assert_non_null(hd_stack_create(&stacks, 0));
    hd_stacks_fini(&stacks);
}

static void a_trimmed_stack_is_zero_again(void **state) {
    (void)state;
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    char *low = hd_stack_create(&stacks, 2);
    memset(low, 0x55, hd_stack_class_bytes(2));
    hd_stack_trim(low, hd_stack_class_bytes(2));
    assert_int_equal(low[0], 0);
    assert_int_equal(low[hd_stack_class_bytes(2) - 1], 0);
    hd_stacks_fini(&stacks);
}

static __attribute__((noinline)) int64_t go_deep(int frames) {
    volatile char some[1024];
    memset((void *)some, frames, sizeof some);
    int64_t result = frames ? go_deep(frames - 1) : hd_yield();
    return some[5] == (char)frames ? result : BROKE;
}

static int64_t deep(void *arg) {
    *(hd_fiber **)arg = atomic_load(&hd_self()->fiber);
    return go_deep(40);
}

static int64_t look_at_the_stack(void *arg) {
    (void)arg;
    hd_fiber *fiber = NULL;
    unsigned char resident[16] = {0};
    check(hd_join(hd_spawn(deep, &fiber)) == 0);
    check(mincore(fiber->stack_low, 64 << 10, resident) == 0);
    int pages = 0;
    for (int i = 0; i < 16; i++)
        pages += resident[i] & 1;
    check(pages <= 4);
    check(hd_join(hd_spawn(deep, &fiber)) == 0);
    return 0;
}

static void a_stack_that_went_deep_gives_its_pages_back(void **state) {
    (void)state;
    passes(1, look_at_the_stack, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_is_the_smallest_that_holds_it),
        cmocka_unit_test(stacks_are_writable_from_end_to_end_and_do_not_overlap),
        cmocka_unit_test(running_off_a_stack_faults),
        cmocka_unit_test(without_a_guard_there_is_no_stack_unless_that_is_allowed),
        cmocka_unit_test(a_smaller_arena_is_tried_where_a_large_one_is_refused),
        cmocka_unit_test(a_trimmed_stack_is_zero_again),
        cmocka_unit_test(a_stack_that_went_deep_gives_its_pages_back),
    };
    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
