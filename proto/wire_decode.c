/* protobuf-c's structs to plain ones, as the tables say, and the refusal of what is not valid. protobuf-c checks
 * neither text nor enums, nor does it tell where a NUL cut a string short.
 *
 * Strings, bytes and lists of text are not copied: they lie in the arena already. */
#include <stdarg.h>
#include <stdio.h>
#include "wire_internal.h"

enum { NANOSECONDS = 1000000000 };

/* ---- refusals -------------------------------------------------------------------------------------------------- */

static size_t print_path(const wire_path *path, char *out, size_t room) {
    if (!path)
        return 0;
    size_t used = print_path(path->up, out, room);
    if (used >= room || !path->name)
        return used;
    int more = path->number ? snprintf(out + used, room - used, "%s %zu: ", path->name, path->number)
                            : snprintf(out + used, room - used, "%s: ", path->name);
    return used + (size_t)more;
}

bool wire_refuse(wire_decoding *d, wire_code code, const wire_path *path, const char *format, ...) {
    char message[512];
    size_t used = print_path(path, message, sizeof message);
    if (used < sizeof message) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message + used, sizeof message - used, format, arguments);
        va_end(arguments);
    }
    d->code = code;
    if (d->error_bytes > 0) {
        size_t length = wire_text_cut(message, strlen(message), d->error_bytes - 1);
        memcpy(d->error, message, length);
        d->error[length] = '\0';
    }
    return false;
}

static bool refuse_no_memory(wire_decoding *d, const wire_path *path) {
    if (d->arena->no_memory)
        return wire_refuse(d, WIRE_INTERNAL, path, "no memory");
    return wire_refuse(d, WIRE_INVALID, NULL, "the message unpacks to more than %d times its size",
                       WIRE_ARENA_FACTOR);
}

static bool refuse_number(wire_decoding *d, const wire_path *path, const wire_field *field, uint64_t value) {
    wire_path here = {path, field->name, 0};
    if (field->type == FIELD_DURATION)
        return wire_refuse(
            d, WIRE_INVALID, &here, "%llu seconds is too long (at most %llu, which is 100 years)",
            (unsigned long long)(value / NANOSECONDS), (unsigned long long)(field->max / NANOSECONDS));
    if (value < field->min)
        return wire_refuse(d, WIRE_INVALID, &here, "%llu is too small (at least %llu)",
                           (unsigned long long)value, (unsigned long long)field->min);
    return wire_refuse(d, WIRE_INVALID, &here, "%llu is too large (at most %llu)", (unsigned long long)value,
                       (unsigned long long)field->max);
}

/* ---- strings --------------------------------------------------------------------------------------------------- */

/* Both kinds are judged here: `raw` ones may hold any bytes but NUL. */
static bool check_string(wire_decoding *d, const wire_path *path, const wire_field *field, size_t number,
                         const char *text, size_t length, uint64_t max, bool raw) {
    const char *problem =
        raw ? (memchr(text, '\0', length) ? "holds a NUL byte" : NULL) : wire_text_problem(text, length);
    if (!problem && field->form && !field->form->holds(text, length))
        problem = field->form->problem;
    if (!problem && length <= max)
        return true;
    wire_path here = {path, field->name, number};
    char quoted[WIRE_QUOTE_BYTES];
    wire_quote(quoted, text, length);
    if (length > max)
        return wire_refuse(d, WIRE_INVALID, &here, "%s has %zu bytes (at most %llu)", quoted, length,
                           (unsigned long long)max);
    return wire_refuse(d, WIRE_INVALID, &here, "%s %s", quoted, problem);
}

/* A string that protobuf-c left in the arena, or its shared empty one. Its length is that of its memory, since a NUL
 * within must be seen. */
static size_t text_length(const char *text) {
    return text == protobuf_c_empty_string ? 0 : wire_arena_size(text) - 1;
}

/* Bytes in the arena become a string in place: behind each piece there is a byte more. */
static const char *terminate(ProtobufCBinaryData raw) {
    if (raw.len == 0)
        return "";
    raw.data[raw.len] = '\0';
    return (const char *)raw.data;
}

