/* A job's output: what is kept of it, and that followers lose nothing. Written from tasks, since writers may await. */
#include "helpers.h"

#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct outputs outputs;
static _Atomic(struct output *) place;

static void set_limits(uint64_t head, uint64_t tail, uint64_t window, uint64_t total) {
    outputs = (struct outputs){.head = head, .tail = tail, .window = window, .total = total};
    links_init(&outputs.ended);
    place = NULL;
}

struct write {
    bool is_stderr;
    const char *text;
};

static int64_t write_all(void *arg) {
    for (const struct write *write = arg; write->text; write++) {
        int result =
            output_write(output_at(&place, &outputs), write->is_stderr, write->text, strlen(write->text));
        if (result)
            return result;
    }
    return 0;
}

static struct output *written(const struct write *writes) {
    assert_int_equal(hd_run(NULL, write_all, (void *)writes), 0);
    return output_at(&place, &outputs);
}

/* What is there from `offset` on, as "out:text err:text ...", with "(gap)". */
static const char *reading(struct output *output, uint64_t offset) {
    static char text[4096];
    struct arena arena = {0};
    struct output_piece piece;
    size_t used = 0;
    assert_true(output_read(output, offset, 1 << 20, &arena, &piece));
    text[0] = 0;
    for (size_t i = 0; i < piece.count; i++) {
        const wire_chunk *chunk = &piece.chunks[i];
        if (chunk->gap)
            used += (size_t)snprintf(text + used, sizeof text - used, "(%d)", (int)chunk->gap);
        if (chunk->bytes.length)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s:%.*s ",
                                     chunk->is_stderr ? "err" : "out", (int)chunk->bytes.length,
                                     (const char *)chunk->bytes.data);
    }
    arena_free(&arena);
    return text;
}

static void the_streams_are_one_sequence(void **state) {
    (void)state;
    set_limits(100, 100, 1000, 1 << 20);
    struct output *output =
        written((struct write[]){{false, "a"}, {false, "b"}, {true, "c"}, {false, "d"}, {0}});
    assert_string_equal(reading(output, 0), "out:ab err:c out:d ");
    assert_string_equal(reading(output, 1), "out:b err:c out:d ");
    assert_string_equal(reading(output, 4), "");
    output_destroy(output);
    assert_int_equal(outputs.bytes, 0);
}

static void the_head_and_the_tail_are_kept_and_the_gap_is_said(void **state) {
    (void)state;
    set_limits(4, 3, 1000, 1 << 20);
    struct output *output =
        written((struct write[]){{false, "0123456"}, {true, "789"}, {false, "abcdef"}, {0}});
    uint64_t bytes, dropped;
    assert_string_equal(reading(output, 0), "out:0123 (9)out:def ");
    assert_string_equal(reading(output, 8), "(5)out:def ");
    output_counts(output, &bytes, &dropped);
    assert_int_equal(bytes, 16);
    assert_int_equal(dropped, 9);
    output_destroy(output);
}

static void nothing_is_kept_where_the_limits_are_zero(void **state) {
    (void)state;
    set_limits(0, 0, 1000, 1 << 20);
    struct output *output = written((struct write[]){{false, "0123456"}, {0}});
    assert_string_equal(reading(output, 0), "(7)");
    output_destroy(output);
}

static int64_t alternate(void *arg) {
    (void)arg;
    for (int i = 0; i < 100000; i++) {
        int result = output_write(output_at(&place, &outputs), i & 1, "x", 1);
        if (result)
            return result;
    }
    return 0;
}

static void streams_that_alternate_in_single_bytes_take_bounded_memory(void **state) {
    (void)state;
    set_limits(65536, 65536, 1 << 20, 1 << 30);
    assert_int_equal(hd_run(NULL, alternate, NULL), 0);
    assert_true(outputs.bytes < 1 << 20);
    output_destroy(output_at(&place, &outputs));
}

/* ---- followers --------------------------------------------------------------------------------------------------- */

enum { STREAM = 3 << 20 };

static uint8_t byte_at(uint64_t offset) {
    return (uint8_t)(offset * 31 >> 3);
}

static int64_t write_stream(void *arg) {
    static uint8_t block[10007];
    uint64_t *written_bytes = arg;
    for (uint64_t offset = 0; offset < STREAM;) {
        size_t length = STREAM - offset < sizeof block ? (size_t)(STREAM - offset) : sizeof block;
        for (size_t i = 0; i < length; i++)
            block[i] = byte_at(offset + i);
        int result = output_write(output_at(&place, &outputs), false, block, length);
        if (result)
            return result;
        offset += length;
        *written_bytes = offset;
    }
    return 0;
}

