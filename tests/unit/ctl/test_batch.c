/* Batches: pieces, lines that are wrong, and what the service has to say. */
#include "batch.h"
#include "helpers.h"
#include "lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* ---- lines ---- */

static struct lines lines_of(const char *text, size_t length) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, length), length);
    close(ends[1]);
    return (struct lines){.fd = ends[0]};
}

static void assert_line(struct lines *lines, uint64_t number, const char *expected) {
    const char *text;
    size_t length;
    assert_int_equal(lines_next(lines, -1, &text, &length), LINES_LINE);
    assert_int_equal(lines->number, number);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void the_last_line_needs_no_newline_and_empty_ones_count(void **state) {
    (void)state;
    const char *text;
    size_t length;
    struct lines lines = lines_of("one\n\nthree", 10);
    assert_line(&lines, 1, "one");
    assert_line(&lines, 2, "");
    assert_line(&lines, 3, "three");
    assert_int_equal(lines_next(&lines, -1, &text, &length), LINES_END);
    assert_int_equal(lines_next(&lines, -1, &text, &length), LINES_END);
    close(lines.fd);
    lines_fini(&lines);
}

static void a_pipe_that_pauses_is_idle_and_goes_on(void **state) {
    (void)state;
    int ends[2];
    const char *text;
    size_t length;
    assert_int_equal(pipe(ends), 0);
    struct lines lines = {.fd = ends[0]};
    assert_int_equal(write(ends[1], "half", 4), 4);
    assert_int_equal(lines_next(&lines, 1, &text, &length), LINES_IDLE);
    assert_int_equal(write(ends[1], " and half\n", 10), 10);
    assert_line(&lines, 1, "half and half");
    close(ends[1]);
    assert_int_equal(lines_next(&lines, 1, &text, &length), LINES_END);
    close(ends[0]);
    lines_fini(&lines);
}

static void a_line_may_be_long_but_not_endless(void **state) {
    (void)state;
    int zeros = open("/dev/zero", O_RDONLY);
    const char *text;
    size_t length;
    struct lines lines = {.fd = zeros};
    assert_int_equal(lines_next(&lines, -1, &text, &length), LINES_TOO_LONG);
    lines_fini(&lines);
    close(zeros);
}

/* ---- batches ---- */

/* Takes what is submitted, up to a limit; remembers the sizes of the pieces. */
struct counting {
    uint64_t next, limit;
    size_t pieces, largest;
};

static bool answer(const wire_request *request, wire_reply *reply, void *arg) {
    struct counting *counting = arg;
    size_t count = request->u.submit.count;
    if (counting->next - 1 + count > counting->limit) {
        *reply = (wire_reply){.code = WIRE_FULL, .error = "queue_max: there are as many as may be"};
        return true;
    }
    reply->u.submit.first_id = counting->next;
    reply->u.submit.count = (uint32_t)count;
    counting->next += count;
    counting->pieces++;
    counting->largest = count > counting->largest ? count : counting->largest;
    return true;
}

struct setup {
    struct counting counting;
    struct fake_service *service;
    struct cli cli;
    struct batch batch;
    int saved_stderr;
    FILE *said;
};

static int set_up(void **state) {
    struct setup *setup = calloc(1, sizeof *setup);
    setup->counting = (struct counting){.next = 1, .limit = UINT64_MAX - 1};
    setup->service = fake_service_start(answer, &setup->counting);
    setup->cli.url = fake_service_url(setup->service);
    setup->cli.reading.memory = &setup->cli.memory;
    setup->batch = (struct batch){.cli = &setup->cli, .source = {.directory = "/", .stdin_taken = true}};
    setup->said = tmpfile();
    setup->saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(setup->said), STDERR_FILENO);
    *state = setup;
    return cli_connect(&setup->cli);
}

static int tear_down(void **state) {
    struct setup *setup = *state;
    dup2(setup->saved_stderr, STDERR_FILENO);
    close(setup->saved_stderr);
    fclose(setup->said);
    batch_fini(&setup->batch);
    client_close(setup->cli.client);
    fake_service_stop(setup->service);
    scratch_fini(&setup->cli.memory);
    free(setup);
    return 0;
}

static bool add(struct setup *setup, uint64_t number, const char *line) {
    return batch_add(&setup->batch, number, line, strlen(line));
}

