#include "fiber.h"
#include "inside.h"
#include "stack.h"
#include "sys.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

/* A stack of a class, from a batch of its own. */
static hd_stack carve(hd_stacks *stacks, int stack_class) {
    hd_stack_batch batch = {0};
    hd_stack stack = {0};
    assert_true(hd_stack_carve(stacks, &batch, stack_class, &stack));
    return stack;
}

static bool may_carve(hd_stacks *stacks, hd_stack_batch *batch) {
    hd_stack stack;
    return hd_stack_carve(stacks, batch, 0, &stack);
}

static void stacks_are_writable_from_end_to_end_and_do_not_overlap(void **state) {
    (void)state;
    enum { MANY = 6000 }; /* of the smallest: more than one arena holds */
    static hd_stack stack[MANY];
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    for (int i = 0; i < MANY; i++) {
        assert_true(hd_stack_carve(&stacks, &batch, 0, &stack[i]));
        stack[i].low[0] = (char)i;
        stack[i].top[-1] = (char)~i;
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(stack[i].low[0], (char)i);
        assert_int_equal(stack[i].top[-1], (char)~i);
    }
    hd_stacks_fini(&stacks);
}

static void a_stack_holds_nearly_half_as_much_again_as_its_class_says(void **state) {
    (void)state;
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    for (int stack_class = 0; stack_class < HD_STACK_CLASSES; stack_class++) {
        size_t bytes = hd_stack_class_bytes(stack_class);
        hd_stack stack = carve(&stacks, stack_class);
        assert_true((size_t)(stack.top - stack.low) >= bytes / 2 * 3 - 1024 - 2 * hd_stack_guard_bytes());
        assert_true((size_t)(stack.top - stack.low) >= bytes);
        stack.low[0] = stack.top[-1] = 1;
    }
    hd_stacks_fini(&stacks);
}

static int resident_pages(const hd_stack *stack) {
    unsigned char resident[64] = {0};
    int pages = 0;
    assert_true(stack->top - stack->low < 64 << 12);
    assert_int_equal(mincore(stack->low, (size_t)(stack->top - stack->low), resident), 0);
    for (int i = 0; i < 64; i++)
        pages += resident[i] & 1;
    return pages;
}

static void tops_lie_at_many_places_of_the_caches_and_cost_only_one_page(void **state) {
    (void)state;
    const char *last = NULL;
    bool seen[64] = {0};
    int colours = 0;
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    for (int i = 0; i < 256; i++) {
        hd_stack stack;
        assert_true(hd_stack_carve(&stacks, &batch, 2, &stack));
        assert_int_equal((uintptr_t)stack.top % HD_CACHE_LINE, 0);
        if (i % 2) /* of the same batch: an odd number of pages further */
            assert_int_equal((uintptr_t)(stack.low - last) / hd_stack_guard_bytes() % 2, 1);
        last = stack.low;
        memset(stack.top - 3000, 1, 3000);                   /* so much a fiber that sleeps may use */
        assert_int_equal(hd_stack_high_water(&stack), 3000); /* looking does not cost any */
        assert_int_equal(resident_pages(&stack), 1);
        bool *colour = &seen[(uintptr_t)stack.top / HD_CACHE_LINE % 64];
        colours += !*colour;
        *colour = true;
    }
    assert_true(colours >= 16);
    hd_stacks_fini(&stacks);
}

/* Carves one stack; returns how many of the `count` slots of its batch have their first page. */
static int first_pages_there(hd_stacks *stacks, hd_stack_batch *batch, int count) {
    hd_stack stack;
    assert_true(hd_stack_carve(stacks, batch, 0, &stack));
    size_t slot_bytes = (size_t)(batch->end - batch->next) / (size_t)(count - 1);
    int there = 0;
    for (int i = 0; i < count; i++) {
        unsigned char resident[64] = {0};
        char *slot = batch->next + (size_t)(i - 1) * slot_bytes;
        size_t pages = slot_bytes / hd_stack_guard_bytes();
        assert_int_equal(mincore(slot, slot_bytes, resident), 0);
        for (size_t page = 0; page + 1 < pages; page++)
            assert_false(resident[page] & 1);
        there += resident[pages - 1] & 1;
    }
    return there;
}