/* Reads to the end, in pieces; how many bytes were wrong or missing. */
static int64_t follow(void *arg) {
    static uint64_t written_bytes;
    struct output *output = output_at(&place, &outputs);
    struct follower follower;
    int64_t wrong = 0;
    uint64_t offset = 0;
    (void)arg;
    output_follow(output, &follower, 0);
    hd_task *writer = hd_spawn(write_stream, &written_bytes);
    while (writer && offset < STREAM) {
        struct arena arena = {0};
        struct output_piece piece;
        if (output_wait(output, offset) || !output_read(output, offset, 100000, &arena, &piece))
            return -1;
        uint64_t bytes, dropped;
        output_counts(output, &bytes, &dropped);
        wrong += bytes > offset + 2 * 65536; /* it waited for us */
        for (size_t i = 0; i < piece.count; i++) {
            wrong += (int64_t)piece.chunks[i].gap;
            for (size_t j = 0; j < piece.chunks[i].bytes.length; j++)
                wrong += piece.chunks[i].bytes.data[j] != byte_at(offset++);
        }
        output_acknowledge(output, &follower, offset);
        arena_free(&arena);
    }
    output_unfollow(output, &follower);
    return hd_join(writer) ? -1 : wrong;
}

static void a_follower_loses_nothing_and_the_writer_waits_for_it(void **state) {
    (void)state;
    set_limits(1000, 1000, 65536, 1 << 30);
    assert_int_equal(hd_run(NULL, follow, NULL), 0);
    assert_true(outputs.bytes < 100000); /* and when it has gone, little is kept */
    output_destroy(output_at(&place, &outputs));
}

static int64_t leave(void *arg) {
    static uint64_t written_bytes;
    struct output *output = output_at(&place, &outputs);
    struct follower follower;
    (void)arg;
    output_follow(output, &follower, 0);
    hd_task *writer = hd_spawn(write_stream, &written_bytes);
    if (!writer)
        return HD_ENOMEM;
    while (written_bytes < 60000)
        if (hd_yield())
            return HD_ECANCELED;
    output_unfollow(output, &follower);
    return hd_join(writer);
}

static void a_follower_that_leaves_lets_the_writer_go(void **state) {
    (void)state;
    set_limits(1000, 1000, 65536, 1 << 30);
    assert_int_equal(hd_run(&(hd_runtime_options){.loops = 1}, leave, NULL), 0);
    output_destroy(output_at(&place, &outputs));
}

static int64_t cancel_writer(void *arg) {
    static uint64_t written_bytes;
    struct output *output = output_at(&place, &outputs);
    struct follower follower;
    (void)arg;
    output_follow(output, &follower, 0);
    hd_task *writer = hd_spawn(write_stream, &written_bytes);
    if (!writer)
        return HD_ENOMEM;
    while (written_bytes < 60000)
        if (hd_yield())
            return HD_ECANCELED;
    hd_cancel(writer);
    int64_t result = hd_join(writer);
    output_unfollow(output, &follower);
    return result == HD_ECANCELED ? 0 : -1;
}

static void a_writer_that_waits_can_be_cancelled(void **state) {
    (void)state;
    set_limits(1000, 1000, 65536, 1 << 30);
    assert_int_equal(hd_run(&(hd_runtime_options){.loops = 1}, cancel_writer, NULL), 0);
    output_destroy(output_at(&place, &outputs));
}

static void the_oldest_ended_outputs_go_first_when_all_take_too_much(void **state) {
    (void)state;
    set_limits(1000, 1000, 65536, 1 << 20);
    struct output *first = written((struct write[]){{false, "first"}, {0}});
    place = NULL;
    struct output *second = written((struct write[]){{false, "second"}, {0}});
    output_end(second);
    output_end(first);
    outputs.total = outputs.bytes - 1;
    outputs_trim(&outputs);
    assert_string_equal(reading(second, 0), "(6)");
    assert_string_equal(reading(first, 0), "out:first ");
    output_destroy(first);
    output_destroy(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_streams_are_one_sequence),
        cmocka_unit_test(the_head_and_the_tail_are_kept_and_the_gap_is_said),
        cmocka_unit_test(nothing_is_kept_where_the_limits_are_zero),
        cmocka_unit_test(streams_that_alternate_in_single_bytes_take_bounded_memory),
        cmocka_unit_test(a_follower_loses_nothing_and_the_writer_waits_for_it),
        cmocka_unit_test(a_follower_that_leaves_lets_the_writer_go),
        cmocka_unit_test(a_writer_that_waits_can_be_cancelled),
        cmocka_unit_test(the_oldest_ended_outputs_go_first_when_all_take_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
