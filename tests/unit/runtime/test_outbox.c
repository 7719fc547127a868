/* Writes that are put off. Most on one loop, where it is known who runs when: a task that has just yielded goes on when all
 * others have had their turn, and as long as it is runnable, nothing is flushed. */
#include "inside.h"

#include "scheduler.h"

#include <poll.h>
#include <sys/socket.h>

enum { WRITERS = 12, LARGE = 64 << 10, PATIENCE_MS = 10000 };

typedef struct writer {
    int ends[2]; /* it writes to the first */
    const char *text;
    size_t bytes;
    hd_task *task;
} writer;

static int64_t write_text(void *arg) {
    writer *self = arg;
    return hd_write(self->ends[0], self->text, self->bytes);
}

static uint32_t put_off(void) {
    return hd_outbox_count(&hd_worker_self()->outbox);
}

static int open_all(writer writers[], uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        writer *self = &writers[i];
        self->text = self->text ? self->text : "a";
        self->bytes = self->bytes ? self->bytes : 1;
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, self->ends) == 0);
    }
    return 0;
}

/* They have called hd_write when this returns. */
static int spawn_all(writer writers[], uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        check((writers[i].task = hd_spawn(write_text, &writers[i])));
    return hd_yield();
}

/* Where no ring is to be had that shows at the first flush. */
static bool pays(void) {
    return hd_batch_pays(hd_worker_self()->batch);
}

/* So that all of them are put off that may be, and stay so until nothing else is at hand, however slow the machine is. */
static void let_it_pay(void) {
    hd_worker *worker = hd_worker_self();
    hd_batch_assume_dear(true);
    if (worker->alone) /* others would look at them */
        worker->runtime->turn_short = worker->runtime->maintain_every = UINT64_MAX;
    worker->tick = 0;
    atomic_store_explicit(&worker->mean_task, 0, memory_order_relaxed);
}

static int start(writer writers[], uint32_t count) {
    let_it_pay();
    int code = open_all(writers, count);
    return code ? code : spawn_all(writers, count);
}

/* Has the peer got exactly this? */
static bool has(const writer *self, const char *text) {
    char got[16] = "";
    ssize_t length = recv(self->ends[1], got, sizeof got - 1, MSG_DONTWAIT);
    return length <= 0 ? !*text : strcmp(got, text) == 0;
}

static int close_all(writer writers[], uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        check(hd_close(writers[i].ends[0]) == 0 && hd_close(writers[i].ends[1]) == 0);
    return 0;
}

static int join(writer writers[], uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        check(hd_join(writers[i].task) == 1);
        check(has(&writers[i], "a"));
    }
    return close_all(writers, count);
}

static int64_t together(void *arg) {
    (void)arg;
    writer writers[WRITERS] = {{.text = NULL}};
    check(start(writers, WRITERS) == 0);
    check(put_off() == WRITERS);
    for (int i = 0; i < WRITERS; i++)
        check(has(&writers[i], "") && inside_waits(writers[i].task, HD_WAITS_DESCRIPTOR));
    return join(writers, WRITERS);
}

static void writes_of_many_are_made_together(void **state) {
    (void)state;
    passes(1, together, NULL);
}

static int64_t few(void *arg) {
    (void)arg;
    writer writers[2] = {{.text = NULL}};
    check(start(writers, 2) == 0);
    check(put_off() == 0 && hd_task_done(writers[0].task));
    return join(writers, 2);
}

static void writes_of_few_are_made_at_once(void **state) {
    (void)state;
    passes(1, few, NULL);
}

static int64_t unsuitable(void *arg) {
    (void)arg;
    static char text[LARGE];
    writer writers[WRITERS] = {{.text = text, .bytes = LARGE}};
    check(start(writers, WRITERS) == 0);
    check(put_off() == WRITERS - 1);
    check(hd_join(writers[0].task) == LARGE);
    check(close_all(writers, 1) == 0);
    check(join(writers + 1, WRITERS - 1) == 0);

    check(open_all(writers + 1, WRITERS - 1) == 0);
    hd_worker_self()->runtime->turn_short = 0; /* turns are long */
    check(spawn_all(writers + 1, WRITERS - 1) == 0);
    check(put_off() == 0);
    check(join(writers + 1, WRITERS - 1) == 0);

    check(open_all(writers + 1, WRITERS - 1) == 0);
    hd_worker_self()->runtime->turn_short = UINT64_MAX;
    hd_batch_assume_dear(false);
    check(spawn_all(writers + 1, WRITERS - 1) == 0);
    check(put_off() == 0);
    return join(writers + 1, WRITERS - 1);
}

