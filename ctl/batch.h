/* Many jobs for the service, in pieces: each is one request, atomic, with a key of its own. While the service commits one, the
 * next is put together. */
#ifndef CTL_BATCH_H
#define CTL_BATCH_H

#include "command.h"
#include "spec.h"

enum { BATCH_PIECE_JOBS = 10000 };

struct batch_piece {
    struct scratch memory;
    wire_job *jobs;
    uint64_t *lines; /* where each comes from */
    size_t count, room;
    size_t bytes; /* encoded */
};

struct batch {
    struct cli *cli;
    spec_source source;
    bool keep_going; /* skip what is wrong */

    struct batch_piece pieces[2]; /* the one being filled, and the one under way */
    unsigned filling;             /* index of the former */
    struct client_call *under_way;

    wire_range *ranges; /* of the jobs there are now, in cli->memory */
    size_t range_count;
    uint64_t submitted, skipped;
    int status; /* EXIT_OK, or why to stop */
};

/* Adds the job on that line. False when the batch is to stop (its status says why). */
bool batch_add(struct batch *batch, uint64_t number, const char *line, size_t length);

/* Hands over what was added so far. */
bool batch_flush(struct batch *batch);

/* The same, and waits until all is known. After a bad line (status) the piece that it is in is dropped. */
bool batch_finish(struct batch *batch);
void batch_fini(struct batch *batch);

#endif
