/* What was encoded is decoded to the same; each message has one table, and each table says what heddle.proto says. */
#include "helpers.h"

enum { ROUNDS = 200 };

/* ---- round trips ----------------------------------------------------------------------------------------------- */

static void round_trip_request(const wire_request *request) {
    size_t length;
    uint8_t *bytes = wire_request_encode(request, &length);
    assert_non_null(bytes);
    wire_code code;
    char error[256];
    wire_request *decoded = test_decode_request(bytes, length, &code, error);
    assert_string_equal(error, "");
    assert_true(test_same(&wire_request_shape, request, decoded));
    wire_request_free(decoded);
    free(bytes);
}

static void round_trip_reply(const wire_reply *reply) {
    size_t length;
    uint8_t *bytes = wire_reply_encode(reply, &length);
    assert_non_null(bytes);
    char error[256];
    wire_reply *decoded = test_decode_reply(bytes, length, error);
    assert_string_equal(error, "");
    assert_true(test_same(&wire_reply_shape, reply, decoded));
    wire_reply_free(decoded);
    free(bytes);
}

static void each_request_with_all_its_fields_survives_a_round_trip(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < ROUNDS; i++)
        for (wire_verb verb = WIRE_PING; verb < WIRE_VERBS; verb++)
            round_trip_request(test_request(verb, &seed));
}

static void each_kind_of_job_with_all_its_fields_survives_a_round_trip(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (wire_kind kind = WIRE_SLEEP; kind < WIRE_KINDS; kind++) {
        wire_job job = test_job(kind, &seed);
        round_trip_request(&(wire_request){
            .version = 1, .verb = WIRE_SUBMIT, .u.submit = {.jobs = &job, .count = 1, .follow = true}});
    }
}

static void each_reply_with_all_its_fields_survives_a_round_trip(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < ROUNDS; i++)
        for (wire_verb verb = WIRE_PING; verb < WIRE_VERBS; verb++)
            round_trip_reply(test_reply(verb, &seed));
}

static void messages_of_nothing_but_defaults_survive_a_round_trip(void **state) {
    (void)state;
    for (wire_verb verb = WIRE_PING; verb < WIRE_VERBS; verb++) {
        if (verb != WIRE_SUBMIT && verb != WIRE_SHOW && verb != WIRE_LOGS && verb != WIRE_INPUT)
            round_trip_request(&(wire_request){.version = 1, .verb = verb});
        if (verb != WIRE_SHOW)
            round_trip_reply(&(wire_reply){.version = 1, .verb = verb});
    }
}

static void an_error_survives_a_round_trip_without_a_body(void **state) {
    (void)state;
    for (wire_code code = WIRE_INVALID; code < WIRE_CODES; code++) {
        size_t length;
        wire_reply reply = {
            .code = code, .error = "queue: full", .verb = WIRE_PING, .u.ping.release = "0.1.0"};
        uint8_t *bytes = wire_reply_encode(&reply, &length);
        char error[256];
        wire_reply *decoded = test_decode_reply(bytes, length, error);
        assert_non_null(decoded);
        assert_int_equal(decoded->code, code);
        assert_int_equal(decoded->version, WIRE_VERSION);
        assert_string_equal(decoded->error, "queue: full");
        assert_int_equal(decoded->verb, 0);
        wire_reply_free(decoded);
        free(bytes);
    }
}

static void ten_thousand_jobs_survive_a_round_trip(void **state) {
    (void)state;
    enum { JOBS = 10000 };
    uint64_t seed = test_seed();
    wire_job *jobs = test_scratch(JOBS * sizeof *jobs);
    for (size_t i = 0; i < JOBS; i++)
        jobs[i] = test_job(1 + i % (WIRE_KINDS - 1), &seed);
    round_trip_request(
        &(wire_request){.version = 1, .verb = WIRE_SUBMIT, .u.submit = {.jobs = jobs, .count = JOBS}});
}