static void first_pages_come_by_the_batch(void **state) {
    (void)state;
    enum { FIRST = 4, SECOND = 8 }; /* batches */
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    int there = first_pages_there(&stacks, &batch, FIRST);
    if (stacks.guards_by != HD_GUARDS_BY_BATCH) {
        hd_stacks_fini(&stacks);
        skip(); /* an older kernel, which knows no process_madvise of oneself */
    }
    assert_int_equal(there, FIRST);
    for (int i = 1; i < FIRST; i++)
        assert_true(may_carve(&stacks, &batch));
    assert_int_equal(first_pages_there(&stacks, &batch, SECOND), SECOND);
    hd_stacks_fini(&stacks);
}

struct carver {
    hd_stacks *stacks;
    pthread_barrier_t *start;
    hd_stack stack[1000];
    bool failed;
};

static void *carve_many(void *arg) {
    struct carver *carver = arg;
    pthread_barrier_wait(carver->start);
    for (int i = 0; i < 1000; i++) {
        hd_stack_batch batch = {0}; /* a new one each time, so that all of them want the rest of the arena */
        carver->failed |= !hd_stack_carve(carver->stacks, &batch, i % 2, &carver->stack[i]);
        if (!carver->failed)
            memcpy(carver->stack[i].low, &carver, sizeof carver);
    }
    return NULL;
}

static void threads_carve_different_stacks(void **state) {
    (void)state;
    enum { THREADS = 4 };
    static struct carver carver[THREADS];
    pthread_t thread[THREADS];
    pthread_barrier_t start;
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int t = 0; t < THREADS; t++) {
        carver[t] = (struct carver){.stacks = &stacks, .start = &start};
        assert_int_equal(pthread_create(&thread[t], NULL, carve_many, &carver[t]), 0);
    }
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (int t = 0; t < THREADS; t++) {
        struct carver *whose;
        assert_false(carver[t].failed);
        for (int i = 0; i < 1000; i++) {
            memcpy(&whose, carver[t].stack[i].low, sizeof whose);
            assert_ptr_equal(whose, &carver[t]);
        }
    }
    pthread_barrier_destroy(&start);
    hd_stacks_fini(&stacks);
}

/* ---- guards ---- */

/* Does a write there end the process? */
static bool faults(volatile char *where) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
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
    for (hd_guards_by by = HD_GUARDS_BY_BATCH; by <= HD_GUARDS_BY_MPROTECT; by++) {
        hd_stacks stacks;
        hd_stacks_init(&stacks, false);
        stacks.guards_by = by;
        for (int stack_class = 0; stack_class < 4; stack_class++) {
            hd_stack_batch batch = {0};
            hd_stack stack;
            for (int i = 0; i < 6; i++) { /* more than one batch */
                assert_true(hd_stack_carve(&stacks, &batch, stack_class, &stack));
                if (i % 4 == 1) {
                    assert_false(faults(stack.low));
                    assert_true(faults(stack.low - 1));
                    assert_true(faults(stack.low - hd_stack_guard_bytes()));
                }
            }
        }
        hd_stacks_fini(&stacks);
    }
}

