/* What is not valid is refused, and the message says what, where, and what would be right. */
#include "helpers.h"

/* A submission of one sleep job, to be spoilt. */
static struct {
    wire_request request;
    wire_job job;
} one;

static wire_job *fresh_job(wire_kind kind) {
    static const char *argv[] = {"true"};
    memset(&one, 0, sizeof one);
    one.job.kind = kind;
    if (kind == WIRE_EXEC)
        one.job.u.exec.argv = (wire_strings){argv, 1};
    if (kind == WIRE_HTTP)
        one.job.u.http.url = "http://localhost";
    if (kind == WIRE_HASH)
        one.job.u.hash.paths = (wire_strings){argv, 1};
    if (kind == WIRE_LUA)
        one.job.u.lua.program = "x.lua";
    one.request = (wire_request){.verb = WIRE_SUBMIT, .u.submit = {.jobs = &one.job, .count = 1}};
    return &one.job;
}

static void job_is_refused(const char *message) {
    test_refused(&one.request, WIRE_INVALID, message);
}

static char *repeat(char c, size_t count) {
    char *text = test_scratch(count + 1);
    memset(text, c, count);
    return text;
}

static wire_strings strings_of(const char *text) {
    wire_strings strings = {test_scratch(sizeof *strings.items), 1};
    strings.items[0] = text;
    return strings;
}

static void a_name_is_short_text_without_control_characters(void **state) {
    (void)state;
    fresh_job(WIRE_SLEEP)->name = repeat('n', 129);
    job_is_refused(
        "job: name: \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...\" has 129 "
        "bytes (at most 128)");
    fresh_job(WIRE_SLEEP)->name = "a\xFF\"";
    job_is_refused("job: name: \"a\\xff\\\"\" is not UTF-8 text");
    fresh_job(WIRE_SLEEP)->name = "two\nlines";
    job_is_refused("job: name: \"two\\x0alines\" holds a control character");
    fresh_job(WIRE_SLEEP)->group = "\x7F";
    job_is_refused("job: group: \"\\x7f\" holds a control character");
}

