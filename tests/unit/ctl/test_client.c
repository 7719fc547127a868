/* The connection: answers, silence, signals, and a service that goes away. */
#include "client.h"
#include "exit.h"
#include "helpers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const wire_request ping = {.verb = WIRE_PING};
static const wire_request show = {.verb = WIRE_SHOW, .u.show.id = 77};
static const wire_request drain = {.verb = WIRE_DRAIN};

/* Answers pings, knows no job, and never ends a drain. */
static bool answer(const wire_request *request, wire_reply *reply, void *arg) {
    (void)arg;
    if (request->verb == WIRE_PING)
        reply->u.ping.release = "0.1.0";
    if (request->verb == WIRE_SHOW)
        *reply = (wire_reply){.code = WIRE_NOT_FOUND, .error = "there is no job 77"};
    return request->verb != WIRE_DRAIN;
}

struct setup {
    struct fake_service *service;
    struct client *client;
};

static int set_up(void **state) {
    struct setup *setup = calloc(1, sizeof *setup);
    char error[256];
    setup->service = fake_service_start(answer, NULL);
    *state = setup;
    return client_open(fake_service_url(setup->service), &setup->client, error, sizeof error) == CLIENT_OK
               ? 0
               : -1;
}

static int tear_down(void **state) {
    struct setup *setup = *state;
    client_close(setup->client);
    fake_service_stop(setup->service);
    free(setup);
    return 0;
}

static double seconds_since(const struct timespec *began) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

static void an_answer_comes_back_and_an_error_with_its_exit_code(void **state) {
    struct setup *setup = *state;
    wire_reply *reply;
    assert_int_equal(client_ask(setup->client, &ping, 10 * SECOND, &reply), CLIENT_OK);
    assert_string_equal(reply->u.ping.release, "0.1.0");
    wire_reply_free(reply);
    assert_int_equal(client_ask(setup->client, &show, 10 * SECOND, &reply), CLIENT_REFUSED);
    assert_string_equal(client_problem(CLIENT_REFUSED, reply), "there is no job 77");
    assert_int_equal(client_exit_code(CLIENT_REFUSED, reply), EXIT_NO_JOB);
    wire_reply_free(reply);
}

static void silence_ends_at_the_time_limit(void **state) {
    struct setup *setup = *state;
    wire_reply *reply;
    struct timespec began;
    clock_gettime(CLOCK_MONOTONIC, &began);
    assert_int_equal(client_ask(setup->client, &drain, SECOND / 10, &reply), CLIENT_SILENT);
    assert_null(reply);
    assert_true(seconds_since(&began) >= 0.1);
    assert_int_equal(client_exit_code(CLIENT_SILENT, NULL), EXIT_UNREACHABLE);
    /* The connection is as good as before. */
    assert_int_equal(client_ask(setup->client, &ping, 10 * SECOND, &reply), CLIENT_OK);
    wire_reply_free(reply);
}

static void several_requests_can_be_under_way(void **state) {
    struct setup *setup = *state;
    struct client_call *calls[3];
    wire_reply *reply;
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_begin(setup->client, i == 1 ? &show : &ping, &calls[i]), CLIENT_OK);
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(client_finish(calls[i], 10 * SECOND, &reply), i == 1 ? CLIENT_REFUSED : CLIENT_OK);
        wire_reply_free(reply);
    }
}

/* nng's nng_close waits for ever for a receive that was lost while the connection closed, if it is not mended. */
static void closing_while_answers_arrive_ends(void **state) {
    struct setup *setup = *state;
    for (int round = 0; round < 1000; round++) {
        struct client *client;
        struct client_call *calls[4];
        char error[256];
        assert_int_equal(client_open(fake_service_url(setup->service), &client, error, sizeof error),
                         CLIENT_OK);
        for (int i = 0; i < 4; i++)
            assert_int_equal(client_begin(client, &ping, &calls[i]), CLIENT_OK);
        struct timespec moment = {0,
                                  round % 200 * 1000}; /* so that it closes at any step of the answers' way */
        nanosleep(&moment, NULL);
        for (int i = 0; i < 4; i++)
            client_abandon(calls[i]);
        client_close(client);
    }
}

