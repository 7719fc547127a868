#include "sim.h"

#include "clock.h"
#include "context.h"
#include "sys.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef HD_TSAN
#    include <sanitizer/tsan_interface.h>
void AnnotateBenignRaceSized(const char *file, int line, const volatile void *memory, size_t bytes,
                             const char *what);
#endif
#ifdef HD_ASAN
#    include <sanitizer/common_interface_defs.h>
#endif
#ifdef HD_VALGRIND
#    include <valgrind/valgrind.h>
#endif

#define START_NS    HD_SECONDS(1000000)
#define IDS_OF_EACH (UINT64_C(1) << 36)

typedef enum state { STATE_ABLE, STATE_PARKED, STATE_ENDED } state;

typedef struct actor {
    state state;
    bool kicked;
    uint64_t from_ns; /* able: not to act before; parked: unless kicked */
    hd_here *here;    /* NULL: the thread itself */
    hd_context context;
    hd_stack stack;
    void (*entry)(void *arg);
    void *arg;
    hd_sim *sim;
    void *tsan_fiber; /* these for the sanitizers: where it was interrupted */
    void *asan_fake_stack;
    const void *low;
    size_t bytes;
    unsigned valgrind_stack;
} actor;

/* Numbers of random bits: something happens once in 2^n, or lasts less than 2^n ns. */
typedef struct temper {
    uint32_t hold;     /* a pause lets another one act */
    uint32_t step;     /* a pause lasts */
    uint32_t slow;     /* a step is a long one */
    uint32_t slow_for; /* and lasts */
    uint32_t keep;     /* who is interrupted is kept from acting */
    uint32_t keep_for;
    uint32_t wake_for; /* who is kicked takes to wake */
} temper;

struct hd_sim {
    hd_virtual clock; /* the first member */
    uint64_t seed, dice, hash;
    temper temper;
    uint64_t first_id, next_id;
    bool deciding;               /* it is not interrupted itself */
    bool stuck;                  /* nobody can act any more */
    bool (*happened)(void *arg); /* what the thread itself waits for, or NULL */
    void *happened_arg;
    uint32_t workers, acting, left;
    actor actors[]; /* the workers, and then the thread itself */
};

/* ---- chance ---------------------------------------------------------------------------------------------------- */

/* S. Vigna's splitmix64. */
HD_UNTRACKED static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

HD_UNTRACKED static uint64_t roll(hd_sim *sim) {
    return mix(sim->dice += 0x9e3779b97f4a7c15u);
}

HD_UNTRACKED static uint32_t below(hd_sim *sim, uint32_t n) {
    return (uint32_t)((roll(sim) >> 32) * n >> 32);
}

/* Less than 2^bits. */
HD_UNTRACKED static uint64_t bits_of(hd_sim *sim, uint32_t bits) {
    return bits ? roll(sim) >> (64 - bits) : 0;
}

static uint32_t between(hd_sim *sim, uint32_t least, uint32_t most) {
    return least + below(sim, most - least + 1);
}

/* Few seeds are wild in all respects, since one kind of noise drowns what another would show. */
static void choose_temper(hd_sim *sim) {
    bool keeps = below(sim, 2), slows = below(sim, 2);
    sim->temper = (temper){
        .hold = between(sim, 0, 6),
        .step = between(sim, 3, 9),
        .slow = slows ? between(sim, 4, 10) : 40,
        .slow_for = between(sim, 12, 20),
        .keep = keeps ? between(sim, 0, 8) : 40,
        .keep_for = between(sim, 10, 24),
        .wake_for = between(sim, 8, 17),
    };
}

HD_UNTRACKED static void sum_up(hd_sim *sim, uint64_t word) {
    sim->hash = mix(sim->hash ^ word) + 0x9e3779b97f4a7c15u;
}

/* ---- from one actor to the next ---------------------------------------------------------------------------------- */

HD_UNTRACKED static void annotate_leaving(hd_sim *sim HD_UNUSED, actor *from HD_UNUSED, actor *to HD_UNUSED) {
#ifdef HD_ASAN
    __sanitizer_start_switch_fiber(from->state == STATE_ENDED ? NULL : &from->asan_fake_stack, to->low,
                                   to->bytes);
#endif
#ifdef HD_TSAN
    /* Nothing of one actor comes before another's, but for its beginning and its end. */
    bool orders = !from->tsan_fiber || !to->tsan_fiber || from->state == STATE_ENDED;
    from->tsan_fiber = __tsan_get_current_fiber();
    if (!to->tsan_fiber)
        to->tsan_fiber = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(to->tsan_fiber, orders ? 0 : __tsan_switch_to_fiber_no_sync);
#endif
}