static void utf8_is_what_rfc_3629_says(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "ü",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "12345678ü",
                                       "1234567ü"};
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC3",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xE2\x82",
                                      "\xE2\x28\xA1",
                                      "12345678\xFF",
                                      "1234567\xC3"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(wire_text_problem(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(wire_text_problem(bad[i], strlen(bad[i])), "is not UTF-8 text");
    for (size_t at = 0; at < 20; at++) {
        char text[20];
        memset(text, 'a', sizeof text);
        text[at] = '\0';
        assert_string_equal(wire_text_problem(text, sizeof text), "holds a NUL byte");
    }
}

/* Bytes by hand: no C string can hold a NUL. */
static void raw_job_is_refused(const void *job, size_t length, wire_code code, const char *message) {
    uint8_t bytes[256];
    length = test_submission(job, length, bytes);
    wire_code got;
    char error[256];
    wire_request *request = test_decode_request(bytes, length, &got, error);
    wire_request_free(request);
    assert_null(request);
    assert_string_equal(error, message);
    assert_int_equal(got, code);
}

#define RAW_JOB(job, code, message) raw_job_is_refused(job, sizeof(job) - 1, code, message)

static void a_nul_is_refused_wherever_a_string_ends_at_one(void **state) {
    (void)state;
    RAW_JOB("\x0A\x03"
            "a\0b",
            WIRE_INVALID, "job: name: \"a\\x00b\" holds a NUL byte");
    RAW_JOB("\x0A\x02"
            "\0b",
            WIRE_INVALID, "job: name: \"\\x00b\" holds a NUL byte");
    RAW_JOB("\x5A\x02"
            "a\0",
            WIRE_INVALID, "job: label: \"a\\x00\" holds a NUL byte");
    RAW_JOB("\x62\x05"
            "A=b\0c",
            WIRE_INVALID, "job: env: \"A=b\\x00c\" holds a NUL byte");
    RAW_JOB("\x6A\x02"
            "/\0",
            WIRE_INVALID, "job: cwd: \"/\\x00\" holds a NUL byte");
    RAW_JOB("\xB2\x01\x08"
            "\x0A\x01"
            "a"
            "\x0A\x03"
            "b\0c",
            WIRE_INVALID, "job: argv 2: \"b\\x00c\" holds a NUL byte");
}

static void words_are_known_ones(void **state) {
    (void)state;
    fresh_job(WIRE_SLEEP)->loop = 7;
    job_is_refused("job: loop: 7 is not known (multi, single)");
    fresh_job(WIRE_SLEEP)->loop = (wire_loop)-1;
    job_is_refused("job: loop: -1 is not known (multi, single)");
    wire_after after = {.id = 3, .condition = 4};
    fresh_job(WIRE_SLEEP)->after = &after;
    one.job.after_count = 1;
    job_is_refused("job: after: condition: 4 is not known (ok, any, fail)");
    test_refused(&(wire_request){.verb = WIRE_LIST, .u.list.select.kind = 99}, WIRE_INVALID,
                 "select: kind: 99 is not known (sleep, exec, http, hash, cpu, lua)");
    test_refused(&(wire_request){.verb = WIRE_LIST, .u.list.select.states = 1}, WIRE_INVALID,
                 "select: states: 0x1 has bits of no state (0x7fe are)");
    test_refused(&(wire_request){.verb = WIRE_LIST, .u.list.select.states = 1u << WIRE_STATES}, WIRE_INVALID,
                 "select: states: 0x800 has bits of no state (0x7fe are)");
}

static void a_job_has_a_kind(void **state) {
    (void)state;
    fresh_job(0);
    job_is_refused("job: kind: is missing (one of sleep, exec, http, hash, cpu, lua)");
    fresh_job(WIRE_KINDS);
    job_is_refused("job: kind: is missing (one of sleep, exec, http, hash, cpu, lua)");
}

static void no_duration_is_longer_than_a_hundred_years(void **state) {
    (void)state;
#define TOO_LONG "3155760001 seconds is too long (at most 3155760000, which is 100 years)"
    const uint64_t too_long = WIRE_DURATION_MAX_NS + 1000000000;
    fresh_job(WIRE_SLEEP)->timeout_ns = too_long;
    job_is_refused("job: timeout: " TOO_LONG);
    fresh_job(WIRE_SLEEP)->delay_ns = too_long;
    job_is_refused("job: delay: " TOO_LONG);
    fresh_job(WIRE_SLEEP)->backoff_ns = too_long;
    job_is_refused("job: backoff: " TOO_LONG);
    fresh_job(WIRE_SLEEP)->grace_ns = too_long;
    job_is_refused("job: grace: " TOO_LONG);
    fresh_job(WIRE_SLEEP)->u.sleep.duration_ns = too_long;
    job_is_refused("job: duration: " TOO_LONG);
    test_refused(&(wire_request){.verb = WIRE_WAIT, .u.wait.timeout_ns = too_long}, WIRE_INVALID,
                 "timeout: " TOO_LONG);
    test_refused(&(wire_request){.verb = WIRE_CANCEL, .u.cancel.grace_ns = too_long}, WIRE_INVALID,
                 "grace: " TOO_LONG);
    test_refused(&(wire_request){.verb = WIRE_DRAIN, .u.drain.timeout_ns = too_long}, WIRE_INVALID,
                 "timeout: " TOO_LONG);
    fresh_job(WIRE_SLEEP)->timeout_ns = UINT64_MAX;
    job_is_refused("job: timeout: 18446744073 seconds is too long (at most 3155760000, which is 100 years)");
}

static void numbers_are_within_their_limits(void **state) {
    (void)state;
    fresh_job(WIRE_SLEEP)->retries = WIRE_RETRIES_MAX + 1;
    job_is_refused("job: retries: 1000001 is too large (at most 1000000)");
    fresh_job(WIRE_CPU)->u.cpu.units = UINT64_MAX;
    job_is_refused("job: units: 18446744073709551615 is too large (at most 3155760000000)");
    fresh_job(WIRE_HTTP)->u.http.expect = 600;
    job_is_refused("job: expect: 600 is too large (at most 599)");
    fresh_job(WIRE_HTTP)->u.http.expect = 99;
    job_is_refused("job: expect: 99 is no HTTP status (100 to 599)");
    fresh_job(WIRE_HTTP)->u.http.redirects = 1001;
    job_is_refused("job: redirects: 1001 is too large (at most 1000)");
    wire_after after = {.condition = WIRE_AFTER_OK};
    fresh_job(WIRE_SLEEP)->after = &after;
    one.job.after_count = 1;
    job_is_refused("job: after: id: 0 is too small (at least 1)");
    test_refused(&(wire_request){.verb = WIRE_SHOW}, WIRE_INVALID, "id: 0 is too small (at least 1)");
    test_refused(&(wire_request){.verb = WIRE_LOGS}, WIRE_INVALID, "id: 0 is too small (at least 1)");
}

static void ranges_run_forwards(void **state) {
    (void)state;
    wire_range ranges[] = {{1, 1}, {9, 3}};
    test_refused(
        &(wire_request){.verb = WIRE_CANCEL, .u.cancel.select = {.ranges = ranges, .range_count = 2}},
        WIRE_INVALID, "select: range 2: 9-3 runs backwards (first to last)");
    test_refused(
        &(wire_request){.verb = WIRE_EVENTS, .u.events.select = {.ranges = ranges + 1, .range_count = 1}},
        WIRE_INVALID, "select: range: 9-3 runs backwards (first to last)");
}

static void labels_variables_headers_and_methods_have_their_form(void **state) {
    (void)state;
    static const char *const labels[] = {"", "=v", "a\tb"}, *const variables[] = {"", "=v", "KEY"},
                             *const headers[] = {"", ": v", "Name", "A: b\r\nC: d", "A: b\nC"};
    char message[256];
    for (size_t i = 0; i < 3; i++) {
        char quoted[WIRE_QUOTE_BYTES];
        fresh_job(WIRE_SLEEP)->labels = strings_of(labels[i]);
        sprintf(message, "job: label: %s is no label (\"key=value\" or \"key\", without control characters)",
                wire_quote(quoted, labels[i], strlen(labels[i])));
        job_is_refused(message);
        fresh_job(WIRE_SLEEP)->env = strings_of(variables[i]);
        sprintf(message, "job: env: \"%s\" is no variable (\"KEY=value\")", variables[i]);
        job_is_refused(message);
    }
    for (size_t i = 0; i < 5; i++) {
        char quoted[WIRE_QUOTE_BYTES];
        fresh_job(WIRE_HTTP)->u.http.headers = strings_of(headers[i]);
        sprintf(message, "job: header: %s is no header (\"Name: value\", without line breaks)",
                wire_quote(quoted, headers[i], strlen(headers[i])));
        job_is_refused(message);
    }
    fresh_job(WIRE_HTTP)->u.http.method = "GET /";
    job_is_refused("job: method: \"GET /\" is no method (letters: GET, PUT)");
    fresh_job(WIRE_SLEEP)->labels = strings_of(repeat('l', 129));
    job_is_refused(
        "job: label: \"lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll...\" has 129 "
        "bytes (at most 128)");
    test_refused(&(wire_request){.verb = WIRE_LIST, .u.list.select.label = "=x"}, WIRE_INVALID,
                 "select: label: \"=x\" is no label (\"key=value\" or \"key\", without control characters)");
}

static void a_kind_has_what_it_needs(void **state) {
    (void)state;
    fresh_job(WIRE_EXEC)->u.exec.argv.count = 0;
    job_is_refused("job: argv: is missing (at least 1)");
    fresh_job(WIRE_EXEC)->u.exec.argv = strings_of("");
    job_is_refused("job: argv 1: is empty (a program is needed)");
    fresh_job(WIRE_EXEC)->u.exec.argv = strings_of(repeat('a', WIRE_STRING_MAX + 1));
    job_is_refused(
        "job: argv: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" has 131073 "
        "bytes (at most 131072)");
    fresh_job(WIRE_HTTP)->u.http.url = "";
    job_is_refused("job: url: is missing");
    fresh_job(WIRE_HASH)->u.hash.paths.count = 0;
    job_is_refused("job: path: is missing (at least 1)");
    fresh_job(WIRE_HASH)->u.hash.paths = strings_of("");
    job_is_refused("job: path: \"\" is empty");
}

static void a_script_has_a_name_and_code_that_fits_a_message(void **state) {
    (void)state;
    static uint8_t code[WIRE_SCRIPT_MAX];
    wire_script_file files[] = {{"a.lua", {code, 100}}, {"b.lua", {code, 200}}};
    fresh_job(WIRE_LUA)->u.lua.program = "";
    job_is_refused("job: program: is missing");
    wire_job *job = fresh_job(WIRE_LUA);
    job->u.lua.code = (wire_bytes){code, WIRE_SCRIPT_MAX - 299};
    job->u.lua.files = files;
    job->u.lua.file_count = 2;
    job_is_refused("job: code: the program and its files (2) have 1048577 bytes in all (at most 1048576)");
    files[1].name = "";
    job_is_refused("job: file 2: name: is missing");
    job = fresh_job(WIRE_LUA);
    job->u.lua.file_count = WIRE_SCRIPT_FILES_MAX + 1;
    job->u.lua.files = test_scratch(job->u.lua.file_count * sizeof *files);
    for (size_t i = 0; i < job->u.lua.file_count; i++)
        job->u.lua.files[i].name = "x.lua";
    job_is_refused("job: file: there are 1025 (at most 1024)");
    fresh_job(WIRE_LUA)->u.lua.cpu_ns = WIRE_DURATION_MAX_NS + 1;
    job_is_refused("job: cpu: 3155760000 seconds is too long (at most 3155760000, which is 100 years)");
}

static void a_line_for_a_shell_is_no_longer_than_a_script(void **state) {
    (void)state;
    static uint8_t code[WIRE_SCRIPT_MAX + 1];
    wire_request request = {.verb = WIRE_INPUT, .u.input = {.code = {code, 1}}};
    test_refused(&request, WIRE_INVALID, "id: 0 is too small (at least 1)");
    request.u.input.id = 1;
    request.u.input.act = WIRE_ACTS;
    test_refused(&request, WIRE_INVALID, "act: 5 is not known (line, names, interrupt, end)");
    request.u.input.act = 0;
    request.u.input.code.length = sizeof code;
    test_refused(&request, WIRE_INVALID, "code: has 1048577 bytes (at most 1048576)");
}

static void a_submission_has_jobs_but_not_too_many_and_follows_only_one(void **state) {
    (void)state;
    test_refused(&(wire_request){.verb = WIRE_SUBMIT}, WIRE_INVALID, "job: is missing (at least 1)");
    wire_job *jobs = test_scratch((WIRE_LIST_MAX + 1) * sizeof *jobs);
    for (size_t i = 0; i <= WIRE_LIST_MAX; i++)
        jobs[i] = (wire_job){.kind = WIRE_SLEEP, .name = "twelve bytes"};
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = jobs, .count = WIRE_LIST_MAX + 1}};
    test_refused(&request, WIRE_INVALID, "job: there are 65537 (at most 65536)");
    request.u.submit.count = 2;
    request.u.submit.follow = true;
    test_refused(&request, WIRE_INVALID, "follow: 2 jobs cannot be followed at once (submit one)");
    request.u.submit.count = 3;
    jobs[2].timeout_ns = UINT64_MAX;
    test_refused(&request, WIRE_INVALID,
                 "job 3: timeout: 18446744073 seconds is too long (at most 3155760000, which is 100 years)");
}

