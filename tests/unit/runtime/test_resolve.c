/* Names are looked up in a table here, in place of the system's getaddrinfo. */
#include "inside.h"

#include "base.h"
#include "sys.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static sem_t go_on; /* a look-up of "slow.test" waits for it */
static _Atomic int asked, found_some, freed;

static int add(struct addrinfo **list, const char *text, const char *port) {
    struct sockaddr_in *name = calloc(1, sizeof *name);
    struct addrinfo *one = calloc(1, sizeof *one);
    if (!one || !name)
        return EAI_MEMORY;
    name->sin_family = AF_INET;
    name->sin_port = htons((uint16_t)atoi(port));
    inet_pton(AF_INET, text, &name->sin_addr);
    *one = (struct addrinfo){.ai_addr = (struct sockaddr *)name, .ai_addrlen = sizeof *name};
    while (*list)
        list = &(*list)->ai_next;
    *list = one;
    return 0;
}

static const struct {
    const char *name;
    const char *addresses[3];
    int error, system_error;
} names[] = {
    {"one.test", {"127.0.0.1"}, 0, 0},
    {"two.test", {"127.0.0.2", "127.0.0.1"}, 0, 0},
    {"three.test", {"127.0.0.3", "127.0.0.2", "127.0.0.1"}, 0, 0},
    {"slow.test", {"127.0.0.1"}, 0, 0},
    {"none.test", {NULL}, EAI_NONAME, 0},
    {"nodata.test", {NULL}, EAI_NODATA, 0},
    {"again.test", {NULL}, EAI_AGAIN, 0},
    {"fail.test", {NULL}, EAI_FAIL, 0},
    {"memory.test", {NULL}, EAI_MEMORY, 0},
    {"system.test", {NULL}, EAI_SYSTEM, EMFILE},
    {"odd.test", {NULL}, EAI_BADFLAGS, 0},
};

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found) {
    (void)hints;
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed); /* relaxed, here and below: a number */
    *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(host, names[i].name) != 0)
            continue;
        if (strcmp(host, "slow.test") == 0)
            while (sem_wait(&go_on))
                ;
        int error = names[i].error;
        for (int j = 0; j < 3 && names[i].addresses[j] && !error; j++)
            error = add(found, names[i].addresses[j], port);
        if (!error)
            atomic_fetch_add_explicit(&found_some, 1, memory_order_relaxed);
        errno = names[i].system_error;
        return error;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list) {
    atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed);
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

