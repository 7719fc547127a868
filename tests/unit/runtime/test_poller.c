#include "inside.h"

#include "poller.h"
#include "sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PAIRS = 64 };

typedef struct pipe_ends {
    int in, out; /* what is written to `out` is read from `in` */
} pipe_ends;

static pipe_ends pipe_open(void) {
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
        return (pipe_ends){-1, -1};
    hd_poller_adopt(fds[0]);
    hd_poller_adopt(fds[1]);
    return (pipe_ends){fds[0], fds[1]};
}

static void pipe_close(pipe_ends ends) {
    hd_close(ends.in);
    hd_close(ends.out);
}

static int64_t wait_readable(void *arg) {
    return hd_fd_wait(*(int *)arg, HD_READABLE, HD_NEVER);
}

static int64_t wait_writable(void *arg) {
    return hd_fd_wait(*(int *)arg, HD_WRITABLE, HD_NEVER);
}

static int64_t wake_reader(void *arg) {
    (void)arg;
    pipe_ends ends = pipe_open();
    hd_task *reader = hd_spawn(wait_readable, &ends.in);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(write(ends.out, "x", 1) == 1);
    check(hd_join(reader) == 0);
    pipe_close(ends);
    return 0;
}

static void an_event_wakes_who_waits(void **state) {
    (void)state;
    passes(1, wake_reader, NULL);
    passes(2, wake_reader, NULL);
}

static int64_t edge_before_wait(void *arg) {
    (void)arg;
    char byte;
    pipe_ends ends = pipe_open();
    for (int i = 0; i < 20; i++) {
        check(read(ends.in, &byte, 1) == -1 && errno == EAGAIN);
        check(write(ends.out, "x", 1) == 1);
        (void)hd_poller_drain(hd_worker_poller());
        check(hd_fd_wait(ends.in, HD_READABLE, HD_NEVER) == 0);
        check(read(ends.in, &byte, 1) == 1);
    }
    pipe_close(ends);
    return 0;
}

static void an_edge_between_eagain_and_the_wait_is_kept(void **state) {
    (void)state;
    passes(1, edge_before_wait, NULL);
}

static int fill(int fd) {
    static const char zeros[65536];
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    return errno == EAGAIN ? 0 : -1;
}

static int empty(int fd) {
    static char bytes[65536];
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    return errno == EAGAIN ? 0 : -1;
}

