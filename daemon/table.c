/* Chunks with their jobs and tombstones. A chunk's array of jobs exists while one of its jobs is kept or still to come
 * (several submissions may add theirs at the same time), or it is the newest; its array of tombstones from the first burial
 * until the id is TABLE_TOMBSTONES behind the newest. */
#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024, UIDS_MAX = 4095 };

struct chunk {
    struct job **jobs;
    uint32_t *tombs;
    uint16_t live;     /* jobs that are kept */
    uint16_t expected; /* ids that were reserved, and have no job yet */
};

/* A tombstone's bits: state 4, signal 7, exit code 8, owner 12 (0: not remembered, so only the service's user sees it),
 * and one that is always set. */
static uint32_t pack(const struct tombstone *stone, uint32_t owner) {
    return 1u << 31 | (uint32_t)(stone->state & 15) << 27 | (uint32_t)(stone->signal & 127) << 20 |
           (uint32_t)stone->exit_code << 12 | owner;
}

static struct chunk *chunk_at(const struct table *table, uint64_t number) {
    return number < table->first || number - table->first >= table->count
               ? NULL
               : &table->chunks[number - table->first];
}

static void free_if_unused(struct chunk *chunk) {
    if (chunk->live || chunk->expected)
        return;
    free(chunk->jobs);
    chunk->jobs = NULL;
}