static void the_smallest_jobs_fit_into_the_memory_cap_up_to_the_longest_list(void **state) {
    (void)state;
    wire_job *jobs = test_scratch(WIRE_LIST_MAX * sizeof *jobs);
    for (size_t i = 0; i < WIRE_LIST_MAX; i++)
        jobs[i] = (wire_job){.kind = WIRE_SLEEP, .loop = WIRE_MULTI};
    round_trip_request(&(wire_request){
        .version = 1, .verb = WIRE_SUBMIT, .u.submit = {.jobs = jobs, .count = WIRE_LIST_MAX}});
    wire_outcome *outcomes = test_scratch(4 * WIRE_LIST_MAX * sizeof *outcomes);
    for (size_t i = 0; i < 4 * WIRE_LIST_MAX; i++)
        outcomes[i] = (wire_outcome){.id = 1, .state = WIRE_SUCCEEDED};
    round_trip_reply(&(wire_reply){
        .version = 1, .verb = WIRE_WAIT, .u.wait = {.outcomes = outcomes, .count = 4 * WIRE_LIST_MAX}});
}

/* ---- what is filled in ----------------------------------------------------------------------------------------- */

static void what_is_left_out_of_a_job_has_its_default_and_no_string_is_null(void **state) {
    (void)state;
    wire_job job = {.kind = WIRE_HTTP, .u.http.url = "http://localhost"}, after_job = job;
    wire_after after = {.id = 7};
    after_job.after = &after;
    after_job.after_count = 1;
    wire_request request = {.verb = WIRE_SUBMIT,
                            .u.submit = {.jobs = (wire_job[]){job, after_job}, .count = 2}};
    size_t length;
    uint8_t *bytes = wire_request_encode(&request, &length);
    wire_code code;
    char error[256];
    wire_request *decoded = test_decode_request(bytes, length, &code, error);
    assert_non_null(decoded);
    assert_int_equal(decoded->version, WIRE_VERSION);
    const wire_job *got = decoded->u.submit.jobs;
    assert_int_equal(got[0].loop, WIRE_MULTI);
    assert_string_equal(got[0].name, "");
    assert_string_equal(got[0].group, "");
    assert_string_equal(got[0].cwd, "");
    assert_string_equal(got[0].output, "");
    assert_string_equal(got[0].u.http.method, "");
    assert_string_equal(got[0].u.http.proxy, "");
    assert_string_equal(got[0].u.http.ca_file, "");
    assert_int_equal(got[0].u.http.body.length, 0);
    assert_int_equal(got[1].after[0].condition, WIRE_AFTER_OK);
    wire_request_free(decoded);
    free(bytes);
}

static void an_absent_selector_selects_nothing_and_has_empty_strings(void **state) {
    (void)state;
    const uint8_t bytes[] = {0x08, 1, 0x6A, 0}; /* version 1, wait {} */
    wire_code code;
    char error[256];
    wire_request *decoded = test_decode_request(bytes, sizeof bytes, &code, error);
    assert_non_null(decoded);
    assert_int_equal(decoded->verb, WIRE_WAIT);
    assert_false(decoded->u.wait.select.all);
    assert_string_equal(decoded->u.wait.select.group, "");
    assert_string_equal(decoded->u.wait.select.label, "");
    assert_string_equal(decoded->u.wait.select.name, "");
    wire_request_free(decoded);
}

static void text_of_a_reply_is_mended_so_that_it_always_decodes(void **state) {
    (void)state;
    char *long_text = test_scratch(WIRE_STRING_MAX + 10);
    memset(long_text, 'a', WIRE_STRING_MAX - 1);
    strcpy(long_text + WIRE_STRING_MAX - 1, "ü");
    wire_reply reply = {.verb = WIRE_PING, .u.ping.release = "0\xFF.1\xC3"};
    wire_reply cut = {.code = WIRE_FULL, .error = long_text};
    size_t length;
    char error[256];
    uint8_t *bytes = wire_reply_encode(&reply, &length);
    wire_reply *decoded = test_decode_reply(bytes, length, error);
    assert_non_null(decoded);
    assert_string_equal(decoded->u.ping.release, "0?.1?");
    wire_reply_free(decoded);
    free(bytes);
    bytes = wire_reply_encode(&cut, &length);
    decoded = test_decode_reply(bytes, length, error);
    assert_non_null(decoded);
    assert_int_equal(strlen(decoded->error), WIRE_STRING_MAX - 1);
    wire_reply_free(decoded);
    free(bytes);
}

