/* The contract between the service and its clients, as plain structs; wire.c turns them into protobuf bytes and back,
 * and is the only place that knows protobuf-c. heddle.proto documents the same fields for other languages.
 *
 * A decoded message is one block of memory: all its strings and arrays live in an arena, capped at WIRE_ARENA_FACTOR
 * times the size of the bytes it came from, and go with wire_free. What was decoded is valid: strings are UTF-8 without
 * NUL and never NULL (an absent one is ""), enums are known, counts and lengths are within the limits below, numbers
 * within theirs. argv, environment values and paths may hold any bytes but NUL (systems have such file names).
 * Names, groups and labels have no control characters. The lists of a reply are bounded by its size only.
 * For encoding, NULL strings stand for "". A request is encoded as it is; in a reply, text that is not UTF-8 is mended
 * ('?') and cut at WIRE_STRING_MAX, so that it always decodes.
 *
 * Not synchronised; each message belongs to one thread at a time. */
#ifndef HEDDLE_WIRE_H
#define HEDDLE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_VERSION = 1,            /* of the requests below */
    WIRE_MESSAGE_MAX = 4 << 20,  /* bytes; the transport drops what is larger */
    WIRE_BATCH_MAX = 1 << 20,    /* bytes a submission should not exceed: batches are cut into such pieces */
    WIRE_REPLY_TARGET = 1 << 20, /* bytes a reply of many rows aims at */
    WIRE_ARENA_FACTOR = 40,      /* how many times its size a message may unpack to, and a base */
    WIRE_NAME_MAX = 128,         /* bytes of names, groups, labels */
    WIRE_STRING_MAX = 128 << 10, /* bytes of one argument, variable, path or URL */
    WIRE_LIST_MAX = 65536,       /* members of a list, unless said otherwise */
    WIRE_KEY_BYTES = 16,         /* of a submission's key */
    WIRE_RETRIES_MAX = 1000000,  /* of a job */
    WIRE_REDIRECTS_MAX = 1000,   /* of an http job */
    WIRE_SCRIPT_MAX = 1 << 20,   /* bytes of a script's code, all its files together */
    WIRE_SCRIPT_FILES_MAX = 1024,
};

/* 100 years: the longest duration in a request, so that now and a duration never overflow. */
static const uint64_t WIRE_DURATION_MAX_NS = UINT64_C(3155760000) * 1000000000;

/* ---- words ----------------------------------------------------------------------------------------------------- */

typedef enum wire_kind {
    WIRE_SLEEP = 1,
    WIRE_EXEC,
    WIRE_HTTP,
    WIRE_HASH,
    WIRE_CPU,
    WIRE_LUA,
    WIRE_KINDS
} wire_kind;
typedef enum wire_loop { WIRE_MULTI = 1, WIRE_SINGLE, WIRE_LOOPS } wire_loop;

typedef enum wire_state {
    WIRE_SCHEDULED = 1, /* delayed: until its time */
    WIRE_BLOCKED,       /* on a dependency */
    WIRE_QUEUED,        /* on its group's limit or the service's */
    WIRE_RUNNING,
    WIRE_RETRYING, /* between attempts */
    WIRE_SUCCEEDED,
    WIRE_FAILED,
    WIRE_CANCELLED,
    WIRE_TIMED_OUT,
    WIRE_LOST,
    WIRE_STATES
} wire_state;

typedef enum wire_condition {
    WIRE_AFTER_OK = 1,
    WIRE_AFTER_ANY,
    WIRE_AFTER_FAIL,
    WIRE_CONDITIONS
} wire_condition;

/* What became of a script's task that nobody looked after. */
typedef enum wire_finding {
    WIRE_NOT_AWAITED = 1, /* it failed, and nobody asked for its error */
    WIRE_STILL_RAN,       /* it was running when the script ended, and was cancelled */
    WIRE_FINDINGS
} wire_finding;

/* What is asked of a shell. */
typedef enum wire_act {
    WIRE_ACT_LINE = 1,
    WIRE_ACT_NAMES,     /* that begin like this one */
    WIRE_ACT_INTERRUPT, /* of the line that runs */
    WIRE_ACT_END,       /* no more lines: the job is to end */
    WIRE_ACTS
} wire_act;