bool table_reserve(struct table *table, uint64_t first, size_t count) {
    uint64_t low = first / CHUNK, high = (first + count - 1) / CHUNK;
    if (table->count == 0)
        table->first = low;
    size_t need = (size_t)(high - table->first + 1);
    if (need > table->room) {
        size_t room = table->room * 2 > need ? table->room * 2 : need + 16;
        struct chunk *chunks = realloc(table->chunks, room * sizeof *chunks);
        if (!chunks)
            return false;
        table->chunks = chunks;
        table->room = room;
    }
    if (need > table->count) {
        memset(table->chunks + table->count, 0, (need - table->count) * sizeof *table->chunks);
        table->count = need;
    }
    for (uint64_t number = low; number <= high; number++) {
        struct chunk *chunk = chunk_at(table, number);
        if (!chunk->jobs && !(chunk->jobs = calloc(CHUNK, sizeof *chunk->jobs)))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        chunk_at(table, (first + i) / CHUNK)->expected++;
    return true;
}

void table_put(struct table *table, uint64_t id, struct job *job) {
    struct chunk *chunk = chunk_at(table, id / CHUNK);
    assert(chunk && chunk->jobs && !chunk->jobs[id % CHUNK]);
    chunk->jobs[id % CHUNK] = job;
    chunk->live++;
    chunk->expected--;
    if (id <= table->newest)
        return;
    struct chunk *before = chunk_at(table, table->newest / CHUNK);
    table->newest = id;
    if (before && before != chunk)
        free_if_unused(before);
}

struct job *table_get(const struct table *table, uint64_t id) {
    struct chunk *chunk = chunk_at(table, id / CHUNK);
    return chunk && chunk->jobs ? chunk->jobs[id % CHUNK] : NULL;
}

struct job *table_next(const struct table *table, uint64_t id) {
    uint64_t at = id < table->first * CHUNK ? table->first * CHUNK : id + 1;
    while (at && at <= table->newest) {
        struct chunk *chunk = chunk_at(table, at / CHUNK);
        if (chunk->live)
            for (size_t i = at % CHUNK; i < CHUNK; i++)
                if (chunk->jobs[i])
                    return chunk->jobs[i];
        at = (at / CHUNK + 1) * CHUNK;
    }
    return NULL;
}

struct job *table_previous(const struct table *table, uint64_t id) {
    uint64_t at = id > table->newest ? table->newest + 1 : id;
    if (table->count == 0)
        return NULL;
    while (at-- > table->first * CHUNK) {
        struct chunk *chunk = chunk_at(table, at / CHUNK);
        if (chunk->live)
            for (size_t i = at % CHUNK + 1; i-- > 0;)
                if (chunk->jobs[i])
                    return chunk->jobs[i];
        at = at / CHUNK * CHUNK;
    }
    return NULL;
}

/* The index + 1 of an owner; 0 when there are too many to remember. */
static uint32_t owner_of(struct table *table, uint32_t uid) {
    for (size_t i = 0; i < table->uid_count; i++)
        if (table->uids[i] == uid)
            return (uint32_t)i + 1;
    if (table->uid_count == UIDS_MAX)
        return 0;
    uint32_t *uids = realloc(table->uids, (table->uid_count + 1) * sizeof *uids);
    if (!uids)
        return 0;
    table->uids = uids;
    table->uids[table->uid_count++] = uid;
    return (uint32_t)table->uid_count;
}

static uint64_t horizon(const struct table *table) {
    return table->newest > TABLE_TOMBSTONES ? table->newest - TABLE_TOMBSTONES : 0;
}

/* Frees what has passed out of memory at the old end: tombstones also behind a job that lasts, chunks a few at a time. */
static void forget_oldest(struct table *table) {
    uint64_t limit = horizon(table) / CHUNK;
    size_t gone = 0;
    if (table->swept < table->first)
        table->swept = table->first;
    for (; table->swept < limit; table->swept++) {
        struct chunk *chunk = chunk_at(table, table->swept);
        free(chunk->tombs);
        chunk->tombs = NULL;
    }
    while (gone < table->count && table->first + gone < limit && !table->chunks[gone].jobs)
        gone++;
    if (gone < 64 && gone * 2 < table->count)
        return;
    memmove(table->chunks, table->chunks + gone, (table->count - gone) * sizeof *table->chunks);
    table->first += gone;
    table->count -= gone;
}

void table_bury(struct table *table, uint64_t id, const struct tombstone *stone) {
    struct chunk *chunk = chunk_at(table, id / CHUNK);
    assert(chunk && chunk->jobs && chunk->jobs[id % CHUNK]);
    chunk->jobs[id % CHUNK] = NULL;
    chunk->live--;
    if (id / CHUNK < table->newest / CHUNK)
        free_if_unused(chunk);
    if (id < horizon(table))
        return;
    if (!chunk->tombs)
        chunk->tombs = calloc(CHUNK, sizeof *chunk->tombs);
    if (chunk->tombs)
        chunk->tombs[id % CHUNK] = pack(stone, owner_of(table, stone->uid));
    if (id / CHUNK != table->first)
        forget_oldest(table);
}

bool table_tombstone(const struct table *table, uint64_t id, struct tombstone *stone) {
    struct chunk *chunk = chunk_at(table, id / CHUNK);
    uint32_t bits = chunk && chunk->tombs ? chunk->tombs[id % CHUNK] : 0;
    if (!bits)
        return false;
    uint32_t owner = bits & 0xfff;
    *stone = (struct tombstone){.uid = owner ? table->uids[owner - 1] : UINT32_MAX,
                                .state = bits >> 27 & 15,
                                .signal = bits >> 20 & 127,
                                .exit_code = bits >> 12 & 255};
    return true;
}

uint64_t table_next_tombstone(const struct table *table, uint64_t id, struct tombstone *stone) {
    uint64_t at = id < table->first * CHUNK ? table->first * CHUNK : id + 1;
    while (at && at <= table->newest) {
        if (chunk_at(table, at / CHUNK)->tombs)
            for (uint64_t end = (at / CHUNK + 1) * CHUNK; at < end; at++)
                if (table_tombstone(table, at, stone))
                    return at;
        at = (at / CHUNK + 1) * CHUNK;
    }
    return 0;
}

void table_fini(struct table *table) {
    for (size_t i = 0; i < table->count; i++) {
        free(table->chunks[i].jobs);
        free(table->chunks[i].tombs);
    }
    free(table->chunks);
    free(table->uids);
    memset(table, 0, sizeof *table);
}