static int64_t both_directions(void *arg) {
    (void)arg;
    int fds[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    check(fill(fds[0]) == 0);
    hd_task *reader = hd_spawn(wait_readable, &fds[0]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    /* the registration may have been told "writable" once: who asks for the state after that waits for the next edge */
    while (hd_fd_wait(fds[0], HD_WRITABLE, hd_after(HD_MS(5))) == 0)
        check(fill(fds[0]) == 0);
    hd_task *writer = hd_spawn(wait_writable, &fds[0]);
    check(until_waits(writer, HD_WAITS_DESCRIPTOR) == 0);
    check(empty(fds[1]) == 0);
    check(hd_join(writer) == 0);
    check(!hd_task_done(reader));
    check(write(fds[1], "x", 1) == 1);
    check(hd_join(reader) == 0);
    hd_close(fds[0]);
    hd_close(fds[1]);
    return 0;
}

static void the_directions_wait_for_themselves(void **state) {
    (void)state;
    passes(1, both_directions, NULL);
}

static int64_t hang_up(void *arg) {
    (void)arg;
    int fds[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    check(fill(fds[0]) == 0);
    hd_task *reader = hd_spawn(wait_readable, &fds[0]), *writer = hd_spawn(wait_writable, &fds[0]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    hd_close(fds[1]);
    check(hd_join(reader) == 0);
    check(hd_join(writer) == 0);
    hd_close(fds[0]);
    return 0;
}

static void a_hang_up_wakes_both_directions(void **state) {
    (void)state;
    passes(1, hang_up, NULL);
}

static int64_t refusals(void *arg) {
    (void)arg;
    pipe_ends ends = pipe_open();
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), closed = dup(file);
    close(closed);
    check(hd_fd_wait(file, HD_READABLE, HD_NEVER) == HD_ENOTSUP);
    check(hd_fd_wait(closed, HD_READABLE, HD_NEVER) == HD_EBADF);
    check(hd_fd_wait(-1, HD_READABLE, HD_NEVER) == HD_EBADF);
    check(hd_fd_wait(ends.in, HD_READABLE | HD_WRITABLE, HD_NEVER) == HD_EINVAL);
    check(hd_fd_wait(ends.in, 0, HD_NEVER) == HD_EINVAL);
    hd_task *first = hd_spawn(wait_readable, &ends.in);
    check(until_waits(first, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_fd_wait(ends.in, HD_READABLE, HD_NEVER) == HD_EAGAIN);
    check(write(ends.out, "x", 1) == 1);
    check(hd_join(first) == 0);
    check(hd_close(file) == 0);
    check(hd_close(file) == HD_EBADF);
    pipe_close(ends);
    return 0;
}

static void what_cannot_be_awaited_is_refused(void **state) {
    (void)state;
    passes(1, refusals, NULL);
    assert_int_equal(hd_fd_wait(0, HD_READABLE, HD_NEVER), HD_EPERM);
}

static int64_t close_under_waiters(void *arg) {
    (void)arg;
    int fds[2];
    for (int i = 0; i < 20; i++) {
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        check(fill(fds[0]) == 0);
        hd_task *reader = hd_spawn(wait_readable, &fds[0]);
        check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
        check(hd_close(fds[0]) == 0);
        check(hd_join(reader) == HD_EBADF);
        hd_close(fds[1]);
    }
    return 0;
}

static void closing_wakes_who_waits(void **state) {
    (void)state;
    passes(1, close_under_waiters, NULL);
    passes(2, close_under_waiters, NULL);
}

static int64_t reuse(void *arg) {
    bool behind_its_back = arg;
    pipe_ends ends = pipe_open();
    int number = ends.in;
    for (int i = 0; i < 10; i++) {
        hd_task *reader = hd_spawn(wait_readable, &ends.in);
        check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
        check(write(ends.out, "x", 1) == 1);
        check(hd_join(reader) == 0);
        if (behind_its_back) {
            close(ends.in);
            close(ends.out);
        } else {
            pipe_close(ends);
        }
        ends = pipe_open();
        check(ends.in == number);
    }
    pipe_close(ends);
    return 0;
}

static void a_number_that_is_used_again_is_another_descriptor(void **state) {
    (void)state;
    passes(1, reuse, (void *)false);
    passes(1, reuse, (void *)true);
}

static int64_t copies(void *arg) {
    bool behind_its_back = arg;
    pipe_ends first = pipe_open();
    check(hd_fd_wait(first.in, HD_READABLE, hd_after(HD_MS(1))) == HD_ETIMEDOUT);
    int copy = dup(first.in);
    check((behind_its_back ? close(first.in) : hd_close(first.in)) == 0);
    pipe_ends second = pipe_open();
    check(second.in == first.in);
    hd_task *reader = hd_spawn(wait_readable, &second.in);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    /* the old pipe is still open in the copy, and perhaps still registered; its events are nobody's */
    check(write(first.out, "x", 1) == 1);
    check(hd_poller_drain(hd_worker_poller()) == 0);
    check(inside_waits(reader, HD_WAITS_DESCRIPTOR));
    check(write(second.out, "x", 1) == 1);
    check(hd_join(reader) == 0);
    hd_close(copy);
    hd_close(first.out);
    pipe_close(second);
    return 0;
}

static void events_of_a_closed_descriptor_with_copies_are_ignored(void **state) {
    (void)state;
    passes(1, copies, (void *)false);
    passes(1, copies, (void *)true);
}

static int64_t deadlines(void *arg) {
    (void)arg;
    pipe_ends ends = pipe_open();
    check(hd_fd_wait(ends.in, HD_READABLE, 1) == HD_ETIMEDOUT);
    check(hd_fd_wait(ends.in, HD_READABLE, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    check(write(ends.out, "x", 1) == 1);
    check(hd_fd_wait(ends.in, HD_READABLE, 1) == 0);
    check(hd_fd_wait(ends.in, HD_READABLE, HD_NEVER) == 0);
    pipe_close(ends);
    ends = pipe_open();
    check(write(ends.out, "x", 1) == 1);
    check(hd_fd_wait(ends.in, HD_READABLE, 1) == 0);
    pipe_close(ends);
    return 0;
}

static void a_deadline_ends_the_wait_and_one_that_is_over_asks_once(void **state) {
    (void)state;
    passes(1, deadlines, NULL);
}

static int64_t cancelled(void *arg) {
    (void)arg;
    pipe_ends ends = pipe_open();
    for (int i = 0; i < 10; i++)
        check(cancel_waiting(hd_spawn(wait_readable, &ends.in), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    hd_task *reader = hd_spawn(wait_readable, &ends.in);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(write(ends.out, "x", 1) == 1);
    check(hd_join(reader) == 0);
    pipe_close(ends);
    return 0;
}

static void a_cancellation_ends_the_wait_and_the_descriptor_stays_good(void **state) {
    (void)state;
    passes(1, cancelled, NULL);
    passes(2, cancelled, NULL);
}

static int64_t nested(void *arg) {
    (void)arg;
    pipe_ends ends = pipe_open();
    struct epoll_event event = {.events = EPOLLIN};
    int inner = epoll_create1(EPOLL_CLOEXEC);
    hd_poller_adopt(inner);
    check(epoll_ctl(inner, EPOLL_CTL_ADD, ends.in, &event) == 0);
    for (int i = 0; i < 10; i++) {
        char byte;
        hd_task *reader = hd_spawn(wait_readable, &inner);
        check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
        check(write(ends.out, "x", 1) == 1);
        check(hd_join(reader) == 0);
        check(epoll_wait(inner, &event, 1, 0) == 1);
        check(read(ends.in, &byte, 1) == 1);
        check(epoll_wait(inner, &event, 1, 0) == 0);
    }
    hd_close(inner);
    pipe_close(ends);
    return 0;
}

static void a_nested_epoll_wakes_after_it_was_drained(void **state) {
    (void)state;
    passes(1, nested, NULL);
}

static void a_descriptor_outlives_the_runtime_that_awaited_it(void **state) {
    (void)state;
    static pipe_ends ends;
    char byte;
    ends = pipe_open();
    for (int i = 0; i < 5; i++) {
        hd_runtime *one = hd_runtime_create(&(hd_runtime_options){.loops = 1});
        hd_task *reader = hd_spawn_with(&(hd_spawn_options){.runtime = one}, wait_readable, &ends.in);
        assert_int_equal(write(ends.out, "x", 1), 1);
        assert_int_equal(hd_runtime_drain(one, HD_NEVER), 0);
        assert_int_equal(hd_task_result(reader), 0);
        hd_release(reader);
        hd_runtime_destroy(one);
        assert_int_equal(read(ends.in, &byte, 1), 1);
    }
    pipe_close(ends);
}

static int64_t register_it(void *arg) {
    return hd_fd_wait(*(int *)arg, HD_READABLE, hd_after(1)) == HD_ETIMEDOUT ? 0 : BROKE;
}

static int64_t read_byte(void *arg) {
    char byte;
    return hd_read(*(int *)arg, &byte, 1);
}

static void who_waits_in_another_runtimes_set_is_taken_over_when_that_ends(void **state) {
    (void)state;
    static pipe_ends ends;
    ends = pipe_open();
    hd_runtime *one = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_runtime *two = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_task *first = hd_spawn_with(&(hd_spawn_options){.runtime = one}, register_it, &ends.in);
    while (!hd_task_done(first))
        sched_yield();
    hd_task *reader = hd_spawn_with(&(hd_spawn_options){.runtime = two}, read_byte, &ends.in);
    while (!inside_waits(reader, HD_WAITS_DESCRIPTOR))
        sched_yield();
    hd_runtime_destroy(one);
    assert_int_equal(write(ends.out, "x", 1), 1);
    assert_int_equal(hd_runtime_drain(two, HD_NEVER), 0);
    assert_int_equal(hd_task_result(reader), 1);
    assert_int_equal(hd_task_result(first), 0);
    hd_release(first);
    hd_release(reader);
    hd_runtime_destroy(two);
    pipe_close(ends);
}

static int64_t no_memory(void *arg) {
    (void)arg;
    pipe_ends ends = pipe_open();
    hd_sys_fail_after(1);
    int code = hd_fd_wait(ends.in, HD_READABLE, HD_NEVER);
    hd_sys_fail_after(0);
    check(code == HD_ENOMEM);
    check(write(ends.out, "x", 1) == 1);
    check(hd_fd_wait(ends.in, HD_READABLE, HD_NEVER) == 0);
    pipe_close(ends);
    return 0;
}

static void a_wait_that_could_not_register_can_be_repeated(void **state) {
    (void)state;
    passes(1, no_memory, NULL);
}

static int64_t race(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    pipe_ends pairs[PAIRS];
    hd_task *tasks[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        pairs[i] = pipe_open();
        check((tasks[i] = hd_spawn(read_byte, &pairs[i].in)));
    }
    bool closed[PAIRS] = {false};
    for (int i = 0; i < PAIRS; i++) {
        int what = rand_r(&seed) % 5;
        if (what == 0)
            check(hd_yield() == 0);
        closed[i] = what == 3;
        if (closed[i]) {
            /* not while it may be in read(2): its number could be another's by then */
            check(until_waits(tasks[i], HD_WAITS_DESCRIPTOR) == 0);
            (void)hd_close(pairs[i].in);
        }
        if (what != 1 && !closed[i])
            check(write(pairs[i].out, "x", 1) == 1);
        if (what == 1 || what == 2)
            (void)hd_cancel(tasks[i]);
    }
    for (int i = 0; i < PAIRS; i++) {
        int64_t result = hd_join(tasks[i]);
        check(result == 1 || result == HD_ECANCELED || (closed[i] && result == HD_EBADF));
        hd_close(pairs[i].out);
        if (!closed[i])
            hd_close(pairs[i].in);
    }
    return 0;
}

static void events_cancellations_and_closing_at_once_leave_nobody_behind(void **state) {
    (void)state;
    for (uintptr_t seed = 1; seed <= 40; seed++)
        passes(2, race, (void *)seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_wakes_who_waits),
        cmocka_unit_test(an_edge_between_eagain_and_the_wait_is_kept),
        cmocka_unit_test(the_directions_wait_for_themselves),
        cmocka_unit_test(a_hang_up_wakes_both_directions),
        cmocka_unit_test(what_cannot_be_awaited_is_refused),
        cmocka_unit_test(closing_wakes_who_waits),
        cmocka_unit_test(a_number_that_is_used_again_is_another_descriptor),
        cmocka_unit_test(events_of_a_closed_descriptor_with_copies_are_ignored),
        cmocka_unit_test(a_deadline_ends_the_wait_and_one_that_is_over_asks_once),
        cmocka_unit_test(a_cancellation_ends_the_wait_and_the_descriptor_stays_good),
        cmocka_unit_test(a_nested_epoll_wakes_after_it_was_drained),
        cmocka_unit_test(a_descriptor_outlives_the_runtime_that_awaited_it),
        cmocka_unit_test(who_waits_in_another_runtimes_set_is_taken_over_when_that_ends),
        cmocka_unit_test(a_wait_that_could_not_register_can_be_repeated),
        cmocka_unit_test(events_cancellations_and_closing_at_once_leave_nobody_behind),
    };
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
