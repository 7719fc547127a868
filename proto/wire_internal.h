/* Inside proto/: what the files of wire share. No other folder includes this.
 *
 *   wire.c           the functions of wire.h
 *   wire_request.c   tables: the requests, verb by verb
 *   wire_reply.c     tables: the replies, verb by verb
 *   wire_stats.c     tables: the reply to `stats`
 *   wire_rows.c      tables: what replies list: jobs, events, output, tasks
 *   wire_job.c       tables: a job as it is submitted, kind by kind
 *   wire_encode.c    plain structs -> protobuf-c's      (driven by the tables)
 *   wire_decode.c    protobuf-c's -> plain structs      (driven by the tables, which also say what is valid)
 *   wire_text.c      UTF-8, forms, quoting
 *   wire_words.c     the enums' names
 *   wire_arena.c     memory that goes at once
 *
 * Each message is described once, by a wire_shape; both directions and the validation follow from it, so that they
 * cannot differ. */
#ifndef WIRE_INTERNAL_H
#define WIRE_INTERNAL_H

#include <string.h>
#include <protobuf-c/protobuf-c.h>
#include "heddle.pb-c.h"
#include "wire.h"

/* ---- arena ----------------------------------------------------------------------------------------------------- */

struct wire_block;

/* Bump memory under a cap. Each piece knows its size, and has one byte more than was asked for: protobuf-c gives
 * strings without a length and bytes without a NUL, and so each can be had. */
typedef struct wire_arena {
    uint8_t *next, *end;       /* of the current block, between them is what is free */
    struct wire_block *blocks; /* all of them, the buffer that the arena started with excepted */
    size_t left;               /* bytes that further blocks may have */
    size_t grow;               /* the least size of the next block */
    bool full;                 /* the cap was met */
    bool no_memory;            /* the system had none */
    ProtobufCAllocator allocator;
} wire_arena;

/* `buffer` (`bytes` of it, aligned to 8) is used first and stays the caller's. Further blocks have at most `cap` bytes
 * in all. */
void wire_arena_init(wire_arena *arena, void *buffer, size_t bytes, size_t cap);
void wire_arena_fini(wire_arena *arena);

/* Memory aligned to 8, NULL when the cap is met or the system has none; see `full` and `no_memory`. */
void *wire_arena_alloc(wire_arena *arena, size_t bytes);
void *wire_arena_zalloc(wire_arena *arena, size_t bytes);

/* How much was asked for when `memory` was allocated. */
static inline size_t wire_arena_size(const void *memory) {
    size_t bytes;
    memcpy(&bytes, (const uint8_t *)memory - sizeof bytes, sizeof bytes);
    return bytes;
}

/* Where all memory of this folder comes from: malloc. Tests put a function here that counts and fails. */
extern void *(*wire_memory)(size_t bytes);

/* ---- words and text -------------------------------------------------------------------------------------------- */

/* Names by value; those below `first` are not for people. */
typedef struct wire_words {
    const char *const *names;
    unsigned first, count;
} wire_words;

extern const wire_words wire_kind_words, wire_loop_words, wire_state_words, wire_condition_words,
    wire_finding_words, wire_code_words, wire_act_words, wire_line_end_words, wire_verb_words;

/* "exec, http, hash": as many as `room` holds. */
void wire_words_list(const wire_words *words, char *out, size_t room);

/* What a string must look like beside being text: true if it does; and what is wrong otherwise, as in
 * `label: "=x" <problem>`. */
typedef struct wire_form {
    bool (*holds)(const char *text, size_t length);
    const char *problem;
} wire_form;

extern const wire_form wire_form_name, wire_form_label, wire_form_variable, wire_form_header,
    wire_form_method, wire_form_filled;

/* NULL if it is UTF-8 without NUL, else what is wrong. */
const char *wire_text_problem(const char *text, size_t length);

/* Makes it UTF-8 without NUL in place: what is not becomes '?'. */
void wire_text_mend(char *text, size_t length);

/* The length not above `most` at which the text can be cut without cutting a character. */
size_t wire_text_cut(const char *text, size_t length, size_t most);

/* "value" in quotes, cut, printable. */
enum { WIRE_QUOTE_BYTES = 80 };
const char *wire_quote(char out[WIRE_QUOTE_BYTES], const void *data, size_t length);

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