static void a_guard_is_made_in_the_next_older_way_where_a_kernel_does_not_know_one(void **state) {
    (void)state;
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    for (hd_guards_by by = HD_GUARDS_BY_BATCH; by <= HD_GUARDS_BY_MPROTECT; by++) {
        hd_stack_batch batch = {0};
        hd_stack stack;
        /* the first time the arena's record and its memory come first */
        hd_sys_fail_after(by == HD_GUARDS_BY_BATCH ? 3 : 1);
        if (by != HD_GUARDS_BY_MPROTECT) {
            assert_true(hd_stack_carve(&stacks, &batch, 0, &stack));
            assert_int_equal(stacks.guards_by, by + 1);
            assert_true(faults(stack.low - 1));
        } else {
            assert_false(may_carve(&stacks, &batch));
        }
    }
    hd_stacks_fini(&stacks);
}

static void without_a_guard_there_is_no_stack_unless_that_is_allowed(void **state) {
    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        hd_stack_batch batch = {0};
        hd_stacks stacks;
        hd_stacks_init(&stacks, allowed);
        stacks.guards_by = HD_GUARDS_BY_MPROTECT;
        stacks.mprotect_budget = 6; /* of all in the process */
        for (int i = 0; i < 6; i++)
            assert_true(may_carve(&stacks, &batch));
        hd_stack_batch of_another_worker = {0};
        for (int i = 0; i < 100; i++) {
            assert_int_equal(may_carve(&stacks, &batch), allowed);
            assert_int_equal(may_carve(&stacks, &of_another_worker), allowed);
        }
        /* those that failed have taken nothing */
        if (!allowed) {
            stacks.mprotect_budget = 8;
            assert_true(of_another_worker.end - of_another_worker.next > 0);
            assert_true(may_carve(&stacks, &batch));
            assert_true(may_carve(&stacks, &of_another_worker));
            assert_false(may_carve(&stacks, &batch));
        }
        hd_stacks_fini(&stacks);
    }
}

static void the_kernel_may_have_no_mapping_left_for_a_guard(void **state) {
    (void)state;
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    stacks.guards_by = HD_GUARDS_BY_MPROTECT;
    assert_true(may_carve(&stacks, &batch));
    hd_sys_fail_after(1);
    assert_false(may_carve(&stacks, &batch));
    assert_true(may_carve(&stacks, &batch));
    hd_stacks_fini(&stacks);
}

/* ---- address space ---- */

static void a_smaller_arena_is_tried_where_a_large_one_is_refused(void **state) {
    (void)state;
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    hd_sys_fail_after(2); /* its record is there, the address space is not */
    assert_true(may_carve(&stacks, &batch));
    assert_true(stacks.fresh[0].end - stacks.fresh[0].next < 33 << 20);
    hd_stacks_fini(&stacks);
    batch = (hd_stack_batch){0};
    hd_stacks_init(&stacks, false);
    hd_sys_fail_after(1);
    assert_false(may_carve(&stacks, &batch));
    assert_true(may_carve(&stacks, &batch));
    hd_stacks_fini(&stacks);
}

#if !defined(HD_ASAN) && !defined(HD_TSAN) /* whose own memory would be over the limit */

/* As vm.overcommit_memory=2 does it: what is asked for counts, touched or not. */
static int stacks_in_little_address_space(void) {
    enum { LIMIT = 20 << 20, SLOT = 28 << 10 };
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%lu", &pages) != 1)
        return 1;
    fclose(file);
    setrlimit(RLIMIT_AS, &(struct rlimit){.rlim_cur = pages * 4096 + LIMIT, .rlim_max = RLIM_INFINITY});
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    int count = 0;
    while (may_carve(&stacks, &batch))
        count++;
    hd_stacks_fini(&stacks);
    return count > LIMIT / SLOT / 2 && count <= LIMIT / SLOT ? 0 : 2;
}

