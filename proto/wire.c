/* The functions of wire.h: bytes to plain structs and back, over protobuf-c.
 *
 * A decoded message and the arena of all it points to begin in one block of memory, whose size is a guess from that of
 * the bytes; what the guess lacks is added in further blocks, up to the cap. */
#include <stdio.h>
#include <stdlib.h>
#include "wire_internal.h"

enum {
    /* The cap is WIRE_ARENA_FACTOR times the message's size and this: WIRE_LIST_MAX of the smallest jobs, seven bytes each,
     * must fit. For small messages it does not matter: they cannot use it. */
    ARENA_BASE = 20 << 20,
    GUESS_BASE = 2048,
    GUESS_FACTOR = 8, /* measured: jobs of a hundred bytes take seven times that */
    SCRATCH_BYTES = 4096,
};

/* ---- encoding -------------------------------------------------------------------------------------------------- */

static uint8_t *encode(const wire_shape *shape, const void *plain, bool mend, size_t *length) {
    uint64_t scratch[SCRATCH_BYTES / sizeof(uint64_t)];
    wire_arena arena;
    wire_arena_init(&arena, scratch, sizeof scratch, SIZE_MAX / 2);
    uint8_t *bytes = NULL;
    ProtobufCMessage *message = wire_encode(&arena, mend, shape, plain);
    if (message) {
        size_t size = protobuf_c_message_get_packed_size(message);
        bytes = wire_memory(size ? size : 1);
        if (bytes)
            *length = protobuf_c_message_pack(message, bytes);
    }
    wire_arena_fini(&arena);
    return bytes;
}

uint8_t *wire_request_encode(const wire_request *request, size_t *length) {
    wire_request versioned = *request;
    if (versioned.version == 0)
        versioned.version = WIRE_VERSION;
    return encode(&wire_request_shape, &versioned, false, length);
}

uint8_t *wire_reply_encode(const wire_reply *reply, size_t *length) {
    wire_reply versioned = *reply;
    if (versioned.version == 0)
        versioned.version = WIRE_VERSION;
    return encode(reply->code == WIRE_OK ? &wire_reply_shape : &wire_error_shape, &versioned, true, length);
}

size_t wire_job_size(const wire_job *job) {
    uint64_t scratch[SCRATCH_BYTES / sizeof(uint64_t)];
    wire_arena arena;
    wire_arena_init(&arena, scratch, sizeof scratch, SIZE_MAX / 2);
    const ProtobufCMessage *message = wire_encode(&arena, false, &wire_job_shape, job);
    size_t size = SIZE_MAX;
    if (message) {
        size = protobuf_c_message_get_packed_size(message);
        size_t prefix = 2; /* the field's number, and the length in pieces of seven bits */
        for (size_t rest = size; rest > 0x7F; rest >>= 7)
            prefix++;
        size += prefix;
    }
    wire_arena_fini(&arena);
    return size;
}

/* ---- decoding -------------------------------------------------------------------------------------------------- */

/* What a caller has is `message`; the arena's first memory follows it. */
struct decoded {
    wire_arena arena;
    union {
        wire_request request;
        wire_reply reply;
    } message;
    uint64_t memory[];
};

static void discard(struct decoded *decoded) {
    wire_arena_fini(&decoded->arena);
    free(decoded);
}

static struct decoded *reserve(wire_decoding *d, size_t length) {
    size_t guess = (GUESS_BASE + GUESS_FACTOR * length) & ~(size_t)7;
    struct decoded *decoded = wire_memory(sizeof *decoded + guess);
    if (!decoded) {
        wire_refuse(d, WIRE_INTERNAL, NULL, "no memory for a message of %zu bytes", length);
        return NULL;
    }
    memset(&decoded->message, 0, sizeof decoded->message);
    wire_arena_init(&decoded->arena, decoded->memory, guess, WIRE_ARENA_FACTOR * length + ARENA_BASE - guess);
    d->arena = &decoded->arena;
    return decoded;
}

