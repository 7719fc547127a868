#include "stuck.h"

#include "calls.h"
#include "message.h"
#include "sys.h"
#include "unwind.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum {
    QUEUE = 16,
    FRAMES = 64,
    REMEMBERED = 64, /* tasks that were reported */
    BURST = 10,
};

static const uint64_t REFILL_NS = 3000000000u, AGAIN_NS = 1000000000u, ENOUGH_NS = 10000000;

/* What is asked for: a run, as the monitor saw it. */
typedef struct run {
    hd_watch *watch; /* NULL: forgotten */
    uint64_t tick;
    hd_task *task;
    uint64_t since_ns, metered_ns, metered_cpu_ns;
    bool relieved;
} run;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stopping;
    run queue[QUEUE];
    uint32_t first, count;
    hd_watch *current; /* a report about it is being made */
} reporter;

/* ---- how many ----------------------------------------------------------------------------------------------------------- */

/* The reporter's own. */
static struct {
    struct {
        uint64_t task, tick, stuck_ns;
    } last[REMEMBERED];
    uint64_t left, refilled_ns;
    unsigned withheld;
} limits;

/* Is this the time to tell of the task (again)? */
static bool is_news(uint64_t task, uint64_t tick, uint64_t stuck_ns) {
    uint64_t last_ns = limits.last[task % REMEMBERED].stuck_ns;
    if (limits.last[task % REMEMBERED].task != task)
        return true;
    return stuck_ns >= 2 * last_ns && (limits.last[task % REMEMBERED].tick != tick || stuck_ns >= AGAIN_NS);
}

static bool may_report(uint64_t now_ns) {
    uint64_t more = (now_ns - limits.refilled_ns) / REFILL_NS;
    limits.refilled_ns += more * REFILL_NS;
    limits.left = limits.left + more < BURST ? limits.left + more : BURST;
    if (limits.left == 0) {
        limits.withheld++;
        return false;
    }
    limits.left--;
    return true;
}

static void remember(uint64_t task, uint64_t tick, uint64_t stuck_ns) {
    limits.last[task % REMEMBERED].task = task;
    limits.last[task % REMEMBERED].tick = tick;
    limits.last[task % REMEMBERED].stuck_ns = stuck_ns;
    limits.withheld = 0;
}

/* ---- making one ---------------------------------------------------------------------------------------------------------- */

static bool still(void *arg) {
    const run *seen = arg;
    /* relaxed: what was copied before was copied by the kernel */
    return atomic_load_explicit(seen->watch->tick, memory_order_relaxed) == seen->tick &&
           atomic_load_explicit(seen->watch->task, memory_order_relaxed) == seen->task;
}

/* It would run, but something else has the core. */
static bool is_starved(const run *seen, const hd_snapshot *snapshot, uint64_t now_ns) {
    if (!snapshot || snapshot->sleeps)
        return false;
    uint64_t used_ns = hd_snapshot_cpu_ns(seen->watch->tid) - seen->metered_cpu_ns;
    return used_ns < ENOUGH_NS && used_ns < (now_ns - seen->metered_ns) / 2;
}

/* Frames up to the task's function: what lies beyond is the runtime's. */
static size_t name_frames(hd_symbols *symbols, const hd_snapshot *snapshot, uintptr_t last,
                          hd_stuck_frame *frames) {
    hd_unwound unwound[FRAMES];
    size_t count = 0, end = 0, depth = hd_unwind(symbols, snapshot, unwound, FRAMES);
    for (size_t i = 0; i < depth && count < FRAMES; i++) {
        /* A return address may lie behind the end of a function whose last act is a call. */
        uintptr_t address = unwound[i].pc - unwound[i].is_return;
        size_t more = hd_symbols_name(symbols, address, &frames[count], FRAMES - count);
        count += more;
        frames[count - 1].guessed = unwound[i].guessed;
        if (hd_symbols_function(symbols, address) == last)
            end = count;
    }
    return end ? end : count;
}

static void fill(const run *seen, const hd_watched *who, const hd_snapshot *snapshot, uint64_t now_ns,
                 hd_stuck_report *report) {
    *report = (hd_stuck_report){
        .task = who->id,
        .tag = who->tag,
        .name = who->name,
        .runtime = who->runtime,
        .worker = who->worker,
        .taken_over = seen->relieved,
        .stuck_ns = now_ns - seen->since_ns,
        .sleeps = snapshot && snapshot->sleeps,
        .system_call = snapshot ? snapshot->system_call : -1,
        .withheld = limits.withheld,
    };
    report->call_name = hd_call_name(report->system_call);
}

