/* See batch.h. What a single line says wrong is mostly found here. What only wire's rules (the forms of names) or the service
 * (its kinds, dependencies, limits) know to be wrong comes back for a piece as a whole. The lines against wire's rules are then
 * all found by asking wire about each job; another one the service names by its place in the piece. */
#include "batch.h"
#include "submission.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { JOB_FRAME = 8 /* bytes around a job in a submission, at most */ };

static bool stop(struct batch *batch, int status) {
    if (batch->status == EXIT_OK)
        batch->status = status;
    return false;
}

/* A line is wrong. True: go on without it. */
static bool bad_line(struct batch *batch, uint64_t number, const char *problem, int status) {
    const char *space = strncmp(problem, "is ", 3) == 0 ? " " : ": ";
    say("line %" PRIu64 "%s%s", number, space, problem);
    batch->skipped++;
    return batch->keep_going || stop(batch, status);
}

static void add_range(struct batch *batch, uint64_t first, uint64_t count) {
    batch->submitted += count;
    wire_range *last = batch->range_count == 0 ? NULL : &batch->ranges[batch->range_count - 1];
    if (last != NULL && last->last + 1 == first) {
        last->last += count;
        return;
    }
    if ((batch->range_count & (batch->range_count - 1)) == 0) {
        size_t room = batch->range_count == 0 ? 1 : batch->range_count * 2;
        wire_range *ranges = scratch_alloc(&batch->cli->memory, room * sizeof *ranges);
        if (batch->range_count > 0)
            memcpy(ranges, batch->ranges, batch->range_count * sizeof *ranges);
        batch->ranges = ranges;
    }
    batch->ranges[batch->range_count++] = (wire_range){first, first + count - 1};
}

/* ---- answers ---- */

static void clear(struct batch_piece *piece) {
    piece->count = 0;
    piece->bytes = 0;
    scratch_clear(&piece->memory);
}

/* What wire says of a job by itself; false when it finds nothing wrong. */
static bool job_is_invalid(const wire_job *job, char *error, size_t error_bytes) {
    wire_job copy = *job;
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = &copy, .count = 1}};
    submission_key(request.u.submit.key);
    size_t length;
    wire_code code = WIRE_OK;
    uint8_t *bytes = must(wire_request_encode(&request, &length));
    wire_request *decoded = wire_request_decode(bytes, length, &code, error, error_bytes);
    wire_request_free(decoded);
    free(bytes);
    return decoded == NULL && code == WIRE_INVALID;
}

/* The part of a sentence behind "job: " or "job 3 of 5: ". */
static const char *about_job(const char *error) {
    const char *colon = strncmp(error, "job", 3) == 0 ? strstr(error, ": ") : NULL;
    return colon == NULL ? error : colon + 2;
}

/* Takes the invalid jobs out of a piece that was refused, and names their lines. False when none was found, or to stop. */
static bool drop_invalid(struct batch *batch, struct batch_piece *piece) {
    char error[512];
    size_t kept = 0;
    bool go_on = true;
    for (size_t i = 0; i < piece->count; i++) {
        if (go_on && job_is_invalid(&piece->jobs[i], error, sizeof error)) {
            go_on = bad_line(batch, piece->lines[i], about_job(error), EXIT_USAGE);
            continue;
        }
        piece->jobs[kept] = piece->jobs[i];
        piece->lines[kept++] = piece->lines[i];
    }
    bool found = kept < piece->count;
    piece->count = kept;
    return found && go_on;
}

static bool begin(struct batch *batch, struct batch_piece *piece) {
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = piece->jobs, .count = piece->count}};
    submission_key(request.u.submit.key);
    client_result result = client_begin(batch->cli->client, &request, &batch->under_way);
    return result == CLIENT_OK || stop(batch, cli_failed(batch->cli, result, NULL));
}

/* Takes out the job that the service names; false when it names none, or to stop. */
static bool drop_named(struct batch *batch, struct batch_piece *piece, const wire_reply *reply) {
    size_t place;
    if (piece->count == 1)
        place = 1;
    else if (sscanf(reply->error, "job %zu of ", &place) != 1 || place < 1 || place > piece->count)
        return false;
    bool go_on = bad_line(batch, piece->lines[place - 1], about_job(reply->error),
                          client_exit_code(CLIENT_REFUSED, reply));
    piece->count--;
    memmove(&piece->jobs[place - 1], &piece->jobs[place], (piece->count - place + 1) * sizeof *piece->jobs);
    memmove(&piece->lines[place - 1], &piece->lines[place],
            (piece->count - place + 1) * sizeof *piece->lines);
    return go_on;
}