static int number_of(_Atomic int *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* ---- looking up ---- */

static int is_address(const hd_address *address, const char *text, uint16_t port) {
    char got[INET6_ADDRSTRLEN] = "";
    bool v6 = address->name.ss_family == AF_INET6;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address->name;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->name;
    check(address->length == (v6 ? sizeof *six : sizeof *four));
    inet_ntop(address->name.ss_family, v6 ? (void *)&six->sin6_addr : (void *)&four->sin_addr, got,
              sizeof got);
    check(strcmp(got, text) == 0);
    check(ntohs(v6 ? six->sin6_port : four->sin_port) == port);
    return 0;
}

static int64_t look_up(void *arg) {
    (void)arg;
    hd_address *all;
    check(hd_resolve("three.test", 80, HD_NEVER, &all) == 3);
    check(is_address(&all[0], "127.0.0.3", 80) == 0);
    check(is_address(&all[2], "127.0.0.1", 80) == 0);
    hd_resolve_free(all);
    check(hd_resolve("one.test", 0, hd_after(HD_SECONDS(60)), &all) == 1);
    check(is_address(&all[0], "127.0.0.1", 0) == 0);
    hd_resolve_free(all);
    int before = number_of(&asked);
    check(hd_resolve("::1", 65535, HD_NEVER, &all) == 1);
    check(is_address(&all[0], "::1", 65535) == 0);
    hd_resolve_free(all);
    check(number_of(&asked) == before); /* a number is no name */
    hd_resolve_free(NULL);
    return 0;
}

static void a_name_has_addresses_in_order_with_the_port(void **state) {
    (void)state;
    passes(1, look_up, NULL);
    passes(2, look_up, NULL);
    assert_int_equal(number_of(&freed), number_of(&found_some));
}

static int resolve_fails(const char *host) {
    hd_address *all = (hd_address *)&all;
    int code = hd_resolve(host, 80, HD_NEVER, &all);
    check(all == NULL);
    check(code < 0);
    check(hd_tcp_connect(host ? host : "", 80, HD_NEVER) == code);
    return code;
}

static int64_t failures(void *arg) {
    (void)arg;
    char too_long[5000];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    check(resolve_fails("none.test") == HD_ENONAME);
    check(resolve_fails("nodata.test") == HD_ENONAME);
    check(resolve_fails(too_long) == HD_ENONAME);
    check(resolve_fails("again.test") == HD_ENAMESERVER);
    check(resolve_fails("fail.test") == HD_ENAMESERVER);
    check(resolve_fails("memory.test") == HD_ENOMEM);
    check(resolve_fails("system.test") == -EMFILE);
    check(resolve_fails("odd.test") == HD_EINVAL);
    check(resolve_fails("") == HD_EINVAL);
    check(resolve_fails(NULL) == HD_EINVAL);
    check(strstr(hd_strerror(HD_ENONAME), "no address is known"));
    check(strstr(hd_strerror(HD_ENAMESERVER), "name server"));
    return 0;
}

static void why_there_is_no_address_is_told(void **state) {
    (void)state;
    hd_address *all;
    passes(1, failures, NULL);
    assert_int_equal(hd_resolve("one.test", 80, HD_NEVER, &all), HD_EPERM);
    assert_null(all);
}

static int64_t look_up_slowly(void *arg) {
    hd_address *all;
    uint64_t deadline_ns = *(uint64_t *)arg;
    int64_t count = hd_resolve("slow.test", 80, deadline_ns, &all);
    check(count == 1 || !all);
    hd_resolve_free(all);
    return count;
}

static int64_t leave(void *arg) {
    (void)arg;
    while (sem_trywait(&go_on) == 0) /* from a look-up that was left before a thread had taken it */
        continue;
    uint64_t never = HD_NEVER, soon = hd_after(HD_MS(2)), far = hd_after(HD_SECONDS(60));
    check(cancel_waiting(hd_spawn(look_up_slowly, &never), HD_WAITS_POOL) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(look_up_slowly, &far), HD_WAITS_POOL) == HD_ECANCELED);
    check(look_up_slowly(&soon) == HD_ETIMEDOUT);
    check(hd_tcp_connect("slow.test", 80, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        sem_post(&go_on); /* only now do the look-ups end */
    sem_post(&go_on);
    check(look_up_slowly(&far) == 1);
    return 0;
}

static void who_is_cancelled_or_late_does_not_wait_for_the_answer(void **state) {
    (void)state;
    passes(1, leave, NULL);
    passes(2, leave, NULL);
    assert_int_equal(number_of(&freed), number_of(&found_some));
}

static int64_t look_up_quickly(void *arg) {
    hd_address *all;
    int count = hd_resolve("two.test", 80, *(uint64_t *)arg, &all);
    check((count == 2) == (all != NULL));
    hd_resolve_free(all);
    return count;
}

static int64_t race_look_ups(void *arg) {
    enum { LOOK_UPS = 200 };
    unsigned seed = *(unsigned *)arg;
    uint64_t deadlines[LOOK_UPS];
    hd_task *tasks[LOOK_UPS];
    for (int i = 0; i < LOOK_UPS; i++) {
        deadlines[i] = rand_r(&seed) % 3 ? HD_NEVER : hd_after(HD_US((uint64_t)rand_r(&seed) % 100));
        check((tasks[i] = hd_spawn(look_up_quickly, &deadlines[i])));
        for (int turns = rand_r(&seed) % 3; turns; turns--)
            check(hd_yield() == 0);
        if (rand_r(&seed) % 2)
            (void)hd_cancel(tasks[rand_r(&seed) % (i + 1)]);
    }
    for (int i = 0; i < LOOK_UPS; i++) {
        int64_t count = hd_join(tasks[i]);
        check(count == 2 || count == HD_ECANCELED || (count == HD_ETIMEDOUT && deadlines[i] != HD_NEVER));
    }
    return 0;
}

static void answers_that_come_as_their_askers_leave_are_freed_once(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++)
        passes(1 + seed % 2, race_look_ups, &seed);
    assert_int_equal(number_of(&freed), number_of(&found_some));
}

static int64_t out_of_memory(void *arg) {
    (void)arg;
    hd_address *all;
    int code = -1;
    check(hd_resolve("one.test", 80, HD_NEVER, &all) == 1); /* leaves a thread that takes the next one */
    hd_resolve_free(all);
    for (int nth = 1; code < 0; nth++) {
        check(nth < 50);
        hd_sys_fail_after(nth);
        code = hd_resolve("one.test", 80, nth % 2 ? HD_NEVER : hd_after(HD_SECONDS(60)), &all);
        hd_sys_fail_after(0);
        check(code == 1 || (code == HD_ENOMEM && !all) || (code == HD_EAGAIN && !all));
    }
    hd_resolve_free(all);
    return 0;
}

static void without_memory_a_look_up_fails_as_such(void **state) {
    (void)state;
    passes(1, out_of_memory, NULL);
}

/* ---- connecting by name ---- */

typedef struct hosts {
    int fds[3]; /* listeners at 127.0.0.1, .2 and .3, or -1 */
    int fillers[3];
    uint16_t port; /* of all */
} hosts;

/* `what`: of each a letter, in this order: l(istens), d(eaf), n(obody). */
static int hosts_open(hosts *self, const char *what) {
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    *self = (hosts){.port = 0};
    for (int i = 0; i < 3; i++) {
        self->fds[i] = self->fillers[i] = -1;
        /* the first of them chooses a port, which nobody is likely to have at the other addresses */
        if (what[i] == 'n')
            continue;
        self->fds[i] = hd_tcp_listen(addresses[i], self->port, what[i] == 'd' ? 0 : 8);
        check(self->fds[i] >= 0);
        self->port = (uint16_t)hd_tcp_port(self->fds[i]);
        if (what[i] == 'd') {
            self->fillers[i] = hd_tcp_connect(addresses[i], self->port, HD_NEVER);
            check(self->fillers[i] >= 0);
        }
    }
    return 0;
}

static void hosts_close(hosts *self) {
    for (int i = 0; i < 3; i++) {
        if (self->fds[i] >= 0)
            hd_close(self->fds[i]);
        if (self->fillers[i] >= 0)
            hd_close(self->fillers[i]);
    }
}

static int connected_to(int fd) {
    struct sockaddr_in peer = {.sin_family = 0};
    socklen_t length = sizeof peer;
    check(fd >= 0);
    check(getpeername(fd, (struct sockaddr *)&peer, &length) == 0);
    hd_close(fd);
    return (int)(ntohl(peer.sin_addr.s_addr) & 0xff);
}

/* Sockets only: the monitor may have files open. */
static int count_sockets(void) {
    struct stat status;
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    return count;
}

static int64_t race(void *arg) {
    (void)arg;
    hosts all;
    check(hosts_open(&all, "lll") == 0);
    check(connected_to(hd_tcp_connect("three.test", all.port, HD_NEVER)) == 3);
    hosts_close(&all);

    check(hosts_open(&all, "lnn") == 0);
    uint64_t started_ns = hd_now();
    check(connected_to(hd_tcp_connect("three.test", all.port, HD_NEVER)) == 1);
    check(hd_now() - started_ns < HD_MS(240)); /* who is refused loses the head start */
    hosts_close(&all);

    int before = count_sockets();
    check(hosts_open(&all, "ldd") == 0);
    int during = count_sockets();
    check(connected_to(hd_tcp_connect("three.test", all.port, hd_after(HD_SECONDS(60)))) == 1);
    check(count_sockets() == during); /* those that got nowhere are closed */
    hosts_close(&all);
    check(count_sockets() == before);
    return 0;
}

static void the_first_address_that_answers_is_taken(void **state) {
    (void)state;
    passes(1, race, NULL);
    passes(2, race, NULL);
}

static int64_t dial(void *arg) {
    return hd_tcp_connect("three.test", *(uint16_t *)arg, HD_NEVER);
}

static int64_t lose(void *arg) {
    (void)arg;
    hosts all;
    check(hosts_open(&all, "ddd") == 0);
    int before = count_sockets();
    check(hd_tcp_connect("three.test", all.port, hd_after(HD_MS(5))) == HD_ETIMEDOUT);
    check(hd_tcp_connect("three.test", all.port, hd_after(HD_MS(600))) == HD_ETIMEDOUT);
    check(cancel_waiting(hd_spawn(dial, &all.port), HD_WAITS_TASK) == HD_ECANCELED);
    check(count_sockets() == before);
    hosts_close(&all);
    check(hd_tcp_connect("three.test", all.port, HD_NEVER) == -ECONNREFUSED);
    check(hd_tcp_connect("one.test", all.port, HD_NEVER) == -ECONNREFUSED);
    return 0;
}

static void a_race_without_a_winner_leaves_nothing(void **state) {
    (void)state;
    passes(1, lose, NULL);
    passes(2, lose, NULL);
}

/* In a clean-up, the scope that the task is in takes no new tasks that live. */
static int64_t connect_in_a_clean_up(void *arg) {
    hosts *all = arg;
    check(hd_cancel(hd_self()) == 0);
    check(hd_tcp_connect("two.test", all->port, HD_NEVER) == HD_ECANCELED);
    hd_shield_begin();
    int fd = hd_tcp_connect("two.test", all->port, HD_NEVER);
    hd_shield_end();
    check(connected_to(fd) == 1);
    return 0;
}

static int64_t clean_up(void *arg) {
    (void)arg;
    hosts all;
    check(hosts_open(&all, "lnn") == 0);
    hd_task *task = hd_spawn(connect_in_a_clean_up, &all);
    check(hd_join(task) == 0);
    hosts_close(&all);
    return 0;
}

static void a_cancelled_task_connects_in_its_clean_up(void **state) {
    (void)state;
    passes(1, clean_up, NULL);
}

static int setup(void **state) {
    (void)state;
    return sem_init(&go_on, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_addresses_in_order_with_the_port),
        cmocka_unit_test(why_there_is_no_address_is_told),
        cmocka_unit_test(who_is_cancelled_or_late_does_not_wait_for_the_answer),
        cmocka_unit_test(answers_that_come_as_their_askers_leave_are_freed_once),
        cmocka_unit_test(without_memory_a_look_up_fails_as_such),
        cmocka_unit_test(the_first_address_that_answers_is_taken),
        cmocka_unit_test(a_race_without_a_winner_leaves_nothing),
        cmocka_unit_test(a_cancelled_task_connects_in_its_clean_up),
    };
    return cmocka_run_group_tests_name("resolve", tests, setup, NULL);
}