/* ---- by hand: what this encoder does not make ------------------------------------------------------------------ */

static void bytes_are_refused(const void *bytes, size_t length, wire_code code, const char *message) {
    wire_code got;
    char error[256];
    wire_request *request = test_decode_request(bytes, length, &got, error);
    wire_request_free(request);
    assert_null(request);
    assert_string_equal(error, message);
    assert_int_equal(got, code);
}

#define BYTES(bytes, code, message) bytes_are_refused(bytes, sizeof(bytes) - 1, code, message)
#define SPOKEN                      "ping, submit, wait, events, list, show, logs, cancel, tasks, stats, drain, input"

static void a_key_has_exactly_sixteen_bytes(void **state) {
    (void)state;
    BYTES("\x08\x01\x62\x02\x12\x00", WIRE_INVALID, "key: has 0 bytes (exactly 16)");
    BYTES("\x08\x01\x62\x03\x0A\x01k", WIRE_INVALID, "key: has 1 bytes (exactly 16)");
    BYTES("\x08\x01\x62\x13\x0A\x11"
          "0123456789abcdefg",
          WIRE_INVALID, "key: has 17 bytes (exactly 16)");
}

static void another_version_is_refused_by_name(void **state) {
    (void)state;
    BYTES("\x08\x02\x5A\x00", WIRE_UNSUPPORTED,
          "version 2 is not known here (this service speaks version 1)");
    BYTES("\x5A\x00", WIRE_UNSUPPORTED, "version 0 is not known here (this service speaks version 1)");
    BYTES("", WIRE_UNSUPPORTED, "version 0 is not known here (this service speaks version 1)");
}