static bool decode_string(wire_decoding *d, const wire_path *path, const wire_field *field, const void *from,
                          const char **to) {
    bool is_raw = field->type == FIELD_RAW;
    size_t length;
    if (is_raw) {
        const ProtobufCBinaryData *raw = from;
        length = raw->len;
        *to = terminate(*raw);
    } else {
        *to = *(char *const *)from;
        length = text_length(*to);
    }
    if (length == 0 && field->min > 0)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, field->name, 0}, "is missing");
    return length == 0 || check_string(d, path, field, 0, *to, length, field->max, is_raw);
}

static bool check_count(wire_decoding *d, const wire_path *path, const wire_field *field, size_t count,
                        uint64_t max) {
    wire_path here = {path, field->name, 0};
    if (count < field->min)
        return wire_refuse(d, WIRE_INVALID, &here, "is missing (at least %llu)",
                           (unsigned long long)field->min);
    if (max && count > max)
        return wire_refuse(d, WIRE_INVALID, &here, "there are %zu (at most %llu)", count,
                           (unsigned long long)max);
    return true;
}

/* Text keeps protobuf-c's list; bytes need one of pointers. */
static bool decode_strings(wire_decoding *d, const wire_path *path, const wire_field *field, void *from,
                           size_t count, wire_strings *to) {
    bool is_raw = field->type == FIELD_RAWS;
    void *list;
    memcpy(&list, from, sizeof list);
    if (!check_count(d, path, field, count, field->max))
        return false;
    to->count = count;
    to->items = is_raw && count ? wire_arena_alloc(d->arena, count * sizeof *to->items) : list;
    if (!to->items && count)
        return refuse_no_memory(d, path);
    for (size_t i = 0; i < count; i++) {
        size_t length;
        if (is_raw) {
            ProtobufCBinaryData raw = ((ProtobufCBinaryData *)list)[i];
            to->items[i] = terminate(raw);
            length = raw.len;
        } else {
            length = text_length(to->items[i]);
        }
        if (!check_string(d, path, field, count > 1 ? i + 1 : 0, to->items[i], length, field->item_max,
                          is_raw))
            return false;
    }
    return true;
}

/* ---- the other fields ------------------------------------------------------------------------------------------ */

static bool decode_word(wire_decoding *d, const wire_path *path, const wire_field *field, unsigned value,
                        void *to) {
    if (value == 0)
        value = field->zero;
    if (value < field->words->count && value >= field->min) {
        memcpy(to, &value, sizeof value);
        return true;
    }
    char known[160];
    wire_words_list(field->words, known, sizeof known);
    wire_path here = {path, field->name, 0};
    if (value == 0)
        return wire_refuse(d, WIRE_INVALID, &here, "is missing (one of %s)", known);
    return wire_refuse(d, WIRE_INVALID, &here, "%d is not known (%s)", (int)value, known);
}

static bool decode_key(wire_decoding *d, const wire_path *path, const wire_field *field, const void *from,
                       void *to) {
    const ProtobufCBinaryData *key = from;
    if (key->len != WIRE_KEY_BYTES)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, field->name, 0}, "has %zu bytes (exactly %d)",
                           key->len, WIRE_KEY_BYTES);
    memcpy(to, key->data, WIRE_KEY_BYTES);
    return true;
}

/* What is absent has defaults too: no string is NULL. The rest is zero already. */
static void decode_nothing(const wire_shape *shape, uint8_t *plain) {
    for (size_t i = 0; i < shape->field_count; i++) {
        const wire_field *field = &shape->fields[i];
        if (field->type == FIELD_TEXT || field->type == FIELD_RAW)
            *(const char **)(plain + field->at) = "";
        else if (field->type == FIELD_PART)
            decode_nothing(field->shape, plain + field->at);
    }
}

static bool decode_part(wire_decoding *d, const wire_path *path, const wire_field *field, const void *from,
                        void *to) {
    ProtobufCMessage *message;
    memcpy(&message, from, sizeof message);
    if (message)
        return wire_decode(d, &(wire_path){path, field->name, 0}, field->shape, message, to);
    if (field->min > 0)
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, field->name, 0}, "is missing");
    decode_nothing(field->shape, to);
    return true;
}