typedef enum wire_line_end {
    WIRE_LINE_DONE = 1,
    WIRE_LINE_FAILED,
    WIRE_LINE_CANCELLED,
    WIRE_LINE_INCOMPLETE, /* it breaks off, and nothing was run: again with what follows */
    WIRE_LINE_ENDS
} wire_line_end;

typedef enum wire_code {
    WIRE_OK = 0,
    WIRE_INVALID,     /* the request's content is wrong: the message names the value and the way out */
    WIRE_UNSUPPORTED, /* a version or a request that this service does not know */
    WIRE_NOT_FOUND,   /* no such job */
    WIRE_DENIED,
    WIRE_FULL, /* a limit is reached; the message names it */
    WIRE_DRAINING,
    WIRE_WRONG_STATE,
    WIRE_TIMED_OUT_WAITING,
    WIRE_INTERNAL,
    WIRE_CODES
} wire_code;

/* "exec", "multi", "timed-out", ...; NULL if there is no such value. The reverse: 0 if there is no such name (of `bytes`
 * length). */
const char *wire_kind_name(wire_kind kind);
const char *wire_loop_name(wire_loop loop);
const char *wire_state_name(wire_state state);
const char *wire_condition_name(wire_condition condition);
const char *wire_finding_name(wire_finding finding);
const char *wire_code_name(wire_code code);
const char *wire_act_name(wire_act act);
const char *wire_line_end_name(wire_line_end end);
wire_kind wire_kind_of(const char *name);
wire_loop wire_loop_of(const char *name);
wire_state wire_state_of(const char *name);
wire_condition wire_condition_of(const char *name);

static inline bool wire_state_is_final(wire_state state) {
    return state >= WIRE_SUCCEEDED;
}

typedef struct wire_bytes {
    const uint8_t *data;
    size_t length;
} wire_bytes;

typedef struct wire_strings {
    const char **items;
    size_t count;
} wire_strings;

/* ---- a job as it is submitted ---------------------------------------------------------------------------------- */

typedef struct wire_after {
    uint64_t id;
    wire_condition condition; /* WIRE_AFTER_OK: it succeeded; ANY: it ended; FAIL: it ended otherwise */
} wire_after;

/* A file that a script can `require`. */
typedef struct wire_script_file {
    const char *name; /* relative to the script's folder: "lib/fetch.lua" */
    wire_bytes code;
} wire_script_file;

typedef struct wire_job {
    const char *name;
    wire_kind kind;
    wire_loop loop;      /* 0 in an encoding: multi */
    uint64_t timeout_ns; /* 0: none. Per attempt */
    uint64_t delay_ns;   /* 0: none */
    uint32_t retries;    /* further attempts after a failure or timeout */
    uint64_t backoff_ns; /* before the first retry; doubles with each, up to an hour; 0: one second */
    int32_t priority;    /* higher goes first among the queued; default 0 */
    const char *group;   /* "": none */
    uint32_t parallel;   /* sets the group's limit of running jobs; 0: leave it */
    wire_after *after;
    size_t after_count;
    wire_strings labels; /* "key=value" or "key" */
    wire_strings env;    /* "KEY=value", added to the service's environment */
    const char *cwd;
    bool cwd_explicit; /* false: where the client was: used if it is the service's own user */
    uint64_t
        grace_ns; /* exec: from SIGTERM to SIGKILL when it has to end; lua: for its clean-up; 0: the service's */
    const char *output; /* exec, http: the file that gets the output instead of the record; "" none */
    union {
        struct {
            uint64_t duration_ns;
        } sleep;
        struct {
            wire_strings argv;
            wire_bytes input; /* for its stdin; none: /dev/null */
        } exec;
        struct {
            const char *url;
            const char *method; /* "": GET, or POST with a body */
            wire_strings headers;
            wire_bytes body;
            uint32_t expect;    /* status; 0: any below 400 */
            uint32_t redirects; /* how many to follow; 0: none */
            uint64_t max_bytes; /* of the answer; 0: the service's default */
            const char *proxy;
            const char *ca_file;
        } http;
        struct {
            wire_strings paths;
            const char *algorithm; /* "": sha256 */
        } hash;
        struct {
            uint64_t units; /* about a millisecond of one core each, the same work everywhere */
        } cpu;
        struct {
            const char *program; /* its name, as messages show it */
            wire_bytes code;
            wire_strings args;
            wire_script_file *files;
            size_t file_count;
            /* limits; 0: what the service gives */
            uint64_t memory_bytes;
            uint64_t cpu_ns; /* of running on a loop */
            uint64_t output_bytes;
            uint64_t tasks;   /* at once */
            bool interactive; /* a shell: it goes on with lines (WIRE_INPUT), and ends with its client */
        } lua;
    } u;
} wire_job;

