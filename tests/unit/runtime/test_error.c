#include "inside.h"

#include "base.h"

#include <signal.h>
#include <sys/wait.h>

static void each_code_has_its_own_text(void **state) {
    (void)state;
    static const int64_t codes[] = {
#define CODE(name, number, text) name,
        HD_ERRORS(CODE)
#undef CODE
    };
    static const char *const texts[] = {
#define TEXT(name, number, text) text,
        HD_ERRORS(TEXT)
#undef TEXT
    };
    enum { COUNT = sizeof codes / sizeof *codes };
    for (int i = 0; i < COUNT; i++) {
        assert_true(codes[i] < 0);
        assert_string_equal(hd_strerror(codes[i]), texts[i]);
        for (int j = 0; j < i; j++)
            assert_true(codes[i] != codes[j] && strcmp(texts[i], texts[j]) != 0);
    }
}

static void other_codes_are_the_systems_or_the_programs(void **state) {
    (void)state;
    assert_string_equal(hd_strerror(-ENOENT), strerror(ENOENT));
    assert_string_equal(hd_strerror(0), "no error");
    assert_string_equal(hd_strerror(7), "no error");
    assert_string_equal(hd_strerror(-5000), "an error code of the program's own");
    assert_string_equal(hd_strerror(INT64_MIN), "an error code of the program's own");
}

/* Gives the process's end, and what it said last. */
static int die_of_a_bug(char *said, size_t bytes) {
    int fds[2], status;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        hd_assert(fds[0] < 0);
        _exit(0);
    }
    close(fds[1]);
    ssize_t length = read(fds[0], said, bytes - 1);
    said[length > 0 ? length : 0] = 0;
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void an_assertion_that_does_not_hold_says_where_and_ends_the_process(void **state) {
    (void)state;
    char said[200];
    assert_int_equal(die_of_a_bug(said, sizeof said), SIGABRT);
    assert_non_null(strstr(said, "heddle: bug: fds[0] < 0 does not hold"));
    assert_non_null(strstr(said, "test_error.c:"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_own_text),
        cmocka_unit_test(other_codes_are_the_systems_or_the_programs),
        cmocka_unit_test(an_assertion_that_does_not_hold_says_where_and_ends_the_process),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
