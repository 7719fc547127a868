/* The output of a job: one sequence of bytes, each of stdout or stderr, of which the beginning and the end are kept.
 *
 * A *follower* is a client that reads along and says how far it has come. What lies beyond that is never dropped, and a
 * writer that is more than a window ahead of it awaits: so `run > file` loses nothing, and the job goes at the pace of the
 * file. Without followers nobody waits for anybody.
 *
 * Written on the job runtimes, read on the control runtime; a mutex inside, held for a copy at most. */
#ifndef HEDDLED_OUTPUT_H
#define HEDDLED_OUTPUT_H

#include "arena.h"
#include "heddle.h"
#include "links.h"
#include "wire.h"

#include <stdatomic.h>

/* All outputs together, and the limits, in bytes: of what is made from now on, and (`total`) of all. */
struct outputs {
    _Atomic uint64_t bytes; /* of memory in use */
    _Atomic uint64_t head, tail, window, total;
    struct links ended; /* outputs of ended jobs, oldest first: the control runtime's */
};

struct output;

/* The output whose place that is; made if it is not there yet: most jobs write nothing. NULL: no memory. `outputs`
 * outlives it. Any thread. */
struct output *output_at(_Atomic(struct output *) *place, struct outputs *outputs);
void output_destroy(struct output *output);

/* Appends; awaits while a follower lags too far. 0, HD_ECANCELED (what was over the window may be lost), HD_ENOMEM.
 * Task. */
HD_CHECKED int output_write(struct output *output, bool is_stderr, const void *bytes, size_t length);

/* No more will come. Control runtime. */
void output_end(struct output *output);

/* Lets go of what the oldest ended outputs hold until all fit the limit. Control runtime. */
void outputs_trim(struct outputs *outputs);

/* A follower: in the list of the output while it follows. */
struct follower {
    struct links of_output;
    uint64_t acknowledged; /* offset before which it has everything */
};

void output_follow(struct output *output, struct follower *follower, uint64_t offset);
void output_unfollow(struct output *output, struct follower *follower);

/* It has everything before `offset`: frees what was kept for it, lets writers go on. */
void output_acknowledge(struct output *output, struct follower *follower, uint64_t offset);

struct output_piece {
    wire_chunk *chunks; /* in the arena */
    size_t count;
    uint64_t next; /* offset behind them */
    bool end;      /* nothing follows, ever */
};

/* Copies what there is from `offset` on, about `most` bytes. False: no memory. */
bool output_read(struct output *output, uint64_t offset, size_t most, struct arena *arena,
                 struct output_piece *piece);

/* Awaits something behind `offset`, or the end. 0 or an error. Control runtime; task. */
HD_CHECKED int output_wait(struct output *output, uint64_t offset);

void output_counts(struct output *output, uint64_t *bytes, uint64_t *dropped);

#endif
