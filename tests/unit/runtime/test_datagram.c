#include "inside.h"

#include "base.h"

#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { DATAGRAMS = 100 };

/* In place of the C library's, to be counted. Relaxed: a number. */
static _Atomic int tries;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    atomic_fetch_add_explicit(&tries, 1, memory_order_relaxed);
    return syscall(SYS_sendmsg, fd, message, flags);
}

static int64_t answer(void *arg) {
    int fd = *(int *)arg;
    char bytes[64];
    for (int i = 0; i < DATAGRAMS; i++) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t got = hd_recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
        check(got == 4 && length == sizeof(struct sockaddr_in));
        check(hd_sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, length) == got);
    }
    return 0;
}

static int64_t udp(void *arg) {
    (void)arg;
    int server = hd_udp_bind("127.0.0.1", 0), client = hd_udp_bind("127.0.0.1", 0);
    struct sockaddr_storage to;
    socklen_t length = sizeof to;
    char bytes[8] = "";
    check(server >= 0 && client >= 0);
    check(getsockname(server, (struct sockaddr *)&to, &length) == 0);
    hd_task *task = hd_spawn(answer, &server);
    for (int i = 0; i < DATAGRAMS; i++) {
        check(hd_sendto(client, "weft", 4, 0, (struct sockaddr *)&to, length) == 4);
        check(hd_recvfrom(client, bytes, sizeof bytes, 0, NULL, NULL) == 4);
        check(memcmp(bytes, "weft", 4) == 0);
    }
    check(hd_join(task) == 0);
    check(hd_connect(client, (struct sockaddr *)&to, length) == 0);
    check(hd_write(client, "warp and weft", 13) == 13);
    check(hd_recvfrom(server, bytes, 4, MSG_PEEK | MSG_TRUNC, NULL, NULL) == 13);
    check(hd_read(server, bytes, sizeof bytes) == 8); /* the rest of a datagram is lost */
    check(hd_write(client, NULL, 0) == 0);            /* an empty one */
    check(hd_recvfrom(server, bytes, sizeof bytes, 0, NULL, NULL) == 0);
    check(hd_close(server) == 0);
    /* the answer that nobody is there any more comes as an error of a later call */
    check(hd_sendto(client, "x", 1, 0, NULL, 0) == 1);
    check(hd_recvfrom(client, bytes, sizeof bytes, 0, NULL, NULL) == -ECONNREFUSED);
    return hd_close(client);
}

static void datagrams_go_and_come(void **state) {
    (void)state;
    passes(1, udp, NULL);
    passes(2, udp, NULL);
}

static socklen_t nameless(struct sockaddr_un *address, const char *what) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int bytes = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "heddle-%s-%d", what, getpid());
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes);
}

typedef struct mailbox {
    int fd;
    struct sockaddr_un address;
    socklen_t length;
} mailbox;

static int mailbox_open(mailbox *self, const char *name) {
    self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    self->length = nameless(&self->address, name);
    check(self->fd >= 0);
    check(bind(self->fd, (struct sockaddr *)&self->address, self->length) == 0);
    return 0;
}

static int64_t send_many(void *arg) {
    mailbox *to = arg;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ssize_t put = 0;
    for (int i = 0; i < DATAGRAMS && put >= 0; i++)
        put = hd_sendto(fd, &i, sizeof i, 0, (struct sockaddr *)&to->address, to->length);
    hd_close(fd);
    return put < 0 ? put : 0;
}

