#include "trace.h"

#include "clock.h"
#include "sys.h"

typedef struct hd_trace_slot {
    _Atomic uint64_t kind, when, task, detail;
} slot;

static const struct {
    const char *name;
    bool detail_is_task;
} kinds[HD_TRACE_KINDS] = {
    [HD_TRACE_SPAWN] = {"spawn", true},
    [HD_TRACE_RUN] = {"run", false},
    [HD_TRACE_HOST] = {"host", true},
    [HD_TRACE_WAIT] = {"wait", false},
    [HD_TRACE_YIELD] = {"yield", false},
    [HD_TRACE_WAKE] = {"wake", true},
    [HD_TRACE_END] = {"end", false},
    [HD_TRACE_STEAL] = {"steal", false},
    [HD_TRACE_INJECTED] = {"injected", false},
    [HD_TRACE_TIMERS] = {"timers", false},
    [HD_TRACE_DESCRIPTORS] = {"descriptors", false},
    [HD_TRACE_SPIN] = {"spin", false},
    [HD_TRACE_PARK] = {"park", false},
    [HD_TRACE_UNPARK] = {"unpark", false},
    [HD_TRACE_KICK] = {"kick", false},
};

const char *hd_trace_kind_name(hd_trace_kind kind) {
    return (unsigned)kind < HD_TRACE_KINDS ? kinds[kind].name : "?";
}

int hd_trace_init(hd_trace *trace, uint32_t events, uint32_t loop, hd_sim *sim) {
    *trace = (hd_trace){.loop = loop, .sim = sim};
    atomic_init(&trace->written, 0);
    if (events == 0)
        return 0;
    for (trace->size = 1; trace->size < events;)
        trace->size *= 2;
    trace->slots = hd_sys_zalloc(trace->size * sizeof *trace->slots);
    return trace->slots ? 0 : HD_ENOMEM;
}

void hd_trace_fini(hd_trace *trace) {
    hd_sys_free(trace->slots);
}

static slot *slot_at(const hd_trace *trace, uint64_t number) {
    return &trace->slots[number & (trace->size - 1)];
}

static void keep(hd_trace *trace, hd_trace_kind kind, uint64_t when, uint64_t task, uint64_t detail) {
    uint64_t number = atomic_load_explicit(&trace->written, memory_order_relaxed); /* relaxed: its own */
    slot *at = slot_at(trace, number);
    atomic_thread_fence(memory_order_release); /* [Y2] */
    /* relaxed, all: readers look at `written` before and after */
    atomic_store_explicit(&at->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&at->when, when, memory_order_relaxed);
    atomic_store_explicit(&at->task, task, memory_order_relaxed);
    atomic_store_explicit(&at->detail, detail, memory_order_relaxed);
    atomic_store_explicit(&trace->written, number + 1, memory_order_release); /* [Y1] */
}

HD_NOINLINE void hd_trace_add(hd_trace *trace, hd_trace_kind kind, uint64_t now, uint64_t task,
                              uint64_t detail) {
    hd_sim *sim = trace->sim;
    if (trace->slots)
        keep(trace, kind, now, task, detail);
    if (!sim)
        return;
    if (detail && kinds[kind].detail_is_task)
        detail = hd_sim_relative_id(sim, detail);
    hd_sim_note(sim, (uint64_t)kind << 16 | trace->loop, task ? hd_sim_relative_id(sim, task) : 0, detail);
}

/* False: its place is another's by now. */
static bool try_read(const hd_trace *trace, uint64_t number, hd_trace_event *event) {
    const slot *at = slot_at(trace, number);
    /* relaxed, all: the second look decides */
    *event = (hd_trace_event){
        .number = number,
        .when_ns = hd_clock_ns_at(atomic_load_explicit(&at->when, memory_order_relaxed)),
        .kind = (hd_trace_kind)atomic_load_explicit(&at->kind, memory_order_relaxed),
        .loop = trace->loop,
        .task = atomic_load_explicit(&at->task, memory_order_relaxed),
        .detail = atomic_load_explicit(&at->detail, memory_order_relaxed),
    };
    atomic_thread_fence(memory_order_acquire); /* [Y2] */
    return atomic_load_explicit(&trace->written, memory_order_relaxed) - number < trace->size;
}

bool hd_trace_visit(hd_trace *trace, bool (*visit)(const hd_trace_event *event, void *arg), void *arg) {
    uint64_t end = trace->slots ? atomic_load_explicit(&trace->written, memory_order_acquire) : 0; /* [Y1] */
    uint64_t number = end < trace->size ? 0 : end - trace->size;
    for (hd_trace_event event; number < end; number++)
        if (try_read(trace, number, &event) && !visit(&event, arg))
            return false;
    return true;
}
