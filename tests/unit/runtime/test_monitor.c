/* The monitor, with workers that only pretend: what it notices at invented times, when it sleeps, and what it reports. */
#include "inside.h"
#include "message.h"
#include "monitor.h"
#include "stuck.h"
#include "sys.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

/* ---- a worker that pretends ------------------------------------------------------------------------------------------- */

typedef struct fake {
    hd_watch watch;
    _Atomic uint64_t tick;
    _Atomic(hd_task *) task;
    uint64_t id;
    hd_fn fn;
    hd_span stack;
    uint64_t age_ns;
    int relieved, dismissed, posted;
    bool refuses; /* to be relieved */
} fake;

static struct {
    sem_t described, begun, made;
    hd_stuck_report last;
    char functions[1000]; /* names of its frames, innermost first */
    char function[100];
    int count;
    _Atomic bool go_on, ended;
    bool slow; /* it takes its time */
} reports;

static void on_stuck(const hd_stuck_report *report, void *arg) {
    (void)arg;
    reports.last = *report;
    reports.functions[0] = '\0';
    for (size_t i = 0; i < report->frame_count; i++) {
        strncat(reports.functions, report->frames[i].function ? report->frames[i].function : "?", 100);
        strcat(reports.functions, " ");
    }
    snprintf(reports.function, sizeof reports.function, "%s", report->function ? report->function : "?");
    reports.count++;
    if (reports.slow) {
        sem_post(&reports.begun);
        while (!atomic_load(&reports.go_on))
            sched_yield();
        for (int i = 0; i < 100; i++)
            sched_yield();
        atomic_store(&reports.ended, true);
    }
    sem_post(&reports.made);
}

static fake *fake_of(hd_watch *watch) {
    return hd_container_of(watch, fake, watch);
}

static uint64_t age(hd_watch *watch, uint64_t tick) {
    (void)tick;
    return fake_of(watch)->age_ns;
}

static bool describe(hd_watch *watch, hd_task *task, hd_watched *watched) {
    fake *self = fake_of(watch);
    (void)task;
    sem_post(&reports.described);
    *watched = (hd_watched){.id = self->id,
                            .tag = 5,
                            .fn = self->fn,
                            .stack = self->stack,
                            .name = "fake",
                            .runtime = "test",
                            .worker = 3};
    watched->on_stuck = on_stuck;
    return true;
}

static bool relieve(hd_watch *watch) {
    fake *self = fake_of(watch);
    self->relieved += !self->refuses;
    return !self->refuses;
}

static void dismiss(hd_watch *watch) {
    fake_of(watch)->dismissed++;
}

static void post(hd_watch *watch) {
    fake_of(watch)->posted++;
}

static const hd_watch_ops ops = {.age_ns = age, .describe = describe, .relieve = relieve, .dismiss = dismiss};

static void fake_init(fake *self) {
    memset(self, 0, sizeof *self);
    self->watch.ops = &ops;
    self->watch.tick = &self->tick;
    self->watch.task = &self->task;
    self->id = 1;
}

/* Whatever a task is: it is only compared. */
static void go_on_with(fake *self, void *task) {
    atomic_store_explicit(&self->task, task, memory_order_relaxed);
}

static void begin_run(fake *self, void *task) {
    atomic_fetch_add_explicit(&self->tick, 1, memory_order_relaxed);
    go_on_with(self, task);
}

/* ---- looking, at invented times ------------------------------------------------------------------------------------------ */

enum { T = 1000000000 };

static struct {
    hd_list watches;
    fake a, b;
} looks;

static int two_fakes(void **state) {
    (void)state;
    hd_list_init(&looks.watches);
    fake_init(&looks.a);
    fake_init(&looks.b);
    hd_list_append(&looks.watches, &looks.a.watch.link);
    hd_list_append(&looks.watches, &looks.b.watch.link);
    return 0;
}

static uint64_t look(uint64_t ms) {
    return hd_monitor_look(&looks.watches, T + HD_MS(ms), post);
}

static void a_long_run_is_noticed_once_and_relieved(void **state) {
    (void)state;
    begin_run(&looks.a, &looks);
    assert_int_equal(look(0), HD_LOOK_NS);
    assert_int_equal(look(4), HD_STUCK_NS - HD_MS(4)); /* exactly when it will have lasted that long */
    assert_int_equal(looks.a.relieved, 0);
    look(10);
    assert_int_equal(looks.a.relieved, 1);
    for (uint64_t ms = 15; ms < 100; ms += 5)
        look(ms);
    assert_int_equal(looks.a.relieved, 18); /* it is asked for at each look, */
    assert_int_equal(looks.a.dismissed, 0); /* and granted as long as it lasts */
    assert_int_equal(looks.a.watch.episodes, 1);
    assert_int_equal(looks.b.watch.episodes, 0);
    assert_int_equal(looks.b.relieved, 0);
}

