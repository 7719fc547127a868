/* Look-ups of names. getaddrinfo is ours here: it counts, waits as long as it is told, and knows two names. */
#include "http_names.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

enum { MANY = 50 };

static atomic_int calls;
static atomic_bool held; /* look-ups wait while it is set */

typedef struct found {
    struct addrinfo info;
    struct sockaddr_in6 address;
} found;

static struct addrinfo *make(const char *text, int family, struct addrinfo *next) {
    found *made = calloc(1, sizeof *made);
    struct sockaddr_in *four = (struct sockaddr_in *)&made->address;
    made->info =
        (struct addrinfo){.ai_family = family, .ai_addr = (struct sockaddr *)&made->address, .ai_next = next};
    made->info.ai_addrlen = family == AF_INET ? sizeof *four : sizeof made->address;
    made->address.sin6_family = (sa_family_t)family;
    inet_pton(family, text, family == AF_INET ? (void *)&four->sin_addr : (void *)&made->address.sin6_addr);
    return &made->info;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    (void)service;
    (void)hints;
    atomic_fetch_add(&calls, 1);
    while (atomic_load(&held))
        usleep(100);
    if (strcmp(host, "two.test") == 0)
        *result = make("192.0.2.1", AF_INET, make("2001:db8::1", AF_INET6, NULL));
    else if (strcmp(host, "one.test") == 0 || strstr(host, ".many"))
        *result = make("192.0.2.7", AF_INET, NULL);
    else
        return EAI_NONAME;
    return 0;
}

void freeaddrinfo(struct addrinfo *list) {
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* Each test is the root task of a runtime; it returns the line that failed, or 0. */
#define EXPECT(condition)    \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

static void run(hd_fn fn) {
    atomic_store(&calls, 0);
    atomic_store(&held, false);
    int64_t line = hd_run(&(hd_runtime_options){.loops = 2}, fn, NULL);
    http_names_fini();
    if (line)
        fail_msg("failed in line %lld", (long long)line);
}

static int64_t ask(void *host) {
    char list[HTTP_NAMES_BYTES] = "", error[256] = "";
    int code = http_names_look_up(host, list, error, sizeof error);
    return code ? hd_fail(code, "%s", error) : (int64_t)strlen(list);
}

static int64_t root_answers(void *arg) {
    char list[HTTP_NAMES_BYTES], error[256];
    (void)arg;
    EXPECT(http_names_look_up("two.test", list, error, sizeof error) == 0);
    EXPECT(strcmp(list, "192.0.2.1,[2001:db8::1]") == 0);
    EXPECT(http_names_look_up("TWO.test", list, error, sizeof error) == 0);
    EXPECT(http_names_look_up("one.test", list, error, sizeof error) == 0);
    EXPECT(strcmp(list, "192.0.2.7") == 0);
    EXPECT(atomic_load(&calls) == 2);
    return 0;
}

static void an_answer_has_all_addresses_and_is_kept(void **state) {
    (void)state;
    run(root_answers);
}

static int64_t root_crowd(void *arg) {
    char name[32], list[HTTP_NAMES_BYTES], error[256];
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d.many", i);
        EXPECT(http_names_look_up(name, list, error, sizeof error) == 0);
    }
    EXPECT(http_names_look_up("999.many", list, error, sizeof error) == 0);
    EXPECT(atomic_load(&calls) == 1000);
    EXPECT(http_names_look_up("0.many", list, error, sizeof error) == 0);
    EXPECT(atomic_load(&calls) == 1001);
    return 0;
}

static void of_many_names_the_last_ones_are_kept(void **state) {
    (void)state;
    run(root_crowd);
}

static int64_t root_failures(void *arg) {
    (void)arg;
    for (int i = 1; i <= 2; i++) {
        hd_task *task = hd_spawn(ask, "none.test");
        EXPECT(task && hd_await(task) < 0);
        EXPECT(strcmp(hd_task_error(task),
                      "could not resolve host \"none.test\": Name or service not known") == 0);
        hd_release(task);
        EXPECT(atomic_load(&calls) == i);
    }
    return 0;
}

static void a_failure_is_told_and_not_kept(void **state) {
    (void)state;
    run(root_failures);
}

static int64_t root_many(void *arg) {
    hd_task *tasks[MANY];
    (void)arg;
    atomic_store(&held, true);
    for (int i = 0; i < MANY; i++)
        EXPECT((tasks[i] = hd_spawn(ask, "one.test")));
    EXPECT(hd_sleep(HD_MS(20)) == 0);
    EXPECT(atomic_load(&calls) == 1);
    atomic_store(&held, false);
    for (int i = 0; i < MANY; i++)
        EXPECT(hd_join(tasks[i]) == (int64_t)strlen("192.0.2.7"));
    EXPECT(atomic_load(&calls) == 1);
    return 0;
}

static void many_who_ask_at_once_share_one_look_up(void **state) {
    (void)state;
    run(root_many);
}

static int64_t root_cancelled(void *arg) {
    (void)arg;
    atomic_store(&held, true);
    hd_task *first = hd_spawn(ask, "one.test"), *second = hd_spawn(ask, "one.test");
    EXPECT(first && second);
    while (atomic_load(&calls) == 0)
        EXPECT(hd_sleep(HD_MS(1)) == 0);
    hd_cancel(first);
    EXPECT(hd_join(first) == HD_ECANCELED); /* at once, while the name server says nothing */
    EXPECT(!hd_task_done(second));
    atomic_store(&held, false);
    EXPECT(hd_join(second) == (int64_t)strlen("192.0.2.7"));
    return 0;
}

static void who_leaves_does_not_take_the_answer_from_others(void **state) {
    (void)state;
    run(root_cancelled);
}

static int64_t root_crowded(void *arg) {
    hd_task *tasks[MANY + 1];
    static char names[MANY][16];
    (void)arg;
    atomic_store(&held, true);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%d.none", i);
        EXPECT((tasks[i] = hd_spawn(ask, names[i])));
    }
    EXPECT((tasks[MANY] = hd_spawn(ask, names[MANY - 1])));
    EXPECT(hd_sleep(HD_MS(20)) == 0);
    EXPECT(atomic_load(&calls) < MANY); /* the pool's class has so many threads and no more */
    hd_cancel(tasks[MANY - 1]); /* its call waits for a thread, and its entry has one more who waits */
    EXPECT(hd_await(tasks[MANY - 1]) == HD_ECANCELED);
    atomic_store(&held, false);
    for (int i = 0; i <= MANY; i++)
        EXPECT(hd_join(tasks[i]) < 0);
    EXPECT(atomic_load(&calls) == MANY); /* who waited for the one that was given up asked again */
    return 0;
}

static void look_ups_are_bounded_and_one_given_up_is_asked_again(void **state) {
    (void)state;
    run(root_crowded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_all_addresses_and_is_kept),
        cmocka_unit_test(of_many_names_the_last_ones_are_kept),
        cmocka_unit_test(a_failure_is_told_and_not_kept),
        cmocka_unit_test(many_who_ask_at_once_share_one_look_up),
        cmocka_unit_test(who_leaves_does_not_take_the_answer_from_others),
        cmocka_unit_test(look_ups_are_bounded_and_one_given_up_is_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