static void deliver(const hd_watched *who, const hd_snapshot *snapshot, hd_stuck_report *report) {
    hd_stuck_frame frames[FRAMES], start[1];
    hd_symbols *symbols = hd_symbols_open();
    if (symbols) {
        hd_symbols_name(symbols, (uintptr_t)who->fn, start, 1);
        report->function = start->function;
        report->frames = frames;
        report->frame_count = snapshot ? name_frames(symbols, snapshot, (uintptr_t)who->fn, frames) : 0;
    }
    if (who->on_stuck)
        who->on_stuck(report, who->on_stuck_arg);
    else
        hd_message_print(report);
    hd_symbols_close(symbols);
}

static void report_on(run *seen) {
    hd_watched who;
    hd_snapshot *snapshot = NULL;
    hd_stuck_report report;
    if (!seen->watch->ops->describe(seen->watch, seen->task, &who) || !still(seen))
        return;
    uint64_t now = hd_sys_now();
    if (!is_news(who.id, seen->tick, now - seen->since_ns) || !may_report(now))
        return;
    int result = hd_snapshot_take(seen->watch->tid, who.stack, still, seen, &snapshot);
    now = hd_sys_now();
    if (result != HD_ECANCELED && !is_starved(seen, snapshot, now)) {
        fill(seen, &who, snapshot, now, &report);
        deliver(&who, snapshot, &report);
        remember(who.id, seen->tick, now - seen->since_ns);
    } else {
        limits.left++;
    }
    hd_sys_free(snapshot);
}

/* ---- the thread ---------------------------------------------------------------------------------------------------------- */

static void *reporter_main(void *arg HD_UNUSED) {
    pthread_mutex_lock(&reporter.lock);
    while (!reporter.stopping) {
        if (reporter.count == 0) {
            pthread_cond_wait(&reporter.changed, &reporter.lock);
            continue;
        }
        run seen = reporter.queue[reporter.first];
        reporter.first = (reporter.first + 1) % QUEUE;
        reporter.count--;
        reporter.current = seen.watch;
        pthread_mutex_unlock(&reporter.lock);
        if (seen.watch)
            report_on(&seen);
        pthread_mutex_lock(&reporter.lock);
        reporter.current = NULL;
        pthread_cond_broadcast(&reporter.changed);
    }
    pthread_mutex_unlock(&reporter.lock);
    return NULL;
}

/* Under the lock. */
static bool start(void) {
    sigset_t all, old;
    if (reporter.running)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    reporter.running = !hd_sys_fails() && pthread_create(&reporter.thread, NULL, reporter_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (reporter.running)
        pthread_setname_np(reporter.thread, "hd-report");
    return reporter.running;
}

void hd_stuck_init(void) {
    memset(&reporter, 0, sizeof reporter);
    pthread_mutex_init(&reporter.lock, NULL);
    pthread_cond_init(&reporter.changed, NULL);
    memset(&limits, 0, sizeof limits);
    limits.left = BURST;
    limits.refilled_ns = hd_sys_now();
}

void hd_stuck_post(hd_watch *watch) {
    pthread_mutex_lock(&reporter.lock);
    if (reporter.count < QUEUE && start()) {
        reporter.queue[(reporter.first + reporter.count++) % QUEUE] = (run){
            .watch = watch,
            .tick = watch->seen_tick,
            .task = watch->seen_task,
            .since_ns = watch->since_ns,
            .metered_ns = watch->metered_ns,
            .metered_cpu_ns = watch->metered_cpu_ns,
            .relieved = watch->relieved,
        };
        pthread_cond_broadcast(&reporter.changed);
    }
    pthread_mutex_unlock(&reporter.lock);
}

void hd_stuck_forget(hd_watch *watch) {
    pthread_mutex_lock(&reporter.lock);
    for (uint32_t i = 0; i < QUEUE; i++)
        if (reporter.queue[i].watch == watch)
            reporter.queue[i].watch = NULL;
    while (reporter.current == watch)
        pthread_cond_wait(&reporter.changed, &reporter.lock);
    pthread_mutex_unlock(&reporter.lock);
}

void hd_stuck_stop(void) {
    pthread_mutex_lock(&reporter.lock);
    bool running = reporter.running;
    reporter.stopping = true;
    pthread_cond_broadcast(&reporter.changed);
    pthread_mutex_unlock(&reporter.lock);
    if (running)
        pthread_join(reporter.thread, NULL);
    reporter.running = reporter.stopping = false;
    reporter.first = reporter.count = 0;
}