static void who_comes_back_is_dismissed_and_may_be_stuck_again(void **state) {
    (void)state;
    begin_run(&looks.a, &looks);
    look(0);
    look(5);
    look(10);
    begin_run(&looks.a, &looks); /* the same task again */
    look(15);
    look(20);
    assert_int_equal(looks.a.dismissed, 1);
    look(24);
    assert_int_equal(looks.a.relieved, 1);
    look(25);
    assert_int_equal(looks.a.relieved, 2);
    begin_run(&looks.a, NULL);
    look(30);
    assert_int_equal(looks.a.dismissed, 2);
    assert_int_equal(looks.a.watch.episodes, 2);
}

/* The first has blocked for 4 ms and then awaits one that has not started, and so runs in the same turn. */
static void a_turn_counts_as_a_whole_but_each_task_for_itself(void **state) {
    (void)state;
    begin_run(&looks.a, &looks);
    look(0);
    go_on_with(&looks.a, &looks.a);
    look(4);
    look(9);
    look(10);
    assert_int_equal(looks.a.relieved, 1);
    assert_int_equal(looks.a.posted, 0);
    look(13);
    assert_int_equal(looks.a.posted, 0);
    look(14);
    assert_int_equal(looks.a.posted, 1);
    assert_int_equal(looks.a.watch.since_ns, T + HD_MS(4));
    go_on_with(&looks.a, &looks);
    look(20);
    assert_int_equal(looks.a.dismissed, 0);
    look(29);
    assert_int_equal(looks.a.posted, 1);
    look(30);
    assert_int_equal(looks.a.posted, 2);
    assert_int_equal(looks.a.watch.episodes, 1);
    begin_run(&looks.a, &looks);
    look(31);
    assert_int_equal(looks.a.dismissed, 1);
}

static void who_switches_between_tasks_is_not_stuck(void **state) {
    (void)state;
    for (uint64_t ms = 0; ms < 200; ms += 9) {
        begin_run(&looks.a, &looks);
        look(ms);
    }
    assert_int_equal(looks.a.watch.episodes, 0);
    begin_run(&looks.a, NULL); /* runs nothing, but has not gone to sleep either */
    for (uint64_t ms = 200; ms < 300; ms += 5)
        assert_int_not_equal(look(ms), 0);
    assert_int_equal(looks.a.watch.episodes, 0);
}

static void who_cannot_be_relieved_now_is_at_the_next_look(void **state) {
    (void)state;
    looks.a.refuses = true;
    begin_run(&looks.a, &looks);
    look(0);
    look(10);
    look(15);
    assert_int_equal(looks.a.relieved, 0);
    looks.a.refuses = false;
    look(20);
    assert_int_equal(looks.a.relieved, 1);
    assert_int_equal(looks.a.watch.episodes, 1);
}

static void reports_are_asked_for_each_time_it_lasts_twice_as_long(void **state) {
    (void)state;
    begin_run(&looks.a, &looks);
    for (uint64_t ms = 0; ms <= 1280; ms += 5)
        look(ms);
    assert_int_equal(looks.a.posted, 8); /* 10 20 40 80 160 320 640 1280 */
    assert_int_equal(looks.b.posted, 0);
}

static void a_known_age_makes_the_next_look_exact(void **state) {
    (void)state;
    looks.a.age_ns = HD_MS(7);
    begin_run(&looks.a, &looks);
    assert_int_equal(look(0), HD_MS(3));
    look(2);
    assert_int_equal(looks.a.relieved, 0);
    look(3);
    assert_int_equal(looks.a.relieved, 1);
    looks.b.age_ns = HD_MS(10) - 1; /* but never at once */
    begin_run(&looks.b, &looks);
    assert_in_range(look(4), 1000, HD_MS(1));
}

static void who_was_hardly_seen_is_looked_at_again_soon(void **state) {
    (void)state;
    looks.a.age_ns = HD_MS(9) + 500000;
    begin_run(&looks.a, &looks);
    assert_int_equal(hd_monitor_look(&looks.watches, T, post), 500000);
    assert_int_equal(hd_monitor_look(&looks.watches, T + 500000, post), 500000);
    assert_int_equal(looks.a.relieved, 0);
    assert_int_equal(look(1), HD_LOOK_AGAIN_NS);
    assert_int_equal(looks.a.relieved, 1);
}

