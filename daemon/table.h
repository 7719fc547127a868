/* Jobs by id. Ids only grow, so this is a row of chunks of 1,024 ids each: eight bytes a job, ordered, no hashing. What
 * became of a job outlives its record as a tombstone of four bytes, for the last million ids. Pure data, not synchronised
 * (the control runtime's). */
#ifndef HEDDLED_TABLE_H
#define HEDDLED_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;

struct table {
    struct chunk *chunks;
    uint64_t first; /* number of chunks[0]: its ids divided by 1024 */
    size_t count, room;
    uint64_t newest; /* id; 0: none yet */
    uint64_t swept;  /* number of the first chunk that may have tombstones */
    uint32_t *uids;  /* owners that tombstones refer to by index */
    size_t uid_count;
};

/* What is left of a job that is no longer kept. */
struct tombstone {
    uint32_t uid;
    uint8_t state; /* wire_state */
    uint8_t exit_code;
    uint8_t signal;
};

enum { TABLE_TOMBSTONES = 1 << 20 };

/* Makes room for the ids from `first` on, all greater than those before. False: no memory. */
bool table_reserve(struct table *table, uint64_t first, size_t count);

/* Room for `id` was reserved. */
void table_put(struct table *table, uint64_t id, struct job *job);

/* NULL: not kept. */
struct job *table_get(const struct table *table, uint64_t id);

/* The kept job with the next greater (smaller) id; NULL: none. `id` need not be there. */
struct job *table_next(const struct table *table, uint64_t id);
struct job *table_previous(const struct table *table, uint64_t id);

/* Takes a job out and leaves a tombstone (none, if there is no memory for it). */
void table_bury(struct table *table, uint64_t id, const struct tombstone *tombstone);
bool table_tombstone(const struct table *table, uint64_t id, struct tombstone *tombstone);

/* The next greater id that has one; 0: none. */
uint64_t table_next_tombstone(const struct table *table, uint64_t id, struct tombstone *tombstone);

void table_fini(struct table *table);

#endif