static void little_address_space_is_used_up_by_smaller_arenas(void **state) {
    (void)state;
    if (inside_valgrind()) /* which would be over the limit itself */
        skip();
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(stacks_in_little_address_space());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#else

static void little_address_space_is_used_up_by_smaller_arenas(void **state) {
    (void)state;
    skip();
}

#endif

/* ---- how deep ---- */

static void a_stack_that_went_deep_is_noticed(void **state) {
    (void)state;
    static const struct {
        size_t from, to; /* bytes below the top */
        int value;
        bool left_first_page, deep;
    } uses[] = {
        {2900, 0, 1, false, false},   {3500, 0, 1, true, false},    {3500, 0, 0, true, false},
        {8000, 2900, 1, true, false}, {14000, 0, 1, true, true},    {14000, 0, 0, true, true},
        {88000, 0, 0, true, true},    {13500, 2000, 1, true, true},
    };
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    for (int round = 0; round < 32; round++) {
        hd_stack stack;
        assert_true(hd_stack_carve(&stacks, &batch, 2, &stack));
        hd_stack_shrink(&stack, HD_STACK_SHALLOW); /* from here on both marks are there */
        for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
            memset(stack.top - uses[i].from, uses[i].value, uses[i].from - uses[i].to);
            assert_int_equal(hd_stack_went_deep(&stack, HD_STACK_FIRST_PAGE), uses[i].left_first_page);
            assert_int_equal(hd_stack_went_deep(&stack, HD_STACK_SHALLOW), uses[i].deep);
            hd_stack_shrink(&stack, HD_STACK_SHALLOW);
            assert_false(hd_stack_went_deep(&stack, HD_STACK_FIRST_PAGE));
            assert_false(hd_stack_went_deep(&stack, HD_STACK_SHALLOW));
        }
    }
    hd_stacks_fini(&stacks);
}

static void a_fresh_stack_that_went_deep_is_noticed(void **state) {
    (void)state;
    for (size_t deep = 2900; deep < 60000; deep += 1200) {
        hd_stacks stacks;
        hd_stacks_init(&stacks, false);
        hd_stack stack = carve(&stacks, 2);
        memset(stack.top - deep, 1, deep);
        if (deep == 2900)
            assert_false(hd_stack_went_deep(&stack, HD_STACK_FIRST_PAGE));
        else if (deep > 3 << 12)
            assert_true(hd_stack_went_deep(&stack, HD_STACK_SHALLOW));
        hd_stacks_fini(&stacks);
    }
}

static void a_shrunk_stack_keeps_its_first_pages_and_is_zero_below(void **state) {
    (void)state;
    static const int pages[] = {[HD_STACK_FIRST_PAGE] = 1, [HD_STACK_SHALLOW] = 3};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    hd_stack stack = carve(&stacks, 2);
    for (int i = 0; i < 4; i++) {
        hd_stack_keep keep = i % 2 ? HD_STACK_SHALLOW : HD_STACK_FIRST_PAGE;
        memset(stack.low, 0x55, (size_t)(stack.top - stack.low));
        assert_int_equal(resident_pages(&stack), 22);
        hd_stack_shrink(&stack, keep);
        assert_int_equal(resident_pages(&stack), pages[keep]);
        assert_int_equal(stack.top[-1], 0x55);
        assert_int_equal(stack.top[-2000], 0x55);
        assert_int_equal(stack.low[0], 0);
        assert_int_equal(stack.top[-5 * 4096], 0);
    }
    hd_stacks_fini(&stacks);
}

static void the_high_water_mark_is_the_deepest_use(void **state) {
    (void)state;
    hd_stack_batch batch = {0};
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    for (int round = 0; round < 20; round++) {
        hd_stack stack;
        assert_true(hd_stack_carve(&stacks, &batch, 6, &stack)); /* more pages than it looks at in one go */
        assert_int_equal(hd_stack_high_water(&stack), 0);
        if (round % 2)
            hd_stack_shrink(&stack, HD_STACK_SHALLOW);
        for (size_t deep = 8; deep < 1 << 20; deep += deep < 20000 ? 504 : 80000) {
            stack.top[-(ptrdiff_t)deep] = 1;
            assert_int_equal(hd_stack_high_water(&stack), deep);
        }
        *stack.low = 1;
        assert_int_equal(hd_stack_high_water(&stack), stack.top - stack.low);
        hd_stack_shrink(&stack, HD_STACK_FIRST_PAGE);
        assert_true(hd_stack_high_water(&stack) <= 4096);
    }
    hd_stacks_fini(&stacks);
}