static void an_unknown_request_is_refused_by_name(void **state) {
    (void)state;
    BYTES("\x08\x01", WIRE_UNSUPPORTED,
          "a request for nothing is not known here (this service speaks version 1: " SPOKEN ")");
    BYTES("\x08\x01\xBA\x01\x00", WIRE_UNSUPPORTED,
          "a request in field 23 is not known here (this service speaks version 1: " SPOKEN ")");
}

static void a_field_that_the_service_does_not_know_is_refused_not_left_out(void **state) {
    (void)state;
    BYTES("\x08\x01\x5A\x02\x08\x01", WIRE_UNSUPPORTED,
          "field 1 of PingRequest is not known here (this service speaks version 1)");
    RAW_JOB("\xAA\x01\x00\x98\x06\x01", WIRE_UNSUPPORTED,
            "job: field 99 of Job is not known here (this service speaks version 1)");
    RAW_JOB("\xDA\x01\x00", WIRE_UNSUPPORTED,
            "job: field 27 of Job is not known here (this service speaks version 1)");
}

static void what_is_no_message_is_refused(void **state) {
    (void)state;
    BYTES("\x08", WIRE_INVALID, "the message's 1 bytes are no heddle.v1.Request");
    BYTES("GET / HTTP/1.1\r\n\r\n", WIRE_INVALID, "the message's 18 bytes are no heddle.v1.Request");
    BYTES("\x08\x01\x5A\x00\x63\x64", WIRE_INVALID, "the message's 6 bytes are no heddle.v1.Request");
    BYTES("\x0A\x01"
          "1\x5A\x00",
          WIRE_INVALID, "the message's 5 bytes are no heddle.v1.Request");
}