static void the_size_of_a_job_is_what_it_adds_to_a_submission(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    wire_job jobs[20];
    size_t before = 0;
    for (size_t i = 0; i < 20; i++) {
        jobs[i] = test_job(1 + i % (WIRE_KINDS - 1), &seed);
        wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = jobs, .count = i + 1}};
        size_t length;
        free(wire_request_encode(&request, &length));
        /* The length of the submission itself takes a byte more now and then. */
        if (i > 0)
            assert_in_range(length - before - wire_job_size(&jobs[i]), 0, 1);
        before = length;
    }
}

/* ---- the tables against heddle.proto --------------------------------------------------------------------------- */

/* The table's name is the message's, without the unit or the plural. */
static bool names_agree(const char *name, const char *proto) {
    size_t length = strlen(name);
    if (strncmp(name, proto, length) != 0)
        return false;
    return strcmp(proto + length, "") == 0 || strcmp(proto + length, "_ns") == 0 ||
           strcmp(proto + length, "s") == 0;
}

static bool types_agree(wire_type type, const ProtobufCFieldDescriptor *proto) {
    bool repeated = proto->label == PROTOBUF_C_LABEL_REPEATED;
    switch (type) {
    case FIELD_U64:
    case FIELD_DURATION: return proto->type == PROTOBUF_C_TYPE_UINT64 && !repeated;
    case FIELD_U32: return proto->type == PROTOBUF_C_TYPE_UINT32 && !repeated;
    case FIELD_I32:
        return (proto->type == PROTOBUF_C_TYPE_INT32 || proto->type == PROTOBUF_C_TYPE_SINT32) && !repeated;
    case FIELD_FLAG: return proto->type == PROTOBUF_C_TYPE_BOOL && !repeated;
    case FIELD_WORD: return proto->type == PROTOBUF_C_TYPE_ENUM && !repeated;
    case FIELD_TEXT: return proto->type == PROTOBUF_C_TYPE_STRING && !repeated;
    case FIELD_RAW:
    case FIELD_DATA:
    case FIELD_KEY: return proto->type == PROTOBUF_C_TYPE_BYTES && !repeated;
    case FIELD_TEXTS: return proto->type == PROTOBUF_C_TYPE_STRING && repeated;
    case FIELD_RAWS: return proto->type == PROTOBUF_C_TYPE_BYTES && repeated;
    case FIELD_PART: return proto->type == PROTOBUF_C_TYPE_MESSAGE && !repeated;
    case FIELD_LIST: return proto->type == PROTOBUF_C_TYPE_MESSAGE && repeated;
    }
    return false;
}

static void check_words(const wire_words *words, const ProtobufCEnumDescriptor *proto) {
    assert_int_equal(words->count, proto->n_values);
    for (unsigned i = words->first; i < words->count; i++) {
        assert_int_equal(proto->values[i].value, i);
        const char *name = proto->values[i].name + strlen(proto->short_name) + 1;
        for (size_t c = 0; name[c] || words->names[i][c]; c++)
            assert_int_equal(words->names[i][c] == '-' ? '_' : words->names[i][c],
                             name[c] == '_' ? '_' : name[c] | 0x20);
    }
}

static void check_shape(const wire_shape *shape);