HD_UNTRACKED static void annotate_arrived(hd_sim *sim HD_UNUSED, actor *self HD_UNUSED) {
#ifdef HD_ASAN
    actor *from = &sim->actors[sim->left];
    __sanitizer_finish_switch_fiber(self->asan_fake_stack, &from->low, &from->bytes);
#endif
}

HD_UNTRACKED static void go_to(hd_sim *sim, uint32_t next) {
    actor *from = &sim->actors[sim->acting], *to = &sim->actors[next];
    if (from == to)
        return;
    sum_up(sim, sim->clock.now_ns << 10 | next);
    sim->left = sim->acting;
    sim->acting = next;
    hd_here_now = to->here;
    annotate_leaving(sim, from, to);
    hd_context_switch(&from->context, &to->context);
    annotate_arrived(sim, from);
}

/* When it may act, if nobody does anything. */
HD_UNTRACKED static uint64_t able_from_ns(hd_sim *sim, uint32_t index) {
    actor *a = &sim->actors[index];
    if (a->state == STATE_ENDED)
        return HD_NEVER;
    if (index == sim->workers && sim->happened && sim->happened(sim->happened_arg))
        return 0;
    return a->from_ns;
}

/* Somebody who may act. */
HD_UNTRACKED static uint32_t choose(hd_sim *sim) {
    for (;;) {
        uint64_t earliest = HD_NEVER;
        uint32_t able = 0, chosen = 0;
        for (uint32_t i = 0; i <= sim->workers; i++) {
            uint64_t from = able_from_ns(sim, i);
            if (from <= sim->clock.now_ns) {
                if (below(sim, ++able) == 0)
                    chosen = i;
            } else if (from < earliest) {
                earliest = from;
            }
        }
        if (able)
            return chosen;
        if (earliest == HD_NEVER) {
            sim->stuck = true;
            return sim->workers;
        }
        sim->clock.now_ns = earliest;
    }
}

/* The acting one stands still until it is chosen again. */
HD_UNTRACKED static void give_way(hd_sim *sim) {
    int *error = __errno_location(), kept = *error;
    sim->deciding = true;
    uint32_t next = choose(sim);
    sim->deciding = false;
    go_to(sim, next);
    *error = kept;
}

HD_UNTRACKED static void pause(hd_virtual *clock) {
    hd_sim *sim = (hd_sim *)clock;
    const temper *t = &sim->temper;
    if (sim->deciding)
        return;
    clock->now_ns += 1 + bits_of(sim, t->step);
    if (bits_of(sim, t->slow) == 0)
        clock->now_ns += bits_of(sim, t->slow_for);
    if (bits_of(sim, t->hold) != 0)
        return;
    actor *self = &sim->actors[sim->acting];
    if (bits_of(sim, t->keep) == 0)
        self->from_ns = clock->now_ns + bits_of(sim, t->keep_for);
    give_way(sim);
}

HD_UNTRACKED void hd_sim_note(hd_sim *sim, uint64_t what, uint64_t who, uint64_t detail) {
    sum_up(sim, what << 48 ^ sim->clock.now_ns);
    sum_up(sim, who);
    sum_up(sim, detail);
    pause(&sim->clock);
}

HD_UNTRACKED void hd_sim_pass(hd_sim *sim, uint64_t ns) {
    sim->actors[sim->acting].from_ns = sim->clock.now_ns + ns;
    give_way(sim);
}

HD_UNTRACKED void hd_sim_park(hd_sim *sim, uint64_t deadline_ns) {
    actor *self = &sim->actors[sim->acting];
    if (!self->kicked) {
        self->state = STATE_PARKED;
        self->from_ns = deadline_ns;
        give_way(sim);
        self->state = STATE_ABLE;
    }
    self->kicked = false;
}

HD_UNTRACKED void hd_sim_kick(hd_sim *sim, uint32_t index) {
    actor *it = &sim->actors[index];
    it->kicked = true;
    if (it->state != STATE_PARKED)
        return;
    it->state = STATE_ABLE;
    it->from_ns = sim->clock.now_ns + bits_of(sim, sim->temper.wake_for);
}