/* ---- requests ---------------------------------------------------------------------------------------------------- */

typedef struct wire_range {
    uint64_t first, last; /* both included */
} wire_range;

/* Which jobs. Ids by ranges; the other conditions all have to hold. Empty and not `all`: none. */
typedef struct wire_selector {
    bool all;
    wire_range *ranges;
    size_t range_count;
    const char *group; /* "": any */
    const char *label; /* "": any; "key" or "key=value" */
    const char *name;  /* "": any */
    uint32_t states;   /* bit (1 << wire_state); 0: any */
    wire_kind kind;    /* 0: any */
} wire_selector;

typedef enum wire_verb {
    WIRE_PING = 1,
    WIRE_SUBMIT,
    WIRE_WAIT,
    WIRE_EVENTS,
    WIRE_LIST,
    WIRE_SHOW,
    WIRE_LOGS,
    WIRE_CANCEL,
    WIRE_TASKS,
    WIRE_STATS,
    WIRE_DRAIN,
    WIRE_INPUT,
    WIRE_VERBS
} wire_verb;

const char *wire_verb_name(wire_verb verb);

typedef struct wire_request {
    uint32_t version; /* filled in by wire_request_encode when 0 */
    wire_verb verb;
    union {
        struct {
            uint8_t key[WIRE_KEY_BYTES]; /* random: the same key again makes no second set of jobs */
            wire_job *jobs;              /* all of them or none become jobs */
            size_t count;
            bool follow; /* one job: its output is asked for from offset 0, and nothing may be lost */
        } submit;
        struct {
            wire_selector select;
            bool any;            /* answer when one has ended, not all */
            uint64_t timeout_ns; /* 0: none; when it is over the reply is WIRE_OK with `timed_out` */
            uint64_t
                seen_done; /* with `progress`: answer also, without outcomes, when more than this have ended */
            bool progress;
        } wait;
        struct {
            uint64_t from; /* sequence number; 0: the oldest kept */
            bool follow;   /* wait until there is one */
            bool from_now; /* the next one that comes, instead of `from` */
            wire_selector select;
        } events;
        struct {
            wire_selector select;
            uint64_t after_id; /* rows with greater ids; 0 from the start */
            uint32_t limit;    /* 0: as many as the reply takes */
            bool newest;       /* with limit: the last ones, still in ascending order */
        } list;
        struct {
            uint64_t id;
        } show;
        struct {
            uint64_t id;
            uint64_t offset; /* in the job's output, both streams as one sequence */
            bool follow;     /* wait for more, and keep the job from running ahead of this client */
        } logs;
        struct {
            wire_selector select;
            uint64_t grace_ns; /* 0: the job's own */
        } cancel;
        struct {
            uint64_t job;      /* 0: of all */
            uint64_t after_id; /* tasks with greater ids */
            uint32_t limit;
            uint64_t after_job; /* not 0: scripts' tasks only, behind the one of this job with that id */
        } tasks;
        struct {
            uint64_t timeout_ns; /* then the rest is cancelled; 0: the service's default */
        } drain;
        struct { /* to a shell of one's own; answered when the line has ended */
            uint64_t id;
            wire_act act;     /* 0 in an encoding: a line */
            wire_bytes code;  /* of a line; what names begin with: "string.fo" */
            const char *name; /* "": a line, which may be an expression; else it is the file of that name */
        } input;
    } u;
} wire_request;

/* ---- replies ------------------------------------------------------------------------------------------------------- */