static bool decode_list(wire_decoding *d, const wire_path *path, const wire_field *field, const void *from,
                        size_t count, void *to) {
    if (!check_count(d, path, field, count, field->max))
        return false;
    if (count == 0)
        return true;
    ProtobufCMessage **messages;
    memcpy(&messages, from, sizeof messages);
    uint8_t *items = wire_arena_zalloc(d->arena, count * field->shape->bytes);
    if (!items)
        return refuse_no_memory(d, path);
    memcpy(to, &items, sizeof items);
    for (size_t i = 0; i < count; i++) {
        wire_path here = {path, field->name, count > 1 ? i + 1 : 0};
        if (!wire_decode(d, &here, field->shape, messages[i], items + i * field->shape->bytes))
            return false;
    }
    return true;
}

static bool decode_u64(wire_decoding *d, const wire_path *path, const wire_field *field, uint64_t value,
                       void *to) {
    if (value < field->min || (field->max && value > field->max))
        return refuse_number(d, path, field, value);
    memcpy(to, &value, sizeof value);
    return true;
}

static bool decode_u32(wire_decoding *d, const wire_path *path, const wire_field *field, uint32_t value,
                       void *to) {
    if (value < field->min || (field->max && value > field->max))
        return refuse_number(d, path, field, value);
    memcpy(to, &value, sizeof value);
    return true;
}

static bool decode_field(wire_decoding *d, const wire_path *path, const wire_field *field, uint8_t *message,
                         uint8_t *plain) {
    void *from = message + field->pb_at, *to = plain + field->at;
    switch (field->type) {
    case FIELD_U64:
    case FIELD_DURATION: return decode_u64(d, path, field, *(uint64_t *)from, to);
    case FIELD_U32: return decode_u32(d, path, field, *(uint32_t *)from, to);
    case FIELD_I32: memcpy(to, from, sizeof(int32_t)); return true;
    case FIELD_FLAG: *(bool *)to = *(protobuf_c_boolean *)from != 0; return true;
    case FIELD_WORD: return decode_word(d, path, field, *(unsigned *)from, to);
    case FIELD_TEXT:
    case FIELD_RAW: return decode_string(d, path, field, from, to);
    case FIELD_DATA: {
        const ProtobufCBinaryData *data = from;
        *(wire_bytes *)to = (wire_bytes){data->data, data->len};
        return true;
    }
    case FIELD_KEY: return decode_key(d, path, field, from, to);
    case FIELD_TEXTS:
    case FIELD_RAWS:
        return decode_strings(d, path, field, from, *(size_t *)(message + field->pb_count_at), to);
    case FIELD_PART: return decode_part(d, path, field, from, to);
    case FIELD_LIST: {
        size_t count = *(size_t *)(message + field->pb_count_at);
        *(size_t *)(plain + field->count_at) = count;
        return decode_list(d, path, field, from, count, to);
    }
    }
    return false;
}

static bool decode_oneof(wire_decoding *d, const wire_path *path, const wire_oneof *oneof, uint8_t *message,
                         uint8_t *plain) {
    unsigned tag = *(unsigned *)(message + oneof->pb_case_at);
    if (tag == 0) {
        char known[160];
        wire_words_list(oneof->words, known, sizeof known);
        return wire_refuse(d, WIRE_INVALID, &(wire_path){path, oneof->name, 0}, "is missing (one of %s)",
                           known);
    }
    unsigned value = tag - oneof->base;
    const struct wire_option *option = &oneof->options[value];
    ProtobufCMessage *body;
    memcpy(&body, message + oneof->pb_at, sizeof body);
    *(unsigned *)(plain + oneof->at) = value;
    return wire_decode(d, path, option->shape, body, plain + option->at);
}

bool wire_decode(wire_decoding *d, const wire_path *path, const wire_shape *shape, ProtobufCMessage *message,
                 void *plain) {
    if (d->strict && message->n_unknown_fields > 0)
        return wire_refuse(d, WIRE_UNSUPPORTED, path,
                           "field %u of %s is not known here (this service speaks version %d)",
                           message->unknown_fields[0].tag, shape->pb->short_name, WIRE_VERSION);
    for (size_t i = 0; i < shape->field_count; i++)
        if (!decode_field(d, path, &shape->fields[i], (uint8_t *)message, plain))
            return false;
    if (shape->oneof && !decode_oneof(d, path, shape->oneof, (uint8_t *)message, plain))
        return false;
    return !shape->check || shape->check(d, path, plain);
}