HD_UNTRACKED int hd_sim_wait(hd_sim *sim, bool (*happened)(void *arg), void *arg, uint64_t deadline_ns) {
    actor *self = &sim->actors[sim->workers];
    if (sim->acting != sim->workers)
        return HD_EINVAL;
    sim->stuck = false;
    sim->happened = happened;
    sim->happened_arg = arg;
    int result = 0;
    while (result == 0 && !happened(arg)) {
        self->from_ns = deadline_ns;
        give_way(sim);
        if (!happened(arg))
            result = sim->stuck ? HD_EDEADLK : sim->clock.now_ns >= deadline_ns ? HD_ETIMEDOUT : 0;
    }
    sim->happened = NULL;
    self->from_ns = 0;
    return result;
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

HD_UNTRACKED static void actor_main(void *arg) {
    actor *self = arg;
    annotate_arrived(self->sim, self);
    self->entry(self->arg);
    self->state = STATE_ENDED;
    give_way(self->sim);
    hd_assert(!"an actor that has ended goes on");
}

void hd_sim_start(hd_sim *sim, uint32_t index, hd_here *here, hd_stack stack, void (*entry)(void *),
                  void *arg) {
    actor *self = &sim->actors[index];
    size_t bytes = (size_t)(stack.top - stack.low);
    *self = (actor){
        .here = here,
        .stack = stack,
        .entry = entry,
        .arg = arg,
        .sim = sim,
        .low = stack.low,
        .bytes = bytes,
    };
#ifdef HD_VALGRIND
    self->valgrind_stack = VALGRIND_STACK_REGISTER(stack.low, stack.top);
#endif
    hd_context_init(&self->context, stack.low, bytes, actor_main, self);
}

hd_sim *hd_sim_create(uint64_t seed, uint32_t workers) {
    static _Atomic uint64_t made; /* relaxed: each gets ids of its own, that is all */
    hd_sim *sim = hd_sys_zalloc(sizeof *sim + (workers + 1) * sizeof sim->actors[0]);
    if (!sim)
        return NULL;
    hd_clock_init();
    sim->clock = (hd_virtual){.now_ns = START_NS, .pause = pause};
    sim->seed = seed;
    sim->dice = mix(seed + 0x632be59bd9b4e019u);
    sim->workers = sim->acting = workers;
    sim->first_id = (atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1) * IDS_OF_EACH;
    sim->next_id = sim->first_id;
    for (uint32_t i = 0; i < workers; i++)
        sim->actors[i].state = STATE_ENDED;
    choose_temper(sim);
#ifdef HD_TSAN
    AnnotateBenignRaceSized(__FILE__, __LINE__, __errno_location(), sizeof(int),
                            "actors share it, and keep it");
#endif
    hd_clock_set_virtual(&sim->clock);
    return sim;
}

void hd_sim_destroy(hd_sim *sim) {
    if (!sim)
        return;
    hd_assert(hd_sim_is_here(sim) && hd_sim_is_over(sim));
#ifdef HD_TSAN
    for (uint32_t i = 0; i < sim->workers; i++)
        if (sim->actors[i].tsan_fiber)
            __tsan_destroy_fiber(sim->actors[i].tsan_fiber);
#endif
#ifdef HD_VALGRIND
    for (uint32_t i = 0; i < sim->workers; i++)
        VALGRIND_STACK_DEREGISTER(sim->actors[i].valgrind_stack);
#endif
    hd_clock_set_virtual(NULL);
    hd_sys_free(sim);
}

bool hd_sim_is_here(const hd_sim *sim) {
    return hd_virtual_here() == &sim->clock;
}

void hd_sim_insist(const hd_sim *sim) {
    if (hd_sim_is_here(sim))
        return;
    fputs("heddle: a simulated runtime's task was woken by another thread than that which made the runtime\n",
          stderr);
    abort();
}

HD_UNTRACKED bool hd_sim_is_over(void *arg) {
    const hd_sim *sim = arg;
    for (uint32_t i = 0; i < sim->workers; i++)
        if (sim->actors[i].state != STATE_ENDED)
            return false;
    return true;
}

uint64_t hd_sim_hash(const hd_sim *sim) {
    return sim->hash;
}

uint64_t hd_sim_seed(const hd_sim *sim) {
    return sim->seed;
}

hd_stack hd_sim_stack(const hd_sim *sim) {
    return sim->actors[sim->acting].stack;
}

HD_UNTRACKED uint64_t hd_sim_ids(hd_sim *sim, uint64_t count) {
    uint64_t first = sim->next_id + 1;
    sim->next_id += count;
    return first;
}

HD_UNTRACKED uint64_t hd_sim_relative_id(const hd_sim *sim, uint64_t id) {
    return id - sim->first_id;
}