typedef struct wire_outcome {
    uint64_t id;
    wire_state state;
    int32_t exit_code; /* exec: of the process, 125 and on as for `run`; others: 0 or 1 */
    int32_t signal;    /* that ended the process; 0: none */
    const char *error; /* "": none */
} wire_outcome;

/* What a job's or a task's time went to, in nanoseconds. The parts sum to its age. */
enum wire_phase {
    WIRE_PHASE_RUNNABLE,
    WIRE_PHASE_RUNNING,
    WIRE_PHASE_TIMER,
    WIRE_PHASE_DESCRIPTOR,
    WIRE_PHASE_TASK,
    WIRE_PHASE_LOCK,
    WIRE_PHASE_CHANNEL,
    WIRE_PHASE_POOL,
    WIRE_PHASE_CHILD,
    WIRE_PHASES
};
const char *wire_phase_name(unsigned phase);

typedef struct wire_script_finding {
    wire_finding kind;
    const char *task; /* its name */
    const char *text; /* its error, with the traceback; "": none */
} wire_script_finding;

/* What became of a script, beside its output. */
typedef struct wire_script_report {
    const char *error;     /* "": it did not fail */
    const char *traceback; /* "": none */
    wire_script_finding *findings;
    size_t finding_count;
    uint64_t more_findings; /* so many are not told */
    uint64_t tasks;         /* how many there were, the program among them; 0: there is no report */
    uint64_t memory_peak_bytes;
} wire_script_report;

typedef struct wire_job_info {
    wire_outcome outcome;
    const char *why; /* not running, not final: which limit, which dependency, until when */
    const char *name;
    const char *group;
    const char *summary; /* its command line, URL, ... in one printable line */
    wire_kind kind;
    wire_loop loop;
    int32_t priority;
    uint32_t uid;
    uint32_t attempt; /* 1: the first; 0: none yet */
    uint32_t attempts_max;
    int32_t pid;           /* of the child while it runs; 0: none */
    uint64_t submitted_ns; /* these three: nanoseconds of the Unix epoch; 0: not yet */
    uint64_t started_ns;   /* the last attempt */
    uint64_t ended_ns;
    uint64_t waited_ns;      /* from the submission (or the delay's end) to the start of the last attempt */
    uint64_t ran_ns;         /* the last attempt */
    uint64_t output_bytes;   /* produced */
    uint64_t output_dropped; /* of these, no longer there */
    /* by show only */
    wire_strings labels;
    wire_after *after;
    size_t after_count;
    const char *cwd;
    const char *output;
    uint64_t timeout_ns;
    uint64_t phases_ns[WIRE_PHASES]; /* of the root task of the last attempt */
    wire_script_report script;       /* lua: of the last attempt that has ended */
} wire_job_info;

typedef struct wire_event {
    uint64_t sequence;
    uint64_t time_ns; /* Unix epoch */
    uint64_t id;
    wire_state from; /* 0: it was just submitted */
    wire_state to;
    uint32_t attempt;
    const char *why; /* or the error */
    const char *name;
} wire_event;

typedef struct wire_chunk {
    bool is_stderr;
    wire_bytes bytes;
    uint64_t gap; /* bytes that were dropped just before it */
} wire_chunk;

typedef struct wire_task_info {
    uint64_t id, job;
    const char *runtime; /* "multi", "single", "control" */
    const char *name;
    const char *state;     /* "delayed", "runnable", "running", "waiting" */
    const char *waits_for; /* "timer", ...; "" */
    uint64_t waits_detail; /* descriptor, task id, pid; of a timer the nanoseconds that are left; else 0 */
    int32_t worker;
    bool cancelled;
    uint64_t age_ns;
    uint64_t stack_high_water; /* bytes */
    bool of_script; /* one of a script's own: `id` counts within its job, `waits_for` is a word for people */
    uint64_t phases_ns[WIRE_PHASES];
} wire_task_info;

typedef struct wire_loop_stats {
    uint64_t tasks_spawned, tasks_ended, switches, yields, steals, tasks_stolen, tasks_hosted, from_injector,
        parks, spins, spin_hits, wakes_sent, timers_fired, fd_events, busy_ns, idle_ns, queued, stuck;
    bool parked;
} wire_loop_stats;

