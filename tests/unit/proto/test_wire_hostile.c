/* Bytes from anyone: cut, scrambled, random, swollen; and a system without memory. Each decoding ends in a message or
 * a refusal, within its memory. */
#include <time.h>
#include "helpers.h"

static void try_request(const uint8_t *data, size_t length) {
    wire_code code;
    char error[256];
    wire_request_free(test_decode_request(data, length, &code, error));
}

static void try_reply(const uint8_t *data, size_t length) {
    char error[256];
    wire_reply_free(test_decode_reply(data, length, error));
}

static void a_message_cut_anywhere_is_valid_or_refused(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (wire_verb verb = WIRE_PING; verb < WIRE_VERBS; verb++) {
        size_t request_length, reply_length;
        uint8_t *request = wire_request_encode(test_request(verb, &seed), &request_length);
        uint8_t *reply = wire_reply_encode(test_reply(verb, &seed), &reply_length);
        for (size_t length = 0; length < request_length; length++)
            try_request(request, length);
        for (size_t length = 0; length < reply_length; length++)
            try_reply(reply, length);
        free(request);
        free(reply);
    }
}

static void a_scrambled_message_is_valid_or_refused(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 20000; round++) {
        size_t length;
        wire_verb verb = WIRE_PING + round % (WIRE_VERBS - 1);
        bool is_request = test_random(&seed) % 2;
        uint8_t *bytes = is_request ? wire_request_encode(test_request(verb, &seed), &length)
                                    : wire_reply_encode(test_reply(verb, &seed), &length);
        for (uint64_t changes = 1 + test_random(&seed) % 4; changes > 0; changes--)
            bytes[test_random(&seed) % length] = (uint8_t)test_random(&seed);
        if (is_request)
            try_request(bytes, length);
        else
            try_reply(bytes, length);
        free(bytes);
        test_scratch_free(NULL);
    }
}

static void random_bytes_are_valid_or_refused(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    uint8_t bytes[512];
    for (int round = 0; round < 50000; round++) {
        size_t length = test_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)test_random(&seed);
        try_request(bytes, length);
        try_reply(bytes, length);
    }
}

/* ---- amplification --------------------------------------------------------------------------------------------- */