static void a_message_larger_than_the_transport_takes_is_refused(void **state) {
    (void)state;
    uint8_t *bytes = test_scratch(WIRE_MESSAGE_MAX + 1);
    bytes_are_refused(bytes, WIRE_MESSAGE_MAX + 1, WIRE_INVALID,
                      "the message has 4194305 bytes (at most 4194304)");
}

static void an_error_message_fits_its_room_and_is_cut_between_characters(void **state) {
    (void)state;
    fresh_job(WIRE_SLEEP)->name = "üüüüüüüüüü\n";
    size_t length;
    uint8_t *bytes = wire_request_encode(&one.request, &length);
    for (size_t room = 0; room < 60; room++) {
        wire_code code = WIRE_OK;
        char *error = malloc(room + 1);
        error[room] = 'X';
        assert_null(wire_request_decode(bytes, length, &code, error, room));
        assert_int_equal(code, WIRE_INVALID);
        assert_int_equal(error[room], 'X');
        if (room > 0) {
            assert_true(strlen(error) < room);
            assert_null(wire_text_problem(error, strlen(error)));
        }
        free(error);
    }
    free(bytes);
}

/* ---- replies --------------------------------------------------------------------------------------------------- */

static void reply_is_refused(const void *bytes, size_t length, const char *message) {
    char error[256];
    wire_reply *reply = test_decode_reply(bytes, length, error);
    wire_reply_free(reply);
    assert_null(reply);
    assert_string_equal(error, message);
}

