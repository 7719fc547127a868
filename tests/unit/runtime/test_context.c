/* Switching stacks: this machine's assembly, and the portable implementation beside it, under other names. */
#include "context.h"
#include "inside.h"

#include <fenv.h>
#include <stdlib.h>

static void portable_init(hd_context *context, void *low, size_t bytes, void (*entry)(void *), void *arg);
static void portable_switch(hd_context *from, hd_context *to);
#define hd_context_init   portable_init
#define hd_context_switch portable_switch
#include "context_ucontext.c"
#undef hd_context_init
#undef hd_context_switch

typedef struct machine {
    void (*init)(hd_context *, void *, size_t, void (*)(void *), void *);
    void (*go)(hd_context *from, hd_context *to);
} machine;

static const machine machines[] = {{hd_context_init, hd_context_switch}, {portable_init, portable_switch}};

enum { STACK = 128 << 10 };

typedef struct pair {
    const machine *by;
    hd_context home, away;
    void *stack;
    int steps;
    double sum;
    uintptr_t alignment;
    bool rounds_up, traps;
} pair;

static void begin(pair *self, const machine *by, void (*entry)(void *)) {
    *self = (pair){.by = by, .stack = aligned_alloc(64, STACK)};
    assert_non_null(self->stack);
    by->init(&self->away, self->stack, STACK, entry, self);
}

static void step(void *arg) {
    pair *self = arg;
    _Alignas(16) volatile char aligned[16];
    self->alignment = (uintptr_t)&aligned % 16;
    for (double x = 1;; x += 1) { /* lives in a register or on this stack across the switch */
        self->steps++;
        self->sum += x;
        self->by->go(&self->away, &self->home);
    }
}

static void a_context_goes_on_where_it_left_with_its_own_registers(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair self;
        long a = 1, b = 2, c = 3, d = 4, e = 5;
        begin(&self, &machines[i], step);
        for (int n = 1; n <= 1000; n++) {
            a += n, b += a, c ^= b, d -= c, e += d;
            long before = a + b + c + d + e;
            __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
            self.by->go(&self.home, &self.away);
            assert_int_equal(a + b + c + d + e, before);
            assert_int_equal(self.steps, n);
        }
        assert_true(self.sum == 500500.0);
        assert_int_equal(self.alignment, 0);
        free(self.stack);
    }
}

/* Of both units, where there are two. */
static bool rounds_up(void) {
    volatile double one = 1, little = 0x1p-60;
    volatile long double also_one = 1, very_little = 0x1p-120L;
    bool up = fegetround() == FE_UPWARD;
    if (!inside_valgrind()) { /* which rounds in one way only */
        assert_int_equal(up, one + little > 1);
        assert_int_equal(up, also_one + very_little > 1);
    }
    return up;
}

static void round_up(void *arg) {
    pair *self = arg;
    fesetround(FE_UPWARD);
    for (;;) {
        self->by->go(&self->away, &self->home);
        self->rounds_up = rounds_up();
    }
}

static void each_context_has_its_own_rounding_mode(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair self;
        begin(&self, &machines[i], round_up);
        self.by->go(&self.home, &self.away);
        assert_false(rounds_up());
        self.by->go(&self.home, &self.away);
        assert_true(self.rounds_up);
        assert_false(rounds_up());
        free(self.stack);
    }
}

static void divide(void) {
    volatile double nothing = 0, double_result;
    volatile long double also_nothing = 0, result; /* on x86-64, by the other unit */
    double_result = 1 / nothing;
    result = 1 / also_nothing;
    (void)double_result;
    (void)result;
}

/* Of both units, where there are two. */
static bool division_traps(void) {
    bool traps = fegetexcept() == FE_DIVBYZERO;
#ifdef __SSE__
    assert_int_equal(traps, !(__builtin_ia32_stmxcsr() & 0x200));
#endif
    return traps;
}

/* By itself, so that whoever calls it has nothing to do with the unit in which a trap may be due. */
static HD_NOINLINE void add(void) {
    volatile long double one = 1, two = one + one;
    (void)two;
}