static void check_row(const wire_field *field, const ProtobufCFieldDescriptor *proto) {
    if (!names_agree(field->name, proto->name) || !types_agree(field->type, proto))
        fail_msg("%s does not agree with %s", field->name, proto->name);
    if (proto->label == PROTOBUF_C_LABEL_REPEATED)
        assert_int_equal(field->pb_count_at, proto->quantifier_offset);
    if (field->type == FIELD_WORD)
        check_words(field->words, proto->descriptor);
    if (field->shape) {
        assert_ptr_equal(field->shape->pb, proto->descriptor);
        check_shape(field->shape);
    }
}

static void check_oneof(const wire_oneof *oneof, const ProtobufCMessageDescriptor *pb) {
    for (unsigned i = 1; i < oneof->words->count; i++) {
        const ProtobufCFieldDescriptor *proto = protobuf_c_message_descriptor_get_field(pb, oneof->base + i);
        assert_non_null(proto);
        assert_string_equal(proto->name, oneof->words->names[i]);
        assert_ptr_equal(proto->descriptor, oneof->options[i].shape->pb);
        assert_int_equal(proto->offset, oneof->pb_at);
        assert_int_equal(proto->quantifier_offset, oneof->pb_case_at);
        check_shape(oneof->options[i].shape);
    }
}

static void check_shape(const wire_shape *shape) {
    size_t alternatives = shape->oneof ? shape->oneof->words->count - 1 : 0;
    if (shape == &wire_error_shape)
        alternatives = WIRE_VERBS - 1;
    if (shape->field_count + alternatives != shape->pb->n_fields)
        fail_msg("%s has %u fields, its table %zu", shape->pb->short_name, shape->pb->n_fields,
                 shape->field_count);
    for (size_t i = 0; i < shape->field_count; i++) {
        const wire_field *field = &shape->fields[i];
        const ProtobufCFieldDescriptor *proto = NULL;
        for (unsigned j = 0; j < shape->pb->n_fields; j++)
            if (shape->pb->fields[j].offset == field->pb_at)
                proto = &shape->pb->fields[j];
        assert_non_null(proto);
        check_row(field, proto);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(shape->fields[j].pb_at, field->pb_at);
            assert_int_not_equal(shape->fields[j].at, field->at);
        }
    }
    if (shape->oneof)
        check_oneof(shape->oneof, shape->pb);
}

static void the_tables_agree_with_heddle_proto(void **state) {
    (void)state;
    check_shape(&wire_request_shape);
    check_shape(&wire_reply_shape);
    check_shape(&wire_error_shape);
}