/* Is the error about a job, not about the service? */
static bool about_a_job(wire_code code) {
    return code == WIRE_INVALID || code == WIRE_NOT_FOUND || code == WIRE_DENIED;
}

/* A piece was refused. True: send it again, without what was wrong. */
static bool refused(struct batch *batch, struct batch_piece *piece, client_result result,
                    const wire_reply *reply) {
    if (result == CLIENT_REFUSED && about_a_job(reply->code)) {
        if (drop_invalid(batch, piece) || (batch->status == EXIT_OK && drop_named(batch, piece, reply)))
            return true;
        if (batch->status != EXIT_OK)
            return false;
    }
    if (piece->count == 1)
        say("line %" PRIu64 ": %s", piece->lines[0], client_problem(result, reply));
    else
        say("lines %" PRIu64 "-%" PRIu64 ": %s", piece->lines[0], piece->lines[piece->count - 1],
            client_problem(result, reply));
    return stop(batch, client_exit_code(result, reply));
}

static void print_ids(const struct batch *batch, uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count && batch->cli->quiet && batch->cli->format == RENDER_TABLE; i++)
        printf("%" PRIu64 "\n", first + i);
}

/* Waits for the answer to the piece under way, if there is one; sends it again without what is wrong with it. */
static bool settle(struct batch *batch) {
    struct batch_piece *piece = &batch->pieces[!batch->filling];
    while (batch->under_way != NULL) {
        wire_reply *reply;
        client_result result = client_finish(batch->under_way, 6 * CLIENT_PATIENCE_NS, &reply);
        if (result == CLIENT_SILENT)
            client_abandon(batch->under_way);
        batch->under_way = NULL;
        bool again = false;
        if (result == CLIENT_OK) {
            add_range(batch, reply->u.submit.first_id, reply->u.submit.count);
            print_ids(batch, reply->u.submit.first_id, reply->u.submit.count);
        } else {
            again = refused(batch, piece, result, reply) && piece->count > 0;
        }
        wire_reply_free(reply);
        if (again && !begin(batch, piece))
            return false;
    }
    clear(piece);
    return batch->status == EXIT_OK;
}

/* ---- adding ---- */

bool batch_flush(struct batch *batch) {
    if (!settle(batch))
        return false;
    struct batch_piece *piece = &batch->pieces[batch->filling];
    if (piece->count == 0)
        return true;
    if (!begin(batch, piece))
        return false;
    batch->filling = !batch->filling;
    return true;
}

static wire_job *new_job(struct batch_piece *piece) {
    if (piece->count == piece->room) {
        piece->room = piece->room == 0 ? 64 : piece->room * 2;
        piece->jobs = must(realloc(piece->jobs, piece->room * sizeof *piece->jobs));
        piece->lines = must(realloc(piece->lines, piece->room * sizeof *piece->lines));
    }
    return &piece->jobs[piece->count];
}

static bool is_blank(const char *line, size_t length) {
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    return length == 0;
}

bool batch_add(struct batch *batch, uint64_t number, const char *line, size_t length) {
    if (is_blank(line, length))
        return true;
    for (;;) {
        struct batch_piece *piece = &batch->pieces[batch->filling];
        struct reading reading = {.memory = &piece->memory};
        wire_job *job = new_job(piece);
        if (!spec_build_json(job, line, length, &batch->source, &reading))
            return bad_line(batch, number, reading.problem, EXIT_USAGE);
        size_t bytes = wire_job_size(job) + JOB_FRAME;
        bool fits = piece->count < BATCH_PIECE_JOBS && piece->bytes + bytes <= WIRE_BATCH_MAX;
        if (fits || piece->count == 0) {
            piece->bytes += bytes;
            piece->lines[piece->count++] = number;
            return true;
        }
        if (!batch_flush(batch)) /* and once more, into the next piece's memory */
            return false;
    }
}

bool batch_finish(struct batch *batch) {
    if (batch->status == EXIT_OK)
        batch_flush(batch);
    settle(batch);
    return batch->status == EXIT_OK;
}

void batch_fini(struct batch *batch) {
    client_abandon(batch->under_way);
    for (int i = 0; i < 2; i++) {
        free(batch->pieces[i].jobs);
        free(batch->pieces[i].lines);
        scratch_fini(&batch->pieces[i].memory);
    }
}