/* Whether it ran, or waited for a core, is not known yet. */
static void a_run_that_is_old_when_it_is_seen_first_is_looked_at_twice(void **state) {
    (void)state;
    looks.a.age_ns = HD_MS(20);
    begin_run(&looks.a, &looks);
    assert_int_equal(look(0), HD_MS(1));
    assert_int_equal(looks.a.relieved, 0);
    look(1);
    assert_int_equal(looks.a.relieved, 1);
    assert_int_equal(looks.a.posted, 1);
    assert_int_equal(looks.a.watch.since_ns, T - HD_MS(20));
}

static void it_may_sleep_when_all_are_parked_and_none_has_run(void **state) {
    (void)state;
    hd_watch_park(&looks.a.watch);
    begin_run(&looks.b, &looks);
    assert_int_not_equal(look(0), 0);
    begin_run(&looks.b, NULL);
    hd_watch_park(&looks.b.watch);
    assert_int_not_equal(look(5), 0); /* b has run since */
    assert_int_equal(look(10), 0);
    hd_watch_unpark(&looks.a.watch);
    assert_int_not_equal(look(15), 0);
}

/* ---- the thread -------------------------------------------------------------------------------------------------------------- */

static bool until(bool (*holds)(void)) {
    for (uint64_t limit = hd_sys_now() + HD_SECONDS(30); hd_sys_now() < limit; sched_yield())
        if (holds())
            return true;
    return false;
}

static bool sleeps(void) {
    return atomic_load(&hd_monitor_asleep);
}

static bool is_relieved(void) {
    return atomic_load(&looks.a.watch.episodes) > 0;
}

static bool is_back(void) {
    return atomic_load(&looks.b.watch.episodes) > 0;
}

static void the_monitor_sleeps_until_a_worker_unparks(void **state) {
    (void)state;
    fake *self = &looks.a;
    assert_int_equal(hd_monitor_retain(), 0);
    assert_int_equal(hd_monitor_retain(), 0);
    hd_list_init(&self->watch.link);
    hd_monitor_watch(&self->watch);
    for (int round = 0; round < 20; round++) {
        hd_watch_park(&self->watch);
        assert_true(until(sleeps));
        hd_watch_unpark(&self->watch);
        assert_false(sleeps());
    }
    hd_monitor_unwatch(&self->watch);
    hd_monitor_release();
    hd_monitor_release();
}

static void a_run_is_noticed_after_the_monitor_has_slept(void **state) {
    (void)state;
    assert_int_equal(hd_monitor_retain(), 0);
    hd_list_init(&looks.a.watch.link);
    hd_list_init(&looks.b.watch.link);
    hd_monitor_watch(&looks.a.watch);
    hd_monitor_watch(&looks.b.watch);
    hd_watch_park(&looks.a.watch);
    hd_watch_park(&looks.b.watch);
    assert_true(until(sleeps));
    hd_watch_unpark(&looks.a.watch);
    begin_run(&looks.a, &looks);
    assert_true(until(is_relieved));
    begin_run(&looks.a, NULL);
    hd_watch_park(&looks.a.watch);
    assert_true(until(sleeps));
    assert_int_equal(looks.a.dismissed, 1);
    hd_watch_unpark(&looks.b.watch);
    begin_run(&looks.b, &looks);
    assert_true(until(is_back));
    hd_monitor_unwatch(&looks.a.watch);
    hd_monitor_unwatch(&looks.b.watch); /* stuck as it is */
    assert_int_equal(looks.b.dismissed, 1);
    hd_monitor_release();
}

static void without_a_thread_there_is_no_monitor(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    assert_int_equal(hd_monitor_retain(), HD_EAGAIN);
    hd_sys_fail_after(0);
    assert_int_equal(hd_monitor_retain(), 0);
    hd_monitor_release();
}

/* ---- reports ----------------------------------------------------------------------------------------------------------------- */

static int begin_reports(void **state) {
    memset(&reports, 0, sizeof reports);
    sem_init(&reports.described, 0, 0);
    sem_init(&reports.begun, 0, 0);
    sem_init(&reports.made, 0, 0);
    hd_stuck_init();
    return two_fakes(state);
}

static int end_reports(void **state) {
    (void)state;
    hd_stuck_stop();
    sem_destroy(&reports.described);
    sem_destroy(&reports.begun);
    sem_destroy(&reports.made);
    return 0;
}