typedef enum wire_type {
    FIELD_U64,
    FIELD_U32,
    FIELD_I32,
    FIELD_DURATION, /* u64, nanoseconds */
    FIELD_FLAG,     /* bool */
    FIELD_WORD,     /* an enum */
    FIELD_TEXT,     /* const char *, UTF-8 */
    FIELD_RAW,      /* const char *, any bytes but NUL */
    FIELD_DATA,     /* wire_bytes */
    FIELD_KEY,      /* uint8_t[WIRE_KEY_BYTES] */
    FIELD_TEXTS,    /* wire_strings, UTF-8 */
    FIELD_RAWS,     /* wire_strings, any bytes but NUL */
    FIELD_PART,     /* a struct within */
    FIELD_LIST      /* a pointer to structs, and their number */
} wire_type;

typedef struct wire_field {
    const char *name; /* as a person knows it; of a list, one member's */
    wire_type type;
    uint16_t at, pb_at;             /* offsets in the plain struct and in protobuf-c's */
    uint16_t count_at, pb_count_at; /* the same for a list's number of members */
    uint64_t min,
        max; /* of a number's value (max 0: any), a string's bytes, a list's members; FIELD_WORD: min 1: not 0 */
    unsigned zero;                  /* FIELD_WORD: the value that 0 stands for */
    const wire_words *words;        /* FIELD_WORD */
    const wire_form *form;          /* strings; NULL: any */
    uint64_t item_max;              /* lists of strings: bytes of one */
    const struct wire_shape *shape; /* FIELD_PART, FIELD_LIST */
} wire_field;

typedef struct wire_decoding wire_decoding;
typedef struct wire_path wire_path;

/* The one alternative of several that a message has: `kind` of a job, `verb` of requests and replies. */
typedef struct wire_oneof {
    const char *name;
    uint16_t at;                /* of the enum in the plain struct */
    uint16_t pb_case_at, pb_at; /* of the case and of the pointers in protobuf-c's */
    unsigned base;              /* the field number of an alternative is this and the enum's value */
    const wire_words *words;
    const struct wire_option {
        const struct wire_shape *shape;
        uint16_t at; /* where the offsets of `shape` count from */
    } * options;     /* by the enum's value */
} wire_oneof;

typedef struct wire_shape {
    const ProtobufCMessageDescriptor *pb;
    size_t bytes; /* of the plain struct; 0: an alternative, whose fields lie in the struct around it */
    const wire_field *fields;
    size_t field_count;
    const wire_oneof *oneof; /* NULL: none */
    bool (*check)(wire_decoding *decoding, const wire_path *path,
                  const void *plain); /* NULL: each field says all */
} wire_shape;

/* For tables: `path` within the plain struct goes with `member` of the message. */
#define WIRE_AT(plain, path, message, member) \
    .at = offsetof(plain, path), .pb_at = offsetof(Heddle__V1__##message, member)
#define WIRE_COUNT_AT(plain, path, message, member) \
    .count_at = offsetof(plain, path), .pb_count_at = offsetof(Heddle__V1__##message, member)
#define WIRE_FIELDS(table) .fields = (table), .field_count = sizeof(table) / sizeof *(table)

enum {
    WIRE_VERB_BASE = 10
}; /* an alternative of Request and Reply has this and the verb's value as its number */

extern const wire_shape wire_request_shape, wire_reply_shape, wire_error_shape, wire_stats_shape;
extern const wire_shape wire_job_shape, wire_after_shape, wire_info_shape, wire_outcome_shape,
    wire_phases_shape, wire_script_shape, wire_event_shape, wire_chunk_shape, wire_task_shape;

/* ---- both directions ------------------------------------------------------------------------------------------- */

/* protobuf-c's struct for `plain`, in the arena; it points into `plain`. `mend`: text that is none is made text.
 * NULL: no memory. */
ProtobufCMessage *wire_encode(wire_arena *arena, bool mend, const wire_shape *shape, const void *plain);

struct wire_decoding {
    wire_arena *arena;
    bool strict; /* a field that is not known is an error */
    wire_code code;
    char *error;
    size_t error_bytes;
};

/* Where in the message: printed as "job 3: label: ". */
struct wire_path {
    const wire_path *up;
    const char *name;
    size_t number; /* from 1; 0: the only one */
};

/* Fills `plain` (zeroed) from a message that lies in the arena; `plain` then points into the arena. False: refused. */
bool wire_decode(wire_decoding *decoding, const wire_path *path, const wire_shape *shape,
                 ProtobufCMessage *message, void *plain);

/* Says what is wrong: "<path>: <message>". Returns false. */
bool wire_refuse(wire_decoding *decoding, wire_code code, const wire_path *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