static int64_t unix_datagrams(void *arg) {
    (void)arg;
    mailbox box;
    check(mailbox_open(&box, "box") == 0);
    hd_task *sender = hd_spawn(send_many, &box);
    check(until_waits(sender, HD_WAITS_DESCRIPTOR) ==
          0); /* its queue is full, and the two are not connected */
    for (int i = 0; i < DATAGRAMS; i++) {
        int number;
        check(hd_recvfrom(box.fd, &number, sizeof number, 0, NULL, NULL) == sizeof number);
        check(number == i);
    }
    check(hd_join(sender) == 0);
    check(cancel_waiting(hd_spawn(send_many, &box), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int before = atomic_load_explicit(&tries, memory_order_relaxed);
    check(hd_fd_wait(fd, HD_WRITABLE, HD_NEVER) == 0); /* from here on the set hears of it */
    check(hd_fd_deadline(fd, HD_WRITABLE, hd_after(HD_MS(20))) == 0);
    check(hd_sendto(fd, "x", 1, 0, (struct sockaddr *)&box.address, box.length) == HD_ETIMEDOUT);
    check(atomic_load_explicit(&tries, memory_order_relaxed) - before < 8);
    check(hd_close(fd) == 0);
    check(hd_close(box.fd) == 0);
    hd_task *late = hd_spawn(send_many, &box);
    check(hd_join(late) == -ECONNREFUSED);
    return 0;
}

static void a_full_receiver_makes_the_sender_wait(void **state) {
    (void)state;
    passes(1, unix_datagrams, NULL);
    passes(2, unix_datagrams, NULL);
}

typedef union passed {
    struct cmsghdr part;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
} passed;

static int64_t send_descriptors(void *arg) {
    int *fds = arg; /* the socket, and two that are to be passed */
    struct iovec byte = {"x", 1};
    passed beside = {
        .part = {.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&beside.part), fds + 1, 2 * sizeof(int));
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof beside};
    return hd_sendmsg(fds[0], &message, 0);
}

static int64_t read_one(void *arg) {
    char byte;
    return hd_read(*(int *)arg, &byte, 1);
}

static int64_t pass(void *arg) {
    (void)arg;
    int ends[2], pipes[2], theirs[2];
    char byte;
    struct iovec part = {&byte, 1};
    passed beside;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof beside};
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    check(pipe2(pipes, O_NONBLOCK) == 0);
    hd_task *sender = hd_spawn(send_descriptors, (int[]){ends[0], pipes[0], pipes[1]});
    check(hd_join(sender) == 1);
    check(leave_stale_numbers() == 0); /* for the two that come */
    check(hd_recvmsg(ends[1], &message, 0) == 1);
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    check(first && first->cmsg_type == SCM_RIGHTS);
    memcpy(theirs, CMSG_DATA(first), sizeof theirs);
    check(fcntl(theirs[0], F_GETFD) & FD_CLOEXEC && fcntl(theirs[1], F_GETFD) & FD_CLOEXEC);
    hd_task *reader = hd_spawn(read_one, &theirs[0]);
    check(until_waits(reader, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_write(theirs[1], "x", 1) == 1);
    check(hd_join(reader) == 1);
    hd_task *none = hd_spawn(read_one, &ends[1]);
    check(cancel_waiting(none, HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    for (int i = 0; i < 2; i++) {
        hd_close(ends[i]);
        hd_close(pipes[i]);
        hd_close(theirs[i]);
    }
    return 0;
}

static void descriptors_are_passed_and_can_be_awaited(void **state) {
    (void)state;
    passes(1, pass, NULL);
}

static int64_t receive(void *arg) {
    char byte;
    return hd_recvfrom(*(int *)arg, &byte, 1, 0, NULL, NULL);
}

static int64_t ends_of_waiting(void *arg) {
    (void)arg;
    char byte;
    int fd = hd_udp_bind("127.0.0.1", 0);
    check(cancel_waiting(hd_spawn(receive, &fd), HD_WAITS_DESCRIPTOR) == HD_ECANCELED);
    check(hd_fd_deadline(fd, HD_READABLE, 1) == 0);
    check(hd_recvfrom(fd, &byte, 1, 0, NULL, NULL) == HD_ETIMEDOUT);
    check(hd_fd_deadline(fd, HD_READABLE, HD_NEVER) == 0);
    hd_task *receiver = hd_spawn(receive, &fd);
    check(until_waits(receiver, HD_WAITS_DESCRIPTOR) == 0);
    check(hd_close(fd) == 0);
    check(hd_join(receiver) == HD_EBADF);
    check(hd_sendto(fd, "x", 1, 0, NULL, 0) == HD_EBADF);
    return 0;
}

static void receiving_ends_by_cancellation_deadline_and_closing(void **state) {
    (void)state;
    passes(1, ends_of_waiting, NULL);
    passes(2, ends_of_waiting, NULL);
    char byte;
    assert_int_equal(hd_recvfrom(0, &byte, 1, 0, NULL, NULL), HD_EPERM);
    assert_int_equal(hd_sendto(0, &byte, 1, 0, NULL, 0), HD_EPERM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_go_and_come),
        cmocka_unit_test(a_full_receiver_makes_the_sender_wait),
        cmocka_unit_test(descriptors_are_passed_and_can_be_awaited),
        cmocka_unit_test(receiving_ends_by_cancellation_deadline_and_closing),
    };
    return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