static ProtobufCMessage *unpack(wire_decoding *d, const wire_shape *shape, const uint8_t *data,
                                size_t length) {
    ProtobufCMessage *message = protobuf_c_message_unpack(shape->pb, &d->arena->allocator, length, data);
    if (message)
        return message;
    if (d->arena->no_memory)
        wire_refuse(d, WIRE_INTERNAL, NULL, "no memory for a message of %zu bytes", length);
    else if (d->arena->full)
        wire_refuse(d, WIRE_INVALID, NULL, "the message's %zu bytes unpack to more than %d times as many",
                    length, WIRE_ARENA_FACTOR);
    else
        wire_refuse(d, WIRE_INVALID, NULL, "the message's %zu bytes are no heddle.v1.%s", length,
                    shape->pb->short_name);
    return NULL;
}

/* Unpacks within a fresh block; NULL when refused. */
static struct decoded *begin(wire_decoding *d, const wire_shape *shape, const uint8_t *data, size_t length,
                             ProtobufCMessage **message) {
    if (length > WIRE_MESSAGE_MAX) {
        wire_refuse(d, WIRE_INVALID, NULL, "the message has %zu bytes (at most %d)", length,
                    WIRE_MESSAGE_MAX);
        return NULL;
    }
    struct decoded *decoded = reserve(d, length);
    if (decoded && !(*message = unpack(d, shape, data, length))) {
        discard(decoded);
        return NULL;
    }
    return decoded;
}

/* Before anything else in a request is looked at: does this service speak its version, and know its verb? */
static bool check_request(wire_decoding *d, const Heddle__V1__Request *request) {
    if (request->version != WIRE_VERSION)
        return wire_refuse(d, WIRE_UNSUPPORTED, NULL,
                           "version %u is not known here (this service speaks version %d)", request->version,
                           WIRE_VERSION);
    if (request->body_case != HEDDLE__V1__REQUEST__BODY__NOT_SET)
        return true;
    char verbs[160], what[64] = "a request for nothing";
    wire_words_list(&wire_verb_words, verbs, sizeof verbs);
    if (request->base.n_unknown_fields > 0)
        snprintf(what, sizeof what, "a request in field %u", request->base.unknown_fields[0].tag);
    return wire_refuse(d, WIRE_UNSUPPORTED, NULL, "%s is not known here (this service speaks version %d: %s)",
                       what, WIRE_VERSION, verbs);
}

wire_request *wire_request_decode(const uint8_t *data, size_t length, wire_code *code, char *error,
                                  size_t error_bytes) {
    wire_decoding d = {.strict = true, .error = error, .error_bytes = error_bytes};
    ProtobufCMessage *message;
    struct decoded *decoded = begin(&d, &wire_request_shape, data, length, &message);
    if (decoded && check_request(&d, (Heddle__V1__Request *)message) &&
        wire_decode(&d, NULL, &wire_request_shape, message, &decoded->message))
        return &decoded->message.request;
    *code = d.code;
    if (decoded)
        discard(decoded);
    return NULL;
}

/* A service of another version says so in an error, which every version can read. A code that is not known here is
 * some error. */
static bool prepare_reply(wire_decoding *d, Heddle__V1__Reply *reply) {
    if (reply->code == HEDDLE__V1__CODE__CODE_OK && reply->version != WIRE_VERSION)
        return wire_refuse(d, WIRE_UNSUPPORTED, NULL, "the service speaks version %u (this is version %d)",
                           reply->version, WIRE_VERSION);
    if (!wire_code_name((wire_code)reply->code))
        reply->code = HEDDLE__V1__CODE__CODE_INTERNAL;
    return true;
}

wire_reply *wire_reply_decode(const uint8_t *data, size_t length, char *error, size_t error_bytes) {
    wire_decoding d = {.error = error, .error_bytes = error_bytes};
    ProtobufCMessage *message;
    struct decoded *decoded = begin(&d, &wire_reply_shape, data, length, &message);
    if (decoded && prepare_reply(&d, (Heddle__V1__Reply *)message)) {
        bool is_error = ((Heddle__V1__Reply *)message)->code != HEDDLE__V1__CODE__CODE_OK;
        if (wire_decode(&d, NULL, is_error ? &wire_error_shape : &wire_reply_shape, message,
                        &decoded->message))
            return &decoded->message.reply;
    }
    if (decoded)
        discard(decoded);
    return NULL;
}

void wire_request_free(wire_request *request) {
    if (request)
        discard((struct decoded *)((uint8_t *)request - offsetof(struct decoded, message)));
}

void wire_reply_free(wire_reply *reply) {
    if (reply)
        discard((struct decoded *)((uint8_t *)reply - offsetof(struct decoded, message)));
}