/* Was this said on stderr? */
static bool said(struct setup *setup, const char *words) {
    char text[4096];
    fflush(stderr);
    ssize_t got = pread(fileno(setup->said), text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return strstr(text, words) != NULL;
}

#define SLEEP "{\"kind\":\"sleep\",\"duration\":\"1h\"}"

static void many_jobs_go_in_few_requests_and_have_one_range_of_ids(void **state) {
    struct setup *setup = *state;
    for (uint64_t i = 1; i <= 25000; i++)
        assert_true(add(setup, i, SLEEP));
    assert_true(batch_finish(&setup->batch));
    assert_int_equal(setup->counting.pieces, 3);
    assert_int_equal(setup->counting.largest, BATCH_PIECE_JOBS);
    assert_int_equal(setup->batch.submitted, 25000);
    assert_int_equal(setup->batch.range_count, 1);
    assert_int_equal(setup->batch.ranges[0].last, 25000);
}

static void large_jobs_make_more_pieces_and_none_is_lost(void **state) {
    struct setup *setup = *state;
    char *line = malloc(120000);
    int length = sprintf(line, "{\"kind\":\"exec\",\"argv\":[\"echo\",\"");
    memset(line + length, 'x', 100000);
    strcpy(line + length + 100000, "\"]}");
    for (uint64_t i = 1; i <= 35; i++)
        assert_true(add(setup, i, line));
    free(line);
    assert_true(batch_finish(&setup->batch));
    assert_int_equal(setup->batch.submitted, 35);
    assert_int_equal(setup->counting.largest, 10);
    assert_int_equal(setup->counting.pieces, 4);
}

static void a_bad_line_stops_it_and_its_piece_is_not_submitted(void **state) {
    struct setup *setup = *state;
    assert_true(add(setup, 1, SLEEP));
    assert_false(add(setup, 2, "{\"kind\":\"sleep\",\"duration\":\"3x\"}"));
    assert_false(batch_finish(&setup->batch));
    assert_int_equal(setup->batch.status, EXIT_USAGE);
    assert_int_equal(setup->counting.pieces, 0);
    assert_true(said(setup, "line 2: duration: \"3x\" is not a duration (try 3s, 250ms)"));
}

static void what_only_the_services_rules_refuse_is_found_by_its_line(void **state) {
    struct setup *setup = *state;
    assert_true(add(setup, 5, SLEEP));
    assert_true(add(setup, 6, "{\"kind\":\"sleep\",\"duration\":\"1h\",\"name\":\"a\\nb\"}"));
    assert_false(batch_finish(&setup->batch));
    assert_int_equal(setup->batch.status, EXIT_USAGE);
    assert_int_equal(setup->batch.submitted, 0);
    assert_true(said(setup, "line 6: name: "));
}

static void keep_going_leaves_out_what_is_wrong(void **state) {
    struct setup *setup = *state;
    setup->batch.keep_going = true;
    assert_true(add(setup, 1, SLEEP));
    assert_true(add(setup, 2, "no json"));
    assert_true(add(setup, 3, "{\"kind\":\"sleep\",\"duration\":\"1h\",\"name\":\"a\\nb\"}"));
    assert_true(add(setup, 4, SLEEP));
    assert_true(batch_finish(&setup->batch));
    assert_int_equal(setup->batch.submitted, 2);
    assert_int_equal(setup->batch.skipped, 2);
    assert_true(said(setup, "line 2 is no JSON"));
    assert_true(said(setup, "line 3: name: "));
}

static void a_limit_of_the_service_stops_it_with_its_code_and_the_lines(void **state) {
    struct setup *setup = *state;
    setup->counting.limit = 10000;
    bool fine = true;
    for (uint64_t i = 1; i <= 30000 && fine; i++)
        fine = add(setup, i, SLEEP);
    assert_false(batch_finish(&setup->batch));
    assert_int_equal(setup->batch.status, EXIT_FULL);
    assert_int_equal(setup->batch.submitted, 10000);
    assert_true(said(setup, "lines 10001-20000: queue_max: there are as many as may be"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_line_needs_no_newline_and_empty_ones_count),
        cmocka_unit_test(a_pipe_that_pauses_is_idle_and_goes_on),
        cmocka_unit_test(a_line_may_be_long_but_not_endless),
        cmocka_unit_test_setup_teardown(many_jobs_go_in_few_requests_and_have_one_range_of_ids, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(large_jobs_make_more_pieces_and_none_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_line_stops_it_and_its_piece_is_not_submitted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_only_the_services_rules_refuse_is_found_by_its_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keep_going_leaves_out_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limit_of_the_service_stops_it_with_its_code_and_the_lines, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