static void await_report(void) {
    while (sem_wait(&reports.made) != 0) {}
}

static HD_NOINLINE int64_t slow_query(void *arg) {
    char byte;
    ssize_t result = read(*(int *)arg, &byte, 1);
    __asm__ volatile("" : "+r"(result)::"memory");
    return result;
}

typedef struct worker {
    fake fake;
    pthread_t thread;
    int pipe[2];
    int64_t result;
    bool deaf;
} worker;

static void *worker_main(void *arg) {
    worker *self = arg;
    fake_init(&self->fake);
    sigset_t all; /* as the runtime starts its workers */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
    self->fake.stack = (hd_span){(uintptr_t)low, (uintptr_t)low + bytes};
    self->fake.fn = slow_query;
    self->fake.id = 77;
    hd_list_init(&self->fake.watch.link);
    hd_monitor_watch(&self->fake.watch);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    self->deaf = sigismember(&blocked, SIGURG) != 0 || sigismember(&blocked, SIGUSR1) != 1;
    begin_run(&self->fake, self);
    self->result = slow_query(&self->pipe[0]);
    begin_run(&self->fake, NULL);
    hd_monitor_unwatch(&self->fake.watch);
    return NULL;
}

static void a_task_that_blocks_is_reported_with_its_functions(void **state) {
    (void)state;
    static worker self;
    memset(&self, 0, sizeof self);
    assert_int_equal(pipe(self.pipe), 0);
    assert_int_equal(hd_monitor_retain(), 0);
    assert_int_equal(pthread_create(&self.thread, NULL, worker_main, &self), 0);
    await_report();
    assert_int_equal(write(self.pipe[1], "x", 1), 1);
    pthread_join(self.thread, NULL);
    assert_int_equal(self.result, 1); /* it was not disturbed */
    assert_false(self.deaf);
    assert_true(self.fake.relieved > 0);
    assert_int_equal(self.fake.dismissed, 1);
    assert_int_equal(reports.last.task, 77);
    assert_int_equal(reports.last.tag, 5);
    assert_int_equal(reports.last.worker, 3);
    assert_true(reports.last.taken_over);
    assert_true(reports.last.stuck_ns >= HD_STUCK_NS);
    assert_string_equal(reports.function, "slow_query");
    if (!inside_valgrind()) {
        assert_true(reports.last.sleeps);
        assert_string_equal(reports.last.call_name, "read");
        assert_non_null(strstr(reports.functions, "slow_query"));
        assert_null(strstr(reports.functions, "worker_main")); /* that is the runtime's */
    }
    hd_monitor_release();
    close(self.pipe[0]);
    close(self.pipe[1]);
}

/* As if the run had begun `ms` ago; the thread that "runs" it is this one, asleep in sem_wait as seen by the reporter. */
static void post_run(fake *self, uint64_t id, uint64_t ms) {
    static uint64_t tick;
    self->id = id;
    atomic_store_explicit(&self->tick, self->watch.seen_tick = ++tick, memory_order_relaxed);
    go_on_with(self, self->watch.seen_task = (hd_task *)self);
    self->watch.tid = gettid();
    self->watch.since_ns = self->watch.metered_ns = hd_sys_now() - HD_MS(ms);
    hd_stuck_post(&self->watch);
}

static void post_and_await(fake *self, uint64_t id, uint64_t ms) {
    post_run(self, id, ms);
    await_report();
    assert_int_equal(reports.last.task, id);
}

static void a_task_is_reported_again_when_it_is_stuck_twice_as_long(void **state) {
    (void)state;
    post_and_await(&looks.a, 1, 100);
    post_run(&looks.a, 1, 150);
    post_and_await(&looks.b, 2, 100); /* so the one before was left out */
    assert_int_equal(reports.count, 2);
    post_and_await(&looks.a, 1, 10000);
    post_run(&looks.a, 1, 15000);
    post_and_await(&looks.b, 2, 10000);
    assert_int_equal(reports.count, 4);
}

static void many_reports_are_withheld(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= 10; id++)
        post_and_await(&looks.a, id, 100);
    static fake more[5];
    for (uint64_t i = 0; i < 5; i++) {
        fake_init(&more[i]);
        post_run(&more[i], 11 + i, 100);
    }
    /* The last is not looked at before those before it are done with. */
    for (uint64_t id = 1; id <= 15; id++)
        while (sem_wait(&reports.described) != 0) {}
    assert_int_equal(reports.count, 10);
}