/* What the others have done, and do, would trap here, and does not. */
static void trap(void *arg) {
    pair *self = arg;
    if (self->by != &machines[0]) /* the C library's switch traps by itself where a trap is due */
        feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_DIVBYZERO);
    for (;;) {
        self->by->go(&self->away, &self->home);
        add();
        self->traps = division_traps();
    }
}

static void each_context_has_its_own_traps(void **state) {
    (void)state;
    if (inside_valgrind()) /* which knows no traps */
        return;
    if (feenableexcept(FE_DIVBYZERO) < 0)
        skip(); /* nor does this processor */
    fedisableexcept(FE_DIVBYZERO);
    for (size_t i = 0; i < 2; i++) {
        pair self;
        begin(&self, &machines[i], trap);
        divide();
        self.by->go(&self.home, &self.away);
        assert_false(division_traps());
        divide();
        self.by->go(&self.home, &self.away);
        assert_true(self.traps);
        assert_false(division_traps());
        divide();
        free(self.stack);
    }
}

/* Nothing is left in registers, and other modes are set. */
static void disturb(void *arg) {
    pair *self = arg;
    fesetround(FE_UPWARD);
    for (;;) {
#ifdef __x86_64__
        __asm__ volatile("xorl %%ebx, %%ebx\n\t"
                         "xorl %%r12d, %%r12d\n\t"
                         "xorl %%r13d, %%r13d\n\t"
                         "xorl %%r14d, %%r14d\n\t"
                         "xorl %%r15d, %%r15d"
                         :
                         :
                         : "rbx", "r12", "r13", "r14", "r15");
#endif
        hd_context_switch(&self->away, &self->home);
    }
}

/* The switch may be put in place (context_x86_64.h): here in a frame that is aligned, and of no fixed size. */
static HD_NOINLINE long switch_amidst(pair *self, int count) {
    _Alignas(64) volatile long aligned[8];
    volatile char some[count];
    for (int i = 0; i < 8; i++)
        aligned[i] = i;
    some[0] = some[count - 1] = 1;
    hd_context_switch(&self->home, &self->away);
    long sum = some[0] + some[count - 1];
    for (int i = 0; i < 8; i++)
        sum += aligned[i];
    return sum;
}

static void a_switch_in_place_leaves_the_frame_as_it_was(void **state) {
    (void)state;
    pair self;
    begin(&self, &machines[0], disturb);
    for (int count = 2; count < 300; count++) {
        assert_int_equal(switch_amidst(&self, count), 2 + 28);
        assert_int_equal(fegetround(), FE_TONEAREST);
    }
    free(self.stack);
}

/* A function in which both sides wait. */
static HD_RESUMES long cross(pair *self, bool home, long value) {
    hd_context_leaves();
    self->by->go(home ? &self->home : &self->away, home ? &self->away : &self->home);
    return value;
}

/* One place from which both call it. */
static HD_NOINLINE long cross_as_the_other(pair *self, bool home, long value) {
    return 2 * cross(self, home, value);
}

static void answer(void *arg) {
    pair *self = arg;
    for (long n = 0;; n++) {
        self->steps += cross(self, false, n) == n;
        self->steps += cross_as_the_other(self, false, n) == 2 * n;
        self->steps += cross(self, false, -n) == -n;
    }
}

static void who_waits_returns_to_its_own_caller(void **state) {
    enum { ROUNDS = 1000 };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair self;
        begin(&self, &machines[i], answer);
        for (long n = 0; n < ROUNDS; n++) {
            assert_int_equal(cross(&self, true, n), n);
            assert_int_equal(cross_as_the_other(&self, true, n), 2 * n);
            assert_int_equal(cross_as_the_other(&self, true, -n), -2 * n);
            if (n % 7 == 0) /* others than before meet now */
                assert_int_equal(cross(&self, true, n), n);
        }
        assert_int_equal(self.steps, 3 * ROUNDS + (ROUNDS + 6) / 7 - 1);
        free(self.stack);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_goes_on_where_it_left_with_its_own_registers),
        cmocka_unit_test(each_context_has_its_own_rounding_mode),
        cmocka_unit_test(each_context_has_its_own_traps),
        cmocka_unit_test(a_switch_in_place_leaves_the_frame_as_it_was),
        cmocka_unit_test(who_waits_returns_to_its_own_caller),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