static void *kill_service(void *arg) {
    struct setup *setup = arg;
    fake_service_kill(setup->service);
    return NULL;
}

static void a_service_that_goes_away_ends_a_wait_at_once(void **state) {
    struct setup *setup = *state;
    struct client_call *call;
    wire_reply *reply;
    pthread_t killer;
    struct timespec began;
    assert_int_equal(client_begin(setup->client, &drain, &call), CLIENT_OK);
    clock_gettime(CLOCK_MONOTONIC, &began);
    assert_int_equal(pthread_create(&killer, NULL, kill_service, setup), 0);
    client_result result = client_finish(call, CLIENT_FOREVER_NS, &reply);
    double took = seconds_since(&began);
    pthread_join(killer, NULL);
    assert_int_equal(result, CLIENT_GONE);
    assert_null(reply);
    assert_true(took < 1);
    assert_int_equal(client_exit_code(result, NULL), EXIT_UNREACHABLE);
    /* What is asked afterwards knows it, too. */
    assert_int_equal(client_ask(setup->client, &ping, 10 * SECOND, &reply), CLIENT_GONE);
}

static void a_signal_ends_the_wait_and_not_the_call(void **state) {
    struct setup *setup = *state;
    struct client_call *call, *other;
    wire_reply *reply;
    client_catch_signals();
    assert_int_equal(client_signal(), 0);
    assert_int_equal(client_begin(setup->client, &drain, &call), CLIENT_OK);
    raise(SIGINT); /* to this thread: the service's has it not blocked */
    assert_int_equal(client_finish(call, CLIENT_FOREVER_NS, &reply), CLIENT_SIGNAL);
    assert_int_equal(client_signal(), SIGINT);
    assert_int_equal(client_signal(), 0);
    assert_int_equal(client_begin(setup->client, &ping, &other), CLIENT_OK);
    assert_int_equal(client_finish(other, 10 * SECOND, &reply), CLIENT_OK);
    wire_reply_free(reply);
    assert_int_equal(client_finish(call, SECOND / 20, &reply), CLIENT_SILENT);
    client_abandon(call);
}

static void where_nothing_listens_is_said_with_the_way_out(void **state) {
    (void)state;
    static const struct {
        const char *url;
        client_result result;
        const char *says;
    } rows[] = {{"ipc:///tmp/heddle-no-such-folder/sock", CLIENT_UNREACHABLE, "systemctl status heddled"},
                {"ipc:///etc/passwd", CLIENT_UNREACHABLE, "ipc:///etc/passwd"},
                {"nonsense", CLIENT_BAD_URL, "\"nonsense\" is not an address"},
                {"ftp://x", CLIENT_BAD_URL, "try ipc:///run"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client *client;
        char error[256];
        assert_int_equal(client_open(rows[i].url, &client, error, sizeof error), rows[i].result);
        assert_null(client);
        assert_non_null(strstr(error, rows[i].says));
    }
}

static void the_url_is_the_flags_then_the_environments_then_ones_own(void **state) {
    (void)state;
    char buffer[256], folder[] = "/tmp/heddle-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    unsetenv("HEDDLE_URL");
    assert_string_equal(client_url(NULL, buffer, sizeof buffer), "ipc:///run/heddle/heddle.sock");
    snprintf(path, sizeof path, "%s/heddle", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/heddle.sock");
    fclose(fopen(path, "w"));
    assert_non_null(strstr(client_url(NULL, buffer, sizeof buffer), path));
    setenv("HEDDLE_URL", "ipc:///elsewhere", 1);
    assert_string_equal(client_url(NULL, buffer, sizeof buffer), "ipc:///elsewhere");
    assert_string_equal(client_url("ipc:///flag", buffer, sizeof buffer), "ipc:///flag");
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_comes_back_and_an_error_with_its_exit_code, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_ends_at_the_time_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_requests_can_be_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_while_answers_arrive_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_service_that_goes_away_ends_a_wait_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_ends_the_wait_and_not_the_call, set_up, tear_down),
        cmocka_unit_test(where_nothing_listens_is_said_with_the_way_out),
        cmocka_unit_test(the_url_is_the_flags_then_the_environments_then_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
