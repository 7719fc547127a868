/* Plain structs to protobuf-c's, as the tables say. Nothing is copied but text that has to be mended: the result
 * points into the plain struct. What is encoded is not validated; who decodes does that. */
#include "wire_internal.h"

typedef struct encoding {
    wire_arena *arena;
    bool mend;
} encoding;

static bool encode_shape(const encoding *e, const wire_shape *shape, const void *plain,
                         ProtobufCMessage *message);

/* `text` as it is sent. A reply's text comes from anywhere (a file name in an error); clients must be able to rely on
 * its being text of a bearable length, since one bad row would cost them the whole reply. */
static bool encode_text(const encoding *e, const char *text, char **out) {
    *out = (char *)(text ? text : "");
    if (!e->mend)
        return true;
    size_t length = strlen(*out);
    if (length <= WIRE_STRING_MAX && !wire_text_problem(*out, length))
        return true;
    length = wire_text_cut(*out, length, WIRE_STRING_MAX);
    char *mended = wire_arena_alloc(e->arena, length + 1);
    if (!mended)
        return false;
    memcpy(mended, *out, length);
    mended[length] = '\0';
    wire_text_mend(mended, length);
    *out = mended;
    return true;
}

static ProtobufCBinaryData encode_raw(const char *raw) {
    return (ProtobufCBinaryData){raw ? strlen(raw) : 0, (uint8_t *)raw};
}

static bool encode_strings(const encoding *e, const wire_field *field, const wire_strings *strings,
                           void *to) {
    bool raw = field->type == FIELD_RAWS;
    void *items =
        wire_arena_alloc(e->arena, strings->count * (raw ? sizeof(ProtobufCBinaryData) : sizeof(char *)));
    if (!items)
        return false;
    for (size_t i = 0; i < strings->count; i++) {
        if (raw)
            ((ProtobufCBinaryData *)items)[i] = encode_raw(strings->items[i]);
        else if (!encode_text(e, strings->items[i], &((char **)items)[i]))
            return false;
    }
    memcpy(to, &items, sizeof items);
    return true;
}

static ProtobufCMessage *encode_new(const encoding *e, const wire_shape *shape, const void *plain) {
    ProtobufCMessage *message = wire_arena_alloc(e->arena, shape->pb->sizeof_message);
    if (!message)
        return NULL;
    protobuf_c_message_init(shape->pb, message);
    return encode_shape(e, shape, plain, message) ? message : NULL;
}

static bool encode_list(const encoding *e, const wire_field *field, const uint8_t *items, size_t count,
                        void *to) {
    ProtobufCMessage **messages = wire_arena_alloc(e->arena, count * sizeof *messages);
    if (!messages)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!(messages[i] = encode_new(e, field->shape, items + i * field->shape->bytes)))
            return false;
    memcpy(to, &messages, sizeof messages);
    return true;
}

/* A part of nothing but defaults is left out. */
static bool encode_part(const encoding *e, const wire_field *field, const void *from, void *to) {
    ProtobufCMessage *message = encode_new(e, field->shape, from);
    if (!message)
        return false;
    if (protobuf_c_message_get_packed_size(message) > 0)
        memcpy(to, &message, sizeof message);
    return true;
}

static bool encode_field(const encoding *e, const wire_field *field, const uint8_t *plain, uint8_t *message) {
    const uint8_t *from = plain + field->at;
    uint8_t *to = message + field->pb_at;
    switch (field->type) {
    case FIELD_U64:
    case FIELD_DURATION: memcpy(to, from, sizeof(uint64_t)); return true;
    case FIELD_U32:
    case FIELD_I32:
    case FIELD_WORD: memcpy(to, from, sizeof(uint32_t)); return true;
    case FIELD_FLAG: *(protobuf_c_boolean *)to = *(const bool *)from; return true;
    case FIELD_TEXT: return encode_text(e, *(const char *const *)from, (char **)to);
    case FIELD_RAW: *(ProtobufCBinaryData *)to = encode_raw(*(const char *const *)from); return true;
    case FIELD_DATA: {
        const wire_bytes *bytes = (const wire_bytes *)from;
        *(ProtobufCBinaryData *)to = (ProtobufCBinaryData){bytes->length, (uint8_t *)bytes->data};
        return true;
    }
    case FIELD_KEY:
        *(ProtobufCBinaryData *)to = (ProtobufCBinaryData){WIRE_KEY_BYTES, (uint8_t *)from};
        return true;
    case FIELD_PART: return encode_part(e, field, from, to);
    case FIELD_TEXTS:
    case FIELD_RAWS: {
        const wire_strings *strings = (const wire_strings *)from;
        *(size_t *)(message + field->pb_count_at) = strings->count;
        return strings->count == 0 || encode_strings(e, field, strings, to);
    }
    case FIELD_LIST: {
        size_t count = *(const size_t *)(plain + field->count_at);
        const uint8_t *items;
        memcpy(&items, from, sizeof items);
        *(size_t *)(message + field->pb_count_at) = count;
        return count == 0 || encode_list(e, field, items, count, to);
    }
    }
    return false;
}

/* Nothing is sent for a value that has no shape: a reply with an error has no body. */
static bool encode_oneof(const encoding *e, const wire_oneof *oneof, const uint8_t *plain, uint8_t *message) {
    unsigned value = *(const unsigned *)(plain + oneof->at);
    if (value == 0 || value >= oneof->words->count)
        return true;
    const struct wire_option *option = &oneof->options[value];
    ProtobufCMessage *body = encode_new(e, option->shape, plain + option->at);
    if (!body)
        return false;
    *(unsigned *)(message + oneof->pb_case_at) = oneof->base + value;
    memcpy(message + oneof->pb_at, &body, sizeof body);
    return true;
}

static bool encode_shape(const encoding *e, const wire_shape *shape, const void *plain,
                         ProtobufCMessage *message) {
    for (size_t i = 0; i < shape->field_count; i++)
        if (!encode_field(e, &shape->fields[i], plain, (uint8_t *)message))
            return false;
    return !shape->oneof || encode_oneof(e, shape->oneof, plain, (uint8_t *)message);
}

ProtobufCMessage *wire_encode(wire_arena *arena, bool mend, const wire_shape *shape, const void *plain) {
    return encode_new(&(encoding){arena, mend}, shape, plain);
}
