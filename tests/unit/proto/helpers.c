#include <time.h>
#include "helpers.h"

/* ---- chance and memory ----------------------------------------------------------------------------------------- */

uint64_t test_seed(void) {
    const char *given = getenv("HEDDLE_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed =
        given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    print_message("HEDDLE_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* splitmix64 */
uint64_t test_random(uint64_t *seed) {
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static struct scratch {
    struct scratch *next;
    uint64_t memory[];
} * scratch;

void *test_scratch(size_t bytes) {
    struct scratch *piece = calloc(1, sizeof *piece + bytes);
    if (!piece)
        abort();
    piece->next = scratch;
    scratch = piece;
    return piece->memory;
}

int test_scratch_free(void **state) {
    (void)state;
    for (struct scratch *next; scratch; scratch = next) {
        next = scratch->next;
        free(scratch);
    }
    return 0;
}

size_t test_memory_bytes;
unsigned test_memory_fails;

static void *counting_memory(size_t bytes) {
    if (test_memory_fails > 0 && --test_memory_fails == 0)
        return NULL;
    test_memory_bytes += bytes;
    return malloc(bytes);
}

void test_memory_start(unsigned fails) {
    test_memory_bytes = 0;
    test_memory_fails = fails;
    wire_memory = counting_memory;
}

void test_memory_stop(void) {
    wire_memory = malloc;
}

/* ---- messages at random ---------------------------------------------------------------------------------------- */

static const char *const pieces[] = {"loom", "Schütze", "梭子", "a b", "🧵", "x-1", "\xC2\xA0", "~"};
enum { PIECES = sizeof pieces / sizeof *pieces };

/* A string of the field's form; `raw` ones have bytes that are no text. */
static const char *random_string(const wire_field *field, bool raw, uint64_t *seed) {
    char *text = test_scratch(64);
    const char *a = pieces[test_random(seed) % PIECES], *b = pieces[test_random(seed) % PIECES];
    if (field->form == &wire_form_label || field->form == &wire_form_variable)
        sprintf(text, "%s=%s%s", a, b, raw ? "\xFF\n" : "");
    else if (field->form == &wire_form_header)
        sprintf(text, "%s: %s", a, b);
    else if (field->form == &wire_form_method)
        sprintf(text, "%s", test_random(seed) % 2 ? "PUT" : "M-SEARCH");
    else
        sprintf(text, "%s%s%s", a, b, raw ? "\xC3\n\xED\xA0\x80" : "");
    return text;
}

static wire_bytes random_bytes(uint64_t *seed) {
    size_t length = 1 + test_random(seed) % 40;
    uint8_t *data = test_scratch(length);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)test_random(seed);
    return (wire_bytes){data, length};
}

static uint64_t random_number(const wire_field *field, uint64_t *seed) {
    uint64_t number = test_random(seed) >> test_random(seed) % 64, min = field->min ? field->min : 1;
    if (strcmp(field->name, "expect") == 0)
        return 100 + number % 500;
    if (strcmp(field->name, "states") == 0)
        return 2 + (number & 0x7FC);
    if (strcmp(field->name, "first") == 0)
        return 1 + number % 1000;
    if (strcmp(field->name, "last") == 0)
        return 1001 + number % 1000;
    if (field->type == FIELD_U32)
        number &= UINT32_MAX;
    if (field->max && number > field->max)
        number = min + number % (field->max - min + 1);
    return number < min ? min : number;
}

static void fill(const wire_shape *shape, void *plain, unsigned choice, uint64_t *seed);

static void fill_field(const wire_field *field, uint8_t *plain, uint64_t *seed) {
    uint8_t *at = plain + field->at;
    switch (field->type) {
    case FIELD_U64:
    case FIELD_DURATION: *(uint64_t *)at = random_number(field, seed); break;
    case FIELD_U32: *(uint32_t *)at = (uint32_t)random_number(field, seed); break;
    case FIELD_I32: *(int32_t *)at = (int32_t)(test_random(seed) | 1); break;
    case FIELD_FLAG: *(bool *)at = true; break;
    case FIELD_WORD: *(unsigned *)at = 1 + (unsigned)(test_random(seed) % (field->words->count - 1)); break;
    case FIELD_TEXT:
    case FIELD_RAW: *(const char **)at = random_string(field, field->type == FIELD_RAW, seed); break;
    case FIELD_DATA: *(wire_bytes *)at = random_bytes(seed); break;
    case FIELD_KEY: memcpy(at, (uint64_t[]){test_random(seed), test_random(seed)}, WIRE_KEY_BYTES); break;
    case FIELD_PART: fill(field->shape, at, 0, seed); break;
    case FIELD_TEXTS:
    case FIELD_RAWS: {
        wire_strings *strings = (wire_strings *)at;
        strings->count = 1 + test_random(seed) % 4;
        strings->items = test_scratch(strings->count * sizeof *strings->items);
        for (size_t i = 0; i < strings->count; i++)
            strings->items[i] = random_string(field, field->type == FIELD_RAWS, seed);
        break;
    }
    case FIELD_LIST: {
        size_t count = 1 + test_random(seed) % 4;
        uint8_t *items = test_scratch(count * field->shape->bytes);
        for (size_t i = 0; i < count; i++)
            fill(field->shape, items + i * field->shape->bytes, 0, seed);
        *(size_t *)(plain + field->count_at) = count;
        memcpy(at, &items, sizeof items);
        break;
    }
    }
}

/* `choice` is the oneof's value; 0: any. */
static void fill(const wire_shape *shape, void *plain, unsigned choice, uint64_t *seed) {
    for (size_t i = 0; i < shape->field_count; i++)
        fill_field(&shape->fields[i], plain, seed);
    if (!shape->oneof)
        return;
    if (choice == 0)
        choice = 1 + (unsigned)(test_random(seed) % (shape->oneof->words->count - 1));
    *(unsigned *)((uint8_t *)plain + shape->oneof->at) = choice;
    const struct wire_option *option = &shape->oneof->options[choice];
    fill(option->shape, (uint8_t *)plain + option->at, 0, seed);
}

wire_request *test_request(wire_verb verb, uint64_t *seed) {
    wire_request *request = test_scratch(sizeof *request);
    fill(&wire_request_shape, request, verb, seed);
    request->version = WIRE_VERSION;
    if (verb == WIRE_SUBMIT && request->u.submit.count > 1)
        request->u.submit.follow = false;
    return request;
}

wire_reply *test_reply(wire_verb verb, uint64_t *seed) {
    wire_reply *reply = test_scratch(sizeof *reply);
    fill(&wire_reply_shape, reply, verb, seed);
    reply->version = WIRE_VERSION;
    reply->code = WIRE_OK;
    return reply;
}

wire_job test_job(wire_kind kind, uint64_t *seed) {
    wire_job job = {0};
    fill(&wire_job_shape, &job, kind, seed);
    return job;
}

/* ---- comparison ------------------------------------------------------------------------------------------------ */

static bool same_string(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_strings(const wire_strings *a, const wire_strings *b) {
    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (!same_string(a->items[i], b->items[i]))
            return false;
    return a->count == b->count;
}

static bool same_list(const wire_field *field, const uint8_t *a, const uint8_t *b) {
    size_t count = *(const size_t *)(a + field->count_at);
    if (count != *(const size_t *)(b + field->count_at))
        return false;
    const uint8_t *as, *bs;
    memcpy(&as, a + field->at, sizeof as);
    memcpy(&bs, b + field->at, sizeof bs);
    for (size_t i = 0; i < count; i++)
        if (!test_same(field->shape, as + i * field->shape->bytes, bs + i * field->shape->bytes))
            return false;
    return true;
}

static bool same_field(const wire_field *field, const uint8_t *a, const uint8_t *b) {
    const void *x = a + field->at, *y = b + field->at;
    switch (field->type) {
    case FIELD_U64:
    case FIELD_DURATION: return *(const uint64_t *)x == *(const uint64_t *)y;
    case FIELD_U32:
    case FIELD_I32:
    case FIELD_WORD: return *(const uint32_t *)x == *(const uint32_t *)y;
    case FIELD_FLAG: return *(const bool *)x == *(const bool *)y;
    case FIELD_TEXT:
    case FIELD_RAW: return same_string(*(const char *const *)x, *(const char *const *)y);
    case FIELD_DATA: {
        const wire_bytes *p = x, *q = y;
        return p->length == q->length && (p->length == 0 || memcmp(p->data, q->data, p->length) == 0);
    }
    case FIELD_KEY: return memcmp(x, y, WIRE_KEY_BYTES) == 0;
    case FIELD_TEXTS:
    case FIELD_RAWS: return same_strings(x, y);
    case FIELD_PART: return test_same(field->shape, x, y);
    case FIELD_LIST: return same_list(field, a, b);
    }
    return false;
}

bool test_same(const wire_shape *shape, const void *a, const void *b) {
    for (size_t i = 0; i < shape->field_count; i++) {
        if (!same_field(&shape->fields[i], a, b)) {
            print_message("%s: %s differs\n", shape->pb->short_name, shape->fields[i].name);
            return false;
        }
    }
    if (!shape->oneof)
        return true;
    unsigned choice = *(const unsigned *)((const uint8_t *)a + shape->oneof->at);
    if (choice != *(const unsigned *)((const uint8_t *)b + shape->oneof->at))
        return false;
    const struct wire_option *option = &shape->oneof->options[choice];
    return choice == 0 ||
           test_same(option->shape, (const uint8_t *)a + option->at, (const uint8_t *)b + option->at);
}

/* ---- decoding -------------------------------------------------------------------------------------------------- */

static uint8_t *exact_copy(const uint8_t *data, size_t length) {
    uint8_t *copy = malloc(length ? length : 1);
    if (length)
        memcpy(copy, data, length);
    return copy;
}

wire_request *test_decode_request(const uint8_t *data, size_t length, wire_code *code, char error[256]) {
    uint8_t *copy = exact_copy(data, length);
    *code = WIRE_OK;
    error[0] = '\0';
    wire_request *request = wire_request_decode(copy, length, code, error, 256);
    free(copy);
    if (!request) {
        assert_true(*code == WIRE_INVALID || *code == WIRE_UNSUPPORTED || *code == WIRE_INTERNAL);
        assert_true(error[0] != '\0');
        assert_null(wire_text_problem(error, strlen(error)));
    }
    return request;
}

wire_reply *test_decode_reply(const uint8_t *data, size_t length, char error[256]) {
    uint8_t *copy = exact_copy(data, length);
    error[0] = '\0';
    wire_reply *reply = wire_reply_decode(copy, length, error, 256);
    free(copy);
    if (!reply) {
        assert_true(error[0] != '\0');
        assert_null(wire_text_problem(error, strlen(error)));
    }
    return reply;
}

size_t test_submission(const void *job, size_t length, uint8_t out[256]) {
    static const char head[] = "\x08\x01" /* version */
                               "\x62\x00" /* submit */
                               "\x0A\x10"
                               "0123456789abcdef" /* key */
                               "\x12\x00";        /* job */
    enum { HEAD = sizeof head - 1, SUBMIT = 4 };
    assert_in_range(length, 0, 100);
    memcpy(out, head, HEAD);
    out[SUBMIT - 1] = (uint8_t)(HEAD - SUBMIT + length);
    out[HEAD - 1] = (uint8_t)length;
    memcpy(out + HEAD, job, length);
    return HEAD + length;
}

void test_refused(const wire_request *request, wire_code code, const char *message) {
    size_t length;
    uint8_t *bytes = wire_request_encode(request, &length);
    assert_non_null(bytes);
    wire_code got;
    char error[256];
    wire_request *decoded = test_decode_request(bytes, length, &got, error);
    free(bytes);
    wire_request_free(decoded);
    assert_null(decoded);
    assert_string_equal(error, message);
    assert_int_equal(got, code);
}