static void large_ones_and_those_for_which_it_does_not_pay_are_made_at_once(void **state) {
    (void)state;
    passes(1, unsuitable, NULL);
}

static int64_t cancelled(void *arg) {
    (void)arg;
    writer writers[WRITERS] = {{.text = NULL}};
    check(start(writers, WRITERS) == 0);
    hd_cancel(writers[3].task);
    check(hd_join(writers[3].task) == HD_ECANCELED);
    check(has(&writers[3], ""));
    check(close_all(writers + 3, 1) == 0);
    check(join(writers, 3) == 0);
    return join(writers + 4, WRITERS - 4);
}

static void a_cancelled_one_writes_nothing(void **state) {
    (void)state;
    passes(1, cancelled, NULL);
}

static int64_t closed(void *arg) {
    (void)arg;
    writer writers[WRITERS] = {{.text = NULL}};
    check(start(writers, WRITERS) == 0);
    check(hd_close(writers[0].ends[0]) == 0);
    check(has(&writers[0], "a"));
    char byte;
    check(recv(writers[0].ends[1], &byte, 1, MSG_DONTWAIT) == 0);
    check(hd_join(writers[0].task) == 1);
    check(hd_close(writers[0].ends[1]) == 0);
    return join(writers + 1, WRITERS - 1);
}

static void closing_comes_after_it(void **state) {
    (void)state;
    passes(1, closed, NULL);
}

static int64_t second(void *arg) {
    (void)arg;
    writer writers[WRITERS] = {{.text = NULL}};
    struct iovec parts[2] = {{"d", 1}, {"e", 1}};
    check(start(writers, WRITERS) == 0);
    check(hd_write(writers[0].ends[0], "b", 1) == 1);
    check(hd_join(writers[0].task) == 1);
    check(has(&writers[0], "ab"));
    check(close_all(writers, 1) == 0);
    check(join(writers + 1, WRITERS - 1) == 0);

    if (!pays())
        return 0;
    check(start(writers, WRITERS) == 0);
    check(hd_sendmsg(writers[0].ends[0], &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, 0) == 2);
    check(hd_writev(writers[1].ends[0], parts, 2) == 2);
    check(has(&writers[0], "ade") && has(&writers[1], "ade"));
    check(put_off() == WRITERS); /* the others */
    check(hd_join(writers[0].task) == 1 && hd_join(writers[1].task) == 1);
    check(close_all(writers, 2) == 0);
    return join(writers + 2, WRITERS - 2);
}

static void a_second_write_comes_after_it(void **state) {
    (void)state;
    passes(1, second, NULL);
}

/* Its own thread would have to make them, and does not. */
static int block(writer writers[]) {
    for (int i = 0; i < WRITERS; i++)
        check(poll(&(struct pollfd){.fd = writers[i].ends[1], .events = POLLIN}, 1, PATIENCE_MS) == 1);
    return 0;
}

/* Until the other worker has left them here. */
static int64_t block_beside_some(void *arg) {
    (void)arg;
    let_it_pay();
    for (bool some = false; !some && pays();) {
        writer writers[WRITERS] = {{.text = NULL}};
        check(start(writers, WRITERS) == 0);
        some = put_off() > 0;
        check(block(writers) == 0);
        check(join(writers, WRITERS) == 0);
    }
    return 0;
}

static void a_stuck_worker_does_not_keep_them(void **state) {
    (void)state;
    passes(2, block_beside_some, NULL);
}