static uint8_t *put_varint(uint8_t *out, uint64_t value) {
    for (; value > 0x7F; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

enum { HEAD_BYTES = 16 };

/* Version 1 and, in this field, `count` times the pattern. */
static uint8_t *swollen(unsigned field, const char *pattern, size_t pattern_length, size_t count,
                        size_t *length) {
    uint8_t *bytes = test_scratch(HEAD_BYTES + pattern_length * count), *out = bytes;
    *out++ = 0x08;
    *out++ = 1;
    out = put_varint(out, field << 3 | 2);
    out = put_varint(out, pattern_length * count);
    for (size_t i = 0; i < count; i++, out += pattern_length)
        memcpy(out, pattern, pattern_length);
    *length = (size_t)(out - bytes);
    return bytes;
}

static const size_t mebibyte = 1 << 20;

static size_t most_memory(size_t length) {
    return WIRE_ARENA_FACTOR * length + (20 << 20) + 4096;
}

static void a_mebibyte_of_empty_messages_is_refused_within_the_cap(void **state) {
    (void)state;
    size_t length;
    uint8_t *bytes = swollen(12, "\x12\x00", 2, mebibyte / 2, &length);
    wire_code code;
    char error[256];
    test_memory_start(0);
    wire_request *request = test_decode_request(bytes, length, &code, error);
    test_memory_stop();
    assert_null(request);
    assert_int_equal(code, WIRE_INVALID);
    assert_non_null(strstr(error, "unpack to more than 40 times as many"));
    assert_in_range(test_memory_bytes, mebibyte, most_memory(length));
}

static void a_swollen_message_stays_within_its_memory_and_takes_no_quadratic_time(void **state) {
    (void)state;
    static const struct {
        unsigned field;
        const char *pattern;
        size_t length;
    } patterns[] = {
        {12, "\x12\x00", 2},         /* jobs */
        {12, "\x12\x02\x5A\x00", 4}, /* labels */
        {12, "\x12\x02\x52\x00", 4}, /* dependencies */
        {12, "\x52\x00", 2},         /* unknown fields */
        {13, "\x0A\x02\x12\x00", 4}, /* selectors, which are merged */
        {13, "\x0A\x00", 2},         /* the same */
        {18, "\x0A\x06\x12\x04\x08\x01\x10\x01", 8},
        {12,
         "\x0A\x10"
         "0123456789abcdef",
         18}, /* keys, of which the last is taken */
        {200, "\x00", 1},
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        size_t length, count = (WIRE_MESSAGE_MAX - HEAD_BYTES) / patterns[i].length;
        uint8_t *bytes = swollen(patterns[i].field, patterns[i].pattern, patterns[i].length, count, &length);
        struct timespec before, after;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        test_memory_start(0);
        try_request(bytes, length);
        assert_in_range(test_memory_bytes, 0, most_memory(length));
        try_reply(bytes, length);
        test_memory_stop();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        double seconds =
            (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
        assert_true(seconds < 10); /* usually a tenth of one, with sanitizers twice that */
        test_scratch_free(NULL);
    }
}

/* A field within a field within ...: nobody looks into what is unknown. */
static void deeply_nested_unknown_fields_are_not_looked_into(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    uint8_t *bytes = test_scratch(8 * DEPTH), *front = bytes + 8 * DEPTH;
    size_t length = 0;
    for (int i = 0; i < DEPTH; i++) {
        uint8_t head[8], *end = put_varint(head, 1 << 3 | 2);
        end = put_varint(end, length);
        front -= end - head;
        memcpy(front, head, (size_t)(end - head));
        length += (size_t)(end - head);
    }
    uint8_t *message = test_scratch(HEAD_BYTES + length), *out = message;
    out = put_varint(out, 1 << 3);
    out = put_varint(out, WIRE_VERSION);
    out = put_varint(out, 11 << 3 | 2);
    out = put_varint(out, 0);
    out = put_varint(out, 77 << 3 | 2);
    out = put_varint(out, length);
    memcpy(out, front, length);
    length += (size_t)(out - message);
    wire_code code;
    char error[256];
    assert_null(test_decode_request(message, length, &code, error));
    assert_int_equal(code, WIRE_UNSUPPORTED);
    assert_string_equal(error, "field 77 of Request is not known here (this service speaks version 1)");
    wire_reply *reply = test_decode_reply(message, length, error);
    assert_non_null(reply);
    wire_reply_free(reply);
}

/* ---- no memory ------------------------------------------------------------------------------------------------- */

static wire_request *large_request(void) {
    enum { JOBS = 3000 };
    static const char *argv[] = {"true"};
    wire_job *jobs = test_scratch(JOBS * sizeof *jobs);
    for (size_t i = 0; i < JOBS; i++)
        jobs[i] = (wire_job){.kind = WIRE_EXEC, .u.exec.argv = {argv, 1}};
    wire_request *request = test_scratch(sizeof *request);
    *request = (wire_request){.verb = WIRE_SUBMIT, .u.submit = {.jobs = jobs, .count = JOBS}};
    return request;
}

static void an_encoding_without_memory_is_null_at_each_step(void **state) {
    (void)state;
    wire_request *request = large_request();
    size_t length;
    unsigned fails = 0;
    uint8_t *bytes;
    do {
        test_memory_start(++fails);
        bytes = wire_request_encode(request, &length);
        test_memory_stop();
    } while (!bytes && fails < 1000);
    free(bytes);
    assert_in_range(fails, 3, 100);
}

static void a_decoding_without_memory_is_an_internal_error_at_each_step(void **state) {
    (void)state;
    size_t length;
    uint8_t *bytes = wire_request_encode(large_request(), &length);
    unsigned fails = 0;
    wire_request *request;
    do {
        wire_code code;
        char error[256];
        test_memory_start(++fails);
        request = test_decode_request(bytes, length, &code, error);
        test_memory_stop();
        if (!request) {
            assert_int_equal(code, WIRE_INTERNAL);
            assert_non_null(strstr(error, "no memory"));
        }
    } while (!request && fails < 1000);
    wire_request_free(request);
    free(bytes);
    assert_in_range(fails, 3, 100);
}

static void a_reply_without_memory_and_a_size_without_memory_say_so(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    size_t length;
    uint8_t *bytes = wire_reply_encode(test_reply(WIRE_STATS, &seed), &length);
    char error[256];
    test_memory_start(1);
    assert_null(test_decode_reply(bytes, length, error));
    assert_non_null(strstr(error, "no memory"));
    test_memory_start(1);
    assert_null(wire_reply_encode(test_reply(WIRE_STATS, &seed), &length));
    wire_job *job = &large_request()->u.submit.jobs[0];
    job->u.exec.argv = (wire_strings){test_scratch(5000 * sizeof(char *)), 5000};
    test_memory_start(1);
    assert_int_equal(wire_job_size(job), SIZE_MAX);
    test_memory_stop();
    free(bytes);
}

static void nothing_is_freed_where_nothing_was_decoded(void **state) {
    (void)state;
    wire_request_free(NULL);
    wire_reply_free(NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, test_scratch_free)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_message_cut_anywhere_is_valid_or_refused),
        TEST(a_scrambled_message_is_valid_or_refused),
        TEST(random_bytes_are_valid_or_refused),
        TEST(a_mebibyte_of_empty_messages_is_refused_within_the_cap),
        TEST(a_swollen_message_stays_within_its_memory_and_takes_no_quadratic_time),
        TEST(deeply_nested_unknown_fields_are_not_looked_into),
        TEST(an_encoding_without_memory_is_null_at_each_step),
        TEST(a_decoding_without_memory_is_an_internal_error_at_each_step),
        TEST(a_reply_without_memory_and_a_size_without_memory_say_so),
        TEST(nothing_is_freed_where_nothing_was_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
