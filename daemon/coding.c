/* What is large is known of a request by its bytes, and guessed of a reply by its rows. */
#include "coding.h"

struct decoding {
    const uint8_t *bytes;
    size_t length;
    struct decoded *decoded;
};

struct encoding {
    const wire_reply *reply;
    struct encoded *encoded;
};

static int64_t decode(void *arg) {
    struct decoding *decoding = arg;
    struct decoded *decoded = decoding->decoded;
    decoded->request = wire_request_decode(decoding->bytes, decoding->length, &decoded->code, decoded->error,
                                           sizeof decoded->error);
    return 0;
}

int coding_decode(const uint8_t *bytes, size_t length, struct decoded *decoded) {
    struct decoding decoding = {.bytes = bytes, .length = length, .decoded = decoded};
    *decoded = (struct decoded){0};
    return (int)(length < CODING_LARGE ? decode(&decoding) : hd_blocking(HD_POOL_STORE, decode, &decoding));
}

static size_t logs_bytes(const wire_reply *reply) {
    size_t bytes = 0;
    for (size_t i = 0; i < reply->u.logs.count; i++)
        bytes += reply->u.logs.chunks[i].bytes.length + 16;
    return bytes;
}

static bool is_large(const wire_reply *reply) {
    switch (reply->verb) {
    case WIRE_WAIT: return reply->u.wait.count > 1000;
    case WIRE_EVENTS: return reply->u.events.count > 300;
    case WIRE_LIST: return reply->u.list.count > 100;
    case WIRE_LOGS: return logs_bytes(reply) > CODING_LARGE;
    case WIRE_TASKS: return reply->u.tasks.count > 200;
    default: return false;
    }
}

static int64_t encode(void *arg) {
    struct encoding *encoding = arg;
    encoding->encoded->bytes = wire_reply_encode(encoding->reply, &encoding->encoded->length);
    return 0;
}

int coding_encode(const wire_reply *reply, struct encoded *encoded) {
    struct encoding encoding = {.reply = reply, .encoded = encoded};
    *encoded = (struct encoded){0};
    return (int)(is_large(reply) ? hd_blocking(HD_POOL_STORE, encode, &encoding) : encode(&encoding));
}