typedef struct wire_pool_stats {
    const char *name;
    uint64_t calls_ended, busy_ns;
    uint32_t threads, threads_max, idle, queued;
} wire_pool_stats;

typedef struct wire_runtime_stats {
    const char *name;
    wire_loop_stats *loops;
    size_t loop_count;
    wire_pool_stats *pools;
    size_t pool_count;
} wire_runtime_stats;

typedef struct wire_group_stats {
    const char *name;
    uint32_t parallel, running, queued;
} wire_group_stats;

typedef struct wire_reply {
    uint32_t version;
    wire_code code;
    const char *error; /* code is not OK: for a person */
    wire_verb verb;    /* which of these is filled; 0 with an error */
    union {
        struct {
            const char *release; /* of the service: "0.1.0" */
            uint32_t pid;
            uint64_t uptime_ns;
            bool draining;
        } ping;
        struct {
            uint64_t first_id; /* the jobs have the ids from this one on, in order */
            uint32_t count;
            bool repeated; /* the key was known: these are the jobs made then */
        } submit;
        struct {
            uint64_t total, done; /* of those selected */
            uint64_t failed;      /* done, but not succeeded */
            bool timed_out;
            wire_outcome *outcomes; /* of those that are done, by ascending id */
            size_t count;
            bool more; /* not all fitted: ask again for those behind the last */
        } wait;
        struct {
            wire_event *events;
            size_t count;
            uint64_t next; /* ask from here */
            uint64_t lost; /* events before these that are no longer kept */
        } events;
        struct {
            wire_job_info *jobs;
            size_t count;
            bool more;
            uint64_t total; /* matching */
        } list;
        wire_job_info show;
        struct {
            wire_chunk *chunks;
            size_t count;
            uint64_t next;        /* offset to ask from */
            bool end;             /* the job has ended and this was the last of its output */
            wire_outcome outcome; /* with `end` */
        } logs;
        struct {
            uint64_t matched, cancelled; /* asked to end; others had ended before */
        } cancel;
        struct {
            wire_task_info *tasks;
            size_t count;
            bool more;
        } tasks;
        struct {
            const char *release;
            uint32_t pid;
            bool draining;
            uint64_t uptime_ns, memory_bytes;
            uint64_t jobs[WIRE_STATES]; /* by state, of those kept */
            uint64_t submitted, ended, refused;
            uint64_t oldest_queued_ns; /* age */
            uint64_t clients, requests;
            uint64_t events_next;
            uint64_t queue_max;
            wire_runtime_stats *runtimes;
            size_t runtime_count;
            wire_group_stats *groups;
            size_t group_count;
        } stats;
        struct {
            uint64_t cancelled; /* jobs that did not end in time */
        } drain;
        struct {
            wire_line_end end;     /* 0: no line was asked for */
            const char *text;      /* its values, or what is wrong; names, one a line */
            const char *traceback; /* "": it failed in the line itself */
            uint64_t offset;       /* in the job's output, behind what the line printed */
        } input;
    } u;
} wire_reply;

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

/* Encode into one malloc'ed block, which the caller frees; NULL when there is no memory. */
uint8_t *wire_request_encode(const wire_request *request, size_t *length);
uint8_t *wire_reply_encode(const wire_reply *reply, size_t *length);

/* The encoded size of one job within a submission, to cut batches into pieces; SIZE_MAX when there is no memory. */
size_t wire_job_size(const wire_job *job);

/* Decode and validate. On failure NULL, `*code` (WIRE_INVALID, WIRE_UNSUPPORTED or WIRE_INTERNAL for no memory) and a
 * message of at most `error_bytes` that names the field, its value, and what would be right; of several jobs, it
 * begins with "job N: ", from 1. A reply with an error decodes whatever version it has, and has no body. */
wire_request *wire_request_decode(const uint8_t *data, size_t length, wire_code *code, char *error,
                                  size_t error_bytes);
wire_reply *wire_reply_decode(const uint8_t *data, size_t length, char *error, size_t error_bytes);

/* Frees what a decode returned, with all that is in it. NULL is fine. */
void wire_request_free(wire_request *request);
void wire_reply_free(wire_reply *reply);

#endif