static struct {
    hd_stack stack;
    hd_context outside, inside;
    _Atomic bool over;
} running;

static HD_NOINLINE int dive(int depth) {
    char some[200];
    memset(some, depth + 1, sizeof some);
    __asm__ volatile("" ::"r"(some) : "memory"); /* else it may become a loop */
    return (depth ? dive(depth - 1) : 0) + some[7];
}

static void on_the_stack(void *arg) {
    for (;;) {
        dive(*(int *)arg);
        hd_context_switch(&running.inside, &running.outside);
    }
}

/* The last words of a dive may be zeros, where those of the one before were not. */
static void *look_on(void *arg) {
    size_t last = 0;
    while (!running.over) {
        size_t deep = hd_stack_high_water(&running.stack);
        if (deep + 256 < last || deep > (size_t)(running.stack.top - running.stack.low))
            *(bool *)arg = true;
        last = deep;
    }
    return NULL;
}

static void the_high_water_mark_is_seen_while_the_stack_is_used(void **state) {
    (void)state;
    int depth = 0;
    bool wrong = false;
    pthread_t thread;
    hd_stacks stacks;
    hd_stacks_init(&stacks, false);
    running.stack = carve(&stacks, 2);
    running.over = false;
    hd_context_init(&running.inside, running.stack.low, (size_t)(running.stack.top - running.stack.low),
                    on_the_stack, &depth);
    assert_int_equal(pthread_create(&thread, NULL, look_on, &wrong), 0);
    for (depth = 0; depth < 100; depth++) {
        hd_context_switch(&running.outside, &running.inside);
        size_t deep = hd_stack_high_water(&running.stack);
        if (deep < (size_t)depth * 200)
            wrong = true;
    }
    running.over = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(wrong);
    hd_stacks_fini(&stacks);
}

/* ---- as the runtime does it ---- */

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
    hd_task *task = hd_spawn(deep, &fiber);
    check(hd_wait(&task, 1, HD_WAIT_ALL, HD_NEVER) ==
          1); /* on a fiber of its own, which a join might not be */
    hd_release(task);
    check(mincore(fiber->stack.low, 64 << 10, resident) == 0);
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
        cmocka_unit_test(a_stack_holds_nearly_half_as_much_again_as_its_class_says),
        cmocka_unit_test(tops_lie_at_many_places_of_the_caches_and_cost_only_one_page),
        cmocka_unit_test(first_pages_come_by_the_batch),
        cmocka_unit_test(threads_carve_different_stacks),
        cmocka_unit_test(running_off_a_stack_faults),
        cmocka_unit_test(a_guard_is_made_in_the_next_older_way_where_a_kernel_does_not_know_one),
        cmocka_unit_test(without_a_guard_there_is_no_stack_unless_that_is_allowed),
        cmocka_unit_test(the_kernel_may_have_no_mapping_left_for_a_guard),
        cmocka_unit_test(a_smaller_arena_is_tried_where_a_large_one_is_refused),
        cmocka_unit_test(little_address_space_is_used_up_by_smaller_arenas),
        cmocka_unit_test(a_stack_that_went_deep_is_noticed),
        cmocka_unit_test(a_fresh_stack_that_went_deep_is_noticed),
        cmocka_unit_test(a_shrunk_stack_keeps_its_first_pages_and_is_zero_below),
        cmocka_unit_test(the_high_water_mark_is_the_deepest_use),
        cmocka_unit_test(the_high_water_mark_is_seen_while_the_stack_is_used),
        cmocka_unit_test(a_stack_that_went_deep_gives_its_pages_back),
    };
    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