#define REPLY(bytes, message) reply_is_refused(bytes, sizeof(bytes) - 1, message)

static void a_reply_of_another_version_is_refused_unless_it_is_an_error(void **state) {
    (void)state;
    REPLY("\x08\x07\x5A\x00", "the service speaks version 7 (this is version 1)");
    char error[256];
    wire_reply *reply =
        test_decode_reply((const uint8_t *)"\x08\x07\x10\x02\x1A\x03new\xFA\x01\x00", 12, error);
    assert_non_null(reply);
    assert_int_equal(reply->version, 7);
    assert_int_equal(reply->code, WIRE_UNSUPPORTED);
    assert_string_equal(reply->error, "new");
    wire_reply_free(reply);
}

static void a_code_that_is_not_known_is_some_error(void **state) {
    (void)state;
    char error[256];
    wire_reply *reply = test_decode_reply((const uint8_t *)"\x08\x01\x10\x63\x1A\x03new", 9, error);
    assert_non_null(reply);
    assert_int_equal(reply->code, WIRE_INTERNAL);
    assert_string_equal(reply->error, "new");
    wire_reply_free(reply);
}

static void a_reply_without_content_or_with_unknown_words_is_refused(void **state) {
    (void)state;
    REPLY("\x08\x01", "body: is missing (one of " SPOKEN ")");
    REPLY(
        "\x08\x01\x6A\x02\x2A\x00",
        "outcome: state: is missing (one of scheduled, blocked, queued, running, retrying, succeeded, failed, "
        "cancelled, timed-out, lost)");
    REPLY(
        "\x08\x01\x6A\x04\x2A\x02\x10\x0B",
        "outcome: state: 11 is not known (scheduled, blocked, queued, running, retrying, succeeded, failed, "
        "cancelled, timed-out, lost)");
    REPLY("\x08\x01\x82\x01\x00", "outcome: is missing");
    REPLY("\x08\x01\x5A\x04\x0A\x02"
          "a\xFF",
          "release: \"a\\xff\" is not UTF-8 text");
}

static void an_unknown_field_of_a_reply_is_ignored(void **state) {
    (void)state;
    char error[256];
    wire_reply *reply = test_decode_reply((const uint8_t *)"\x08\x01\x5A\x05\x0A\x01"
                                                           "1\x78\x01",
                                          9, error);
    assert_non_null(reply);
    assert_string_equal(reply->u.ping.release, "1");
    wire_reply_free(reply);
}

#define TEST(name) cmocka_unit_test_teardown(name, test_scratch_free)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_short_text_without_control_characters),
        TEST(utf8_is_what_rfc_3629_says),
        TEST(a_nul_is_refused_wherever_a_string_ends_at_one),
        TEST(words_are_known_ones),
        TEST(a_job_has_a_kind),
        TEST(no_duration_is_longer_than_a_hundred_years),
        TEST(numbers_are_within_their_limits),
        TEST(ranges_run_forwards),
        TEST(labels_variables_headers_and_methods_have_their_form),
        TEST(a_kind_has_what_it_needs),
        TEST(a_script_has_a_name_and_code_that_fits_a_message),
        TEST(a_line_for_a_shell_is_no_longer_than_a_script),
        TEST(a_submission_has_jobs_but_not_too_many_and_follows_only_one),
        TEST(a_key_has_exactly_sixteen_bytes),
        TEST(another_version_is_refused_by_name),
        TEST(an_unknown_request_is_refused_by_name),
        TEST(a_field_that_the_service_does_not_know_is_refused_not_left_out),
        TEST(what_is_no_message_is_refused),
        TEST(a_message_larger_than_the_transport_takes_is_refused),
        TEST(an_error_message_fits_its_room_and_is_cut_between_characters),
        TEST(a_reply_of_another_version_is_refused_unless_it_is_an_error),
        TEST(a_code_that_is_not_known_is_some_error),
        TEST(a_reply_without_content_or_with_unknown_words_is_refused),
        TEST(an_unknown_field_of_a_reply_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