static int64_t closed_full(void *arg) {
    (void)arg;
    static char text[LARGE];
    int ends[2];
    writer writers[WRITERS] = {{.text = NULL}};
    check(open_all(writers, WRITERS) == 0);
    while (send(writers[0].ends[0], text, sizeof text, MSG_DONTWAIT) > 0) {}
    let_it_pay();
    check(spawn_all(writers, WRITERS) == 0);
    check(put_off() == WRITERS);
    check(hd_close(writers[0].ends[0]) == 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    check(ends[0] == writers[0].ends[0]); /* it must not be written to */
    check(hd_join(writers[0].task) == HD_EBADF);
    check(recv(ends[1], text, sizeof text, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    check(hd_close(ends[0]) == 0 && hd_close(ends[1]) == 0 && hd_close(writers[0].ends[1]) == 0);
    return join(writers + 1, WRITERS - 1);
}

static void one_that_waits_for_room_hears_of_the_closing(void **state) {
    (void)state;
    passes(1, closed_full, NULL);
}

/* It is put off at no time, and must step back all the same. */
static int64_t stream(void *arg) {
    (void)arg;
    writer writers[WRITERS] = {{.text = NULL}};
    char byte;
    check(open_all(writers, WRITERS) == 0);
    check(hd_fd_deadline(writers[0].ends[0], HD_WRITABLE, hd_after(HD_MS(PATIENCE_MS))) == 0);
    let_it_pay();
    for (int i = 1; i < WRITERS; i++)
        check((writers[i].task = hd_spawn(write_text, &writers[i])));
    for (int i = 0; i < 1000; i++) {
        check(hd_write(writers[0].ends[0], "a", 1) == 1);
        check(recv(writers[0].ends[1], &byte, 1, MSG_DONTWAIT) == 1);
    }
    check(inside_waits(writers[1].task, HD_WAITS_DESCRIPTOR)); /* it has had its turn */
    check(close_all(writers, 1) == 0);
    return join(writers + 1, WRITERS - 1);
}

static void who_writes_without_waiting_lets_others_run(void **state) {
    (void)state;
    passes(1, stream, NULL);
}

static int64_t full(void *arg) {
    (void)arg;
    static char text[LARGE];
    writer writers[WRITERS] = {{.text = NULL}};
    check(open_all(writers, WRITERS) == 0);
    while (send(writers[0].ends[0], text, sizeof text, MSG_DONTWAIT) > 0) {}
    check(hd_close(writers[1].ends[1]) == 0);
    let_it_pay();
    check(spawn_all(writers, WRITERS) == 0);
    check(put_off() == WRITERS);
    check(hd_join(writers[1].task) == HD_ECLOSED);
    check(hd_close(writers[1].ends[0]) == 0);
    check(join(writers + 2, WRITERS - 2) == 0);
    check(inside_waits(writers[0].task, HD_WAITS_DESCRIPTOR)); /* for room */
    while (recv(writers[0].ends[1], text, sizeof text, MSG_DONTWAIT) > 0) {}
    check(hd_join(writers[0].task) == 1);
    return close_all(writers, 1);
}

static void room_is_awaited_and_errors_are_told(void **state) {
    (void)state;
    passes(1, full, NULL);
}

static int64_t limited(void *arg) {
    (void)arg;
    writer writers[WRITERS] = {{.text = NULL}};
    check(open_all(writers, WRITERS) == 0);
    for (int i = 0; i < WRITERS; i++)
        check(hd_fd_deadline(writers[i].ends[0], HD_WRITABLE, hd_after(HD_MS(PATIENCE_MS))) == 0);
    let_it_pay();
    check(spawn_all(writers, WRITERS) == 0);
    check(put_off() == 0);
    return join(writers, WRITERS);
}

static void one_with_a_deadline_is_not_put_off(void **state) {
    (void)state;
    passes(1, limited, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_many_are_made_together),
        cmocka_unit_test(writes_of_few_are_made_at_once),
        cmocka_unit_test(large_ones_and_those_for_which_it_does_not_pay_are_made_at_once),
        cmocka_unit_test(a_cancelled_one_writes_nothing),
        cmocka_unit_test(closing_comes_after_it),
        cmocka_unit_test(a_second_write_comes_after_it),
        cmocka_unit_test(a_stuck_worker_does_not_keep_them),
        cmocka_unit_test(one_that_waits_for_room_hears_of_the_closing),
        cmocka_unit_test(who_writes_without_waiting_lets_others_run),
        cmocka_unit_test(room_is_awaited_and_errors_are_told),
        cmocka_unit_test(one_with_a_deadline_is_not_put_off),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