static void a_watch_is_not_forgotten_in_the_middle_of_its_report(void **state) {
    (void)state;
    reports.slow = true;
    post_run(&looks.a, 1, 100);
    while (sem_wait(&reports.begun) != 0) {}
    atomic_store(&reports.go_on, true);
    hd_stuck_forget(&looks.a.watch);
    assert_true(atomic_load(&reports.ended));
}

static void the_message_says_who_where_and_what_to_do(void **state) {
    (void)state;
    char text[2000];
    hd_stuck_frame frames[] = {
        {.address = 1, .function = "usleep", .module = "/lib/libc.so.6", .module_offset = 0x20},
        {.address = 2,
         .function = "query",
         .file = "app.c",
         .line = 12,
         .module = "/bin/app",
         .inlined = true},
        {.address = 3,
         .function = "slow_query",
         .file = "app.c",
         .line = 30,
         .module = "/bin/app",
         .guessed = true},
        {.address = 0x44},
    };
    hd_stuck_report report = {.task = 7,
                              .name = "report",
                              .function = "slow_query",
                              .runtime = "heddle",
                              .worker = 1,
                              .taken_over = true,
                              .stuck_ns = HD_MS(12) + 5,
                              .sleeps = true,
                              .system_call = 230,
                              .call_name = "clock_nanosleep",
                              .withheld = 3,
                              .frame_count = 4,
                              .frames = frames};
    size_t length = hd_stuck_report_format(&report, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(
        text,
        "task 7 \"report\" (slow_query) has blocked worker 1 of runtime \"heddle\" for 12 ms, in the system call "
        "clock_nanosleep\n"
        "    usleep in libc.so.6+0x20\n"
        "    query at app.c:12 (inlined)\n"
        "    slow_query at app.c:30 (probably)\n"
        "    ? at 0x44\n"
        "  Meanwhile another thread runs what waits there. Calls that block are for hd_blocking().\n"
        "  (3 more reports like this were withheld.)\n");
    report = (hd_stuck_report){
        .task = 8, .name = "sum", .runtime = "heddle", .stuck_ns = HD_MS(2500), .system_call = -1};
    hd_stuck_report_format(&report, text, sizeof text);
    assert_string_equal(
        text,
        "task 8 \"sum\" has kept worker 0 of runtime \"heddle\" busy for 2.5 s\n"
        "    (no backtrace could be had)\n"
        "  Meanwhile whatever waits there stands still. Long computations call hd_yield() now and then, "
        "or are for hd_blocking().\n");
    assert_int_equal(hd_stuck_report_format(&report, text, 20), 19);
    assert_int_equal(strlen(text), 19);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_long_run_is_noticed_once_and_relieved, two_fakes),
        cmocka_unit_test_setup(who_comes_back_is_dismissed_and_may_be_stuck_again, two_fakes),
        cmocka_unit_test_setup(who_switches_between_tasks_is_not_stuck, two_fakes),
        cmocka_unit_test_setup(who_cannot_be_relieved_now_is_at_the_next_look, two_fakes),
        cmocka_unit_test_setup(a_turn_counts_as_a_whole_but_each_task_for_itself, two_fakes),
        cmocka_unit_test_setup(reports_are_asked_for_each_time_it_lasts_twice_as_long, two_fakes),
        cmocka_unit_test_setup(a_known_age_makes_the_next_look_exact, two_fakes),
        cmocka_unit_test_setup(who_was_hardly_seen_is_looked_at_again_soon, two_fakes),
        cmocka_unit_test_setup(a_run_that_is_old_when_it_is_seen_first_is_looked_at_twice, two_fakes),
        cmocka_unit_test_setup(it_may_sleep_when_all_are_parked_and_none_has_run, two_fakes),
        cmocka_unit_test_setup(the_monitor_sleeps_until_a_worker_unparks, two_fakes),
        cmocka_unit_test_setup(a_run_is_noticed_after_the_monitor_has_slept, two_fakes),
        cmocka_unit_test_setup(without_a_thread_there_is_no_monitor, two_fakes),
        cmocka_unit_test_setup_teardown(a_task_that_blocks_is_reported_with_its_functions, begin_reports,
                                        end_reports),
        cmocka_unit_test_setup_teardown(a_task_is_reported_again_when_it_is_stuck_twice_as_long,
                                        begin_reports, end_reports),
        cmocka_unit_test_setup_teardown(many_reports_are_withheld, begin_reports, end_reports),
        cmocka_unit_test_setup_teardown(a_watch_is_not_forgotten_in_the_middle_of_its_report, begin_reports,
                                        end_reports),
        cmocka_unit_test(the_message_says_who_where_and_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
