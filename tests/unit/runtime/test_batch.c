/* Calls of sockets that are made in one, and the same one by one. */
#include "inside.h"

#include "batch.h"
#include "rings.h"
#include "sys.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { COUNT = HD_BATCH_MOST, BYTES = 8, GONE = 5, NO_NUMBER = 6 };

typedef struct wires {
    int ends[COUNT][2]; /* the first one's calls are made by the batch */
    char bytes[COUNT][BYTES];
    hd_transfer transfers[COUNT], *all[COUNT];
} wires;

static wires *open_wires(bool out) {
    wires *self = calloc(1, sizeof *self);
    assert_non_null(self);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, self->ends[i]),
                         0);
        self->transfers[i] =
            (hd_transfer){.fd = self->ends[i][0], .out = out, .buffer = self->bytes[i], .bytes = BYTES};
        self->all[i] = &self->transfers[i];
    }
    close(self->ends[GONE][1]);
    self->transfers[NO_NUMBER].fd = 1 << 20;
    return self;
}

static void close_wires(wires *self) {
    for (int i = 0; i < COUNT; i++) {
        close(self->ends[i][0]);
        if (i != GONE)
            close(self->ends[i][1]);
    }
    free(self);
}

static void reads(hd_batch *batch, unsigned count) {
    wires *self = open_wires(false);
    for (unsigned i = 0; i < count; i += 2)
        assert_int_equal(send(self->ends[i][1], &i, sizeof i, 0), sizeof i);
    errno = 0;
    hd_batch_run(batch, self->all, count);
    assert_int_equal(errno, 0);
    for (unsigned i = 0; i < count; i++) {
        ssize_t expected = i == NO_NUMBER ? HD_EBADF : i == GONE ? 0 : i % 2 ? HD_EAGAIN : (int)sizeof i;
        assert_int_equal(self->transfers[i].result, expected);
        if (expected > 0)
            assert_memory_equal(self->bytes[i], &i, sizeof i);
    }
    close_wires(self);
}

static void writes(hd_batch *batch, unsigned count) {
    wires *self = open_wires(true);
    for (unsigned i = 0; i < count; i++)
        memcpy(self->bytes[i], &i, sizeof i);
    hd_batch_run(batch, self->all, count); /* and no SIGPIPE */
    for (unsigned i = 0; i < count; i++) {
        char bytes[2 * BYTES];
        ssize_t expected = i == NO_NUMBER ? HD_EBADF : i == GONE ? HD_ECLOSED : BYTES;
        assert_int_equal(self->transfers[i].result, expected);
        if (expected > 0) {
            assert_int_equal(recv(self->ends[i][1], bytes, sizeof bytes, 0), BYTES);
            assert_memory_equal(bytes, &i, sizeof i);
        }
    }
    close_wires(self);
}

static void reads_and_writes(hd_batch *batch) {
    for (unsigned count = 0; count <= COUNT; count = 2 * count + 1) {
        reads(batch, count);
        writes(batch, count);
    }
    reads(batch, COUNT);
    writes(batch, COUNT);
}

static void results_are_those_of_the_calls(void **state) {
    (void)state;
    hd_batch *batch = hd_batch_create();
    assert_non_null(batch);
    reads_and_writes(batch);
    reads_and_writes(NULL);
    hd_batch_destroy(batch);
    hd_batch_destroy(NULL);
}

static void a_ring_that_is_refused_is_not_missed(void **state) {
    (void)state;
    hd_batch *batch = hd_batch_create();
    hd_batch_assume_dear(true);
    assert_true(hd_batch_pays(batch));
    hd_sys_fail_after(1);
    reads(batch, COUNT);
    hd_sys_fail_after(0);
    reads_and_writes(batch);
#if !defined(HD_TSAN) && !defined(HD_ASAN) /* where none is opened */
    assert_false(hd_batch_pays(batch));
#endif
    hd_batch_destroy(batch);
}

/* The calling process may make no io_uring_enter from now on. */
static bool forbid_rings(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* In a child of its own, where cmocka's assertions have no place to jump to. 0: all holds. */
static int forbidden_later(wires *self) {
    char sent = 's';
    hd_batch *batch = hd_batch_create();
    hd_batch_assume_dear(true);
    hd_batch_run(batch, self->all, COUNT);
    if (!hd_batch_pays(batch) || !forbid_rings() || send(self->ends[0][1], &sent, 1, 0) != 1)
        return 1;
    hd_batch_run(batch, self->all, COUNT);
    if (self->transfers[0].result != 1 || self->bytes[0][0] != sent ||
        self->transfers[COUNT - 1].result != HD_EAGAIN)
        return 2;
    return hd_batch_pays(batch) ? 3 : 0;
}

static void a_ring_that_is_forbidden_later_is_given_up(void **state) {
    (void)state;
    if (!there_are_rings())
        skip();
    wires *self = open_wires(false);
    pid_t child = fork();
    if (child == 0)
        _exit(forbidden_later(self));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_wires(self);
}

static void it_pays_where_calls_are_dear(void **state) {
    (void)state;
    hd_batch *batch = hd_batch_create();
    hd_batch_assume_dear(false);
    assert_false(hd_batch_pays(batch));
    hd_batch_assume_dear(true);
    assert_true(hd_batch_pays(batch));
    assert_false(hd_batch_pays(NULL));
    hd_batch_destroy(batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_the_calls),
        cmocka_unit_test(a_ring_that_is_refused_is_not_missed),
        cmocka_unit_test(a_ring_that_is_forbidden_later_is_given_up),
        cmocka_unit_test(it_pays_where_calls_are_dear),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