/* That a row's two ends belong together shows only from outside of the tables: here, by another encoder. */
static void bytes_made_by_protobuf_itself_decode_to_the_same_fields(void **state) {
    (void)state;
    static const char job[] =
        "\x0A\x01n\x10\x02\x18\x03\x20\x04\x28\x05\x30\x06\x38\x0D"  /* name to priority */
        "\x42\x01g\x48\x09\x52\x04\x08\x0A\x10\x03"                  /* group to after */
        "\x5A\x01l\x62\x03K=v\x6A\x01/\x70\x01\x78\x0F\x82\x01\x01o" /* label to output */
        "\xB2\x01\x03\x0A\x01x";                                     /* exec */
    uint8_t bytes[256];
    size_t length = test_submission(job, sizeof job - 1, bytes);
    wire_code code;
    char error[256];
    wire_request *request = test_decode_request(bytes, length, &code, error);
    assert_string_equal(error, "");
    const wire_job *got = request->u.submit.jobs;
    assert_memory_equal(request->u.submit.key, "0123456789abcdef", 16);
    assert_string_equal(got->name, "n");
    assert_int_equal(got->loop, WIRE_SINGLE);
    assert_int_equal(got->timeout_ns, 3);
    assert_int_equal(got->delay_ns, 4);
    assert_int_equal(got->retries, 5);
    assert_int_equal(got->backoff_ns, 6);
    assert_int_equal(got->priority, -7);
    assert_string_equal(got->group, "g");
    assert_int_equal(got->parallel, 9);
    assert_int_equal(got->after[0].id, 10);
    assert_int_equal(got->after[0].condition, WIRE_AFTER_FAIL);
    assert_string_equal(got->labels.items[0], "l");
    assert_string_equal(got->env.items[0], "K=v");
    assert_string_equal(got->cwd, "/");
    assert_true(got->cwd_explicit);
    assert_int_equal(got->grace_ns, 15);
    assert_string_equal(got->output, "o");
    assert_int_equal(got->kind, WIRE_EXEC);
    assert_string_equal(got->u.exec.argv.items[0], "x");
    wire_request_free(request);
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

static void each_word_has_a_name_and_each_name_its_word(void **state) {
    (void)state;
    for (unsigned i = 1; i < WIRE_KINDS; i++)
        assert_int_equal(wire_kind_of(wire_kind_name(i)), i);
    for (unsigned i = 1; i < WIRE_LOOPS; i++)
        assert_int_equal(wire_loop_of(wire_loop_name(i)), i);
    for (unsigned i = 1; i < WIRE_STATES; i++)
        assert_int_equal(wire_state_of(wire_state_name(i)), i);
    for (unsigned i = 1; i < WIRE_CONDITIONS; i++)
        assert_int_equal(wire_condition_of(wire_condition_name(i)), i);
    for (unsigned i = 1; i < WIRE_FINDINGS; i++)
        assert_non_null(wire_finding_name(i));
    for (unsigned i = 1; i < WIRE_ACTS; i++)
        assert_non_null(wire_act_name(i));
    for (unsigned i = 1; i < WIRE_LINE_ENDS; i++)
        assert_non_null(wire_line_end_name(i));
    for (unsigned i = 0; i < WIRE_CODES; i++)
        assert_non_null(wire_code_name(i));
    for (unsigned i = 1; i < WIRE_VERBS; i++)
        assert_non_null(wire_verb_name(i));
    for (unsigned i = 0; i < WIRE_PHASES; i++)
        assert_non_null(wire_phase_name(i));
}

static void what_is_no_word_has_no_name(void **state) {
    (void)state;
    assert_null(wire_kind_name(0));
    assert_null(wire_kind_name(WIRE_KINDS));
    assert_null(wire_loop_name((wire_loop)-1));
    assert_null(wire_state_name(WIRE_STATES));
    assert_null(wire_condition_name(0));
    assert_null(wire_finding_name(0));
    assert_null(wire_finding_name(WIRE_FINDINGS));
    assert_null(wire_code_name(WIRE_CODES));
    assert_null(wire_act_name(0));
    assert_null(wire_line_end_name(WIRE_LINE_ENDS));
    assert_null(wire_verb_name(0));
    assert_null(wire_phase_name(WIRE_PHASES));
    assert_int_equal(wire_kind_of("exe"), 0);
    assert_int_equal(wire_loop_of(""), 0);
    assert_int_equal(wire_state_of("timed_out"), 0);
    assert_int_equal(wire_condition_of("OK"), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, test_scratch_free)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_request_with_all_its_fields_survives_a_round_trip),
        TEST(each_kind_of_job_with_all_its_fields_survives_a_round_trip),
        TEST(each_reply_with_all_its_fields_survives_a_round_trip),
        TEST(messages_of_nothing_but_defaults_survive_a_round_trip),
        TEST(an_error_survives_a_round_trip_without_a_body),
        TEST(ten_thousand_jobs_survive_a_round_trip),
        TEST(the_smallest_jobs_fit_into_the_memory_cap_up_to_the_longest_list),
        TEST(what_is_left_out_of_a_job_has_its_default_and_no_string_is_null),
        TEST(an_absent_selector_selects_nothing_and_has_empty_strings),
        TEST(text_of_a_reply_is_mended_so_that_it_always_decodes),
        TEST(the_size_of_a_job_is_what_it_adds_to_a_submission),
        TEST(the_tables_agree_with_heddle_proto),
        TEST(bytes_made_by_protobuf_itself_decode_to_the_same_fields),
        TEST(each_word_has_a_name_and_each_name_its_word),
        TEST(what_is_no_word_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
