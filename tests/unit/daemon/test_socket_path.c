/* The socket's place: one service at a time, and nothing else is harmed. */
#include "helpers.h"

#include "socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[96], error[512];

static int make(void **state) {
    (void)state;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/h.sock", folder);
    return 0;
}

static int discard(void **state) {
    (void)state;
    folder_remove(folder);
    return 0;
}

static void only_local_sockets_are_listened_on(void **state) {
    (void)state;
    static const char *const wrong[] = {"tcp://127.0.0.1:1", "ipc://relative", "", "/run/x",
                                        "ipc:///",           "inproc://x"};
    char longest[300] = "ipc:///";
    assert_string_equal(socket_path("ipc:///run/h.sock", error, sizeof error), "/run/h.sock");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(socket_path(wrong[i], error, sizeof error));
        assert_non_null(strstr(error, "listen: "));
    }
    memset(longest + 7, 'x', 200);
    assert_null(socket_path(longest, error, sizeof error));
}

static void a_second_lock_is_refused_and_names_the_process(void **state) {
    (void)state;
    struct socket_lock one, two;
    char pid[16];
    assert_true(socket_lock(&one, path, error, sizeof error));
    assert_false(socket_lock(&two, path, error, sizeof error));
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_non_null(strstr(error, pid));
    assert_non_null(strstr(error, path));
    socket_unlock(&one);
    assert_true(socket_lock(&two, path, error, sizeof error));
    socket_unlock(&two);
    assert_int_equal(access(one.path, F_OK), -1); /* nothing is left behind */
}

static void the_lock_of_a_process_that_was_killed_is_taken_over(void **state) {
    (void)state;
    struct socket_lock lock;
    pid_t child = fork();
    if (child == 0) {
        struct socket_lock its;
        _exit(socket_lock(&its, path, error, sizeof error) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(socket_lock(&lock, path, error, sizeof error));
    socket_unlock(&lock);
}

static void a_file_that_is_no_socket_is_left_alone(void **state) {
    (void)state;
    struct socket_lock lock;
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_false(socket_lock(&lock, path, error, sizeof error));
    assert_non_null(strstr(error, "not a socket"));
    assert_int_equal(access(path, F_OK), 0);
}

static void a_folder_that_is_not_there_is_named(void **state) {
    (void)state;
    struct socket_lock lock;
    assert_false(socket_lock(&lock, "/no/such/folder/h.sock", error, sizeof error));
    assert_non_null(strstr(error, "/no/such/folder"));
}

int main(void) {
#define PATH_TEST(test) cmocka_unit_test_setup_teardown(test, make, discard)
    const struct CMUnitTest tests[] = {
        PATH_TEST(only_local_sockets_are_listened_on),
        PATH_TEST(a_second_lock_is_refused_and_names_the_process),
        PATH_TEST(the_lock_of_a_process_that_was_killed_is_taken_over),
        PATH_TEST(a_file_that_is_no_socket_is_left_alone),
        PATH_TEST(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
