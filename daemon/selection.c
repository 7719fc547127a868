/* Ranges are sorted and merged once; then a scan jumps from one to the next. */
#include "selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_first(const void *a, const void *b) {
    const wire_range *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static void merge(struct selection *selection) {
    wire_range *ranges = selection->ranges;
    size_t count = selection->count, used = 0;
    qsort(ranges, count, sizeof *ranges, by_first);
    for (size_t i = 0; i < count; i++) {
        if (used && ranges[i].first <= ranges[used - 1].last) {
            if (ranges[i].last > ranges[used - 1].last)
                ranges[used - 1].last = ranges[i].last;
        } else {
            ranges[used++] = ranges[i];
        }
    }
    selection->count = used;
}

bool selection_init(struct selection *selection, const struct jobs *jobs, const wire_selector *selector,
                    uint32_t uid, struct arena *arena) {
    bool others =
        *selector->group || *selector->label || *selector->name || selector->states || selector->kind;
    *selection = (struct selection){.jobs = jobs,
                                    .selector = selector,
                                    .uid = uid,
                                    .newest = jobs->table.newest,
                                    .count = selector->range_count};
    selection->nothing = !selector->all && !others && !selection->count;
    size_t count = selection->count ? selection->count : 1;
    selection->ranges = arena_alloc(arena, count * sizeof *selection->ranges);
    if (!selection->ranges)
        return false;
    if (selection->count) {
        memcpy(selection->ranges, selector->ranges, count * sizeof *selection->ranges);
        merge(selection);
    } else {
        selection->ranges[0] = (wire_range){0, UINT64_MAX};
        selection->count = 1;
    }
    return true;
}

wire_code selection_check(const struct selection *selection, char *error, size_t error_bytes) {
    const struct table *table = &selection->jobs->table;
    const wire_selector *selector = selection->selector;
    for (size_t i = 0; i < selector->range_count; i++) {
        uint64_t id = selector->ranges[i].first;
        struct tombstone stone;
        if (selector->ranges[i].last != id)
            continue;
        const struct job *job = table_get(table, id);
        if (!job && !table_tombstone(table, id, &stone)) {
            snprintf(error, error_bytes, "there is no job %llu", (unsigned long long)id);
            return WIRE_NOT_FOUND;
        }
        if (!jobs_allow(selection->jobs, selection->uid, job ? job->uid : stone.uid)) {
            snprintf(error, error_bytes, "job %llu belongs to another user", (unsigned long long)id);
            return WIRE_DENIED;
        }
    }
    return WIRE_OK;
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

/* "key" matches itself and "key=value"; "key=value" only itself. */
static bool has_label(const struct job *job, const char *label) {
    size_t length = strlen(label);
    bool key_only = !strchr(label, '=');
    for (size_t i = 0; i < job->spec.labels.count; i++) {
        const char *own = job->spec.labels.items[i];
        if (strncmp(own, label, length) == 0 && (!own[length] || (key_only && own[length] == '=')))
            return true;
    }
    return false;
}

bool selection_matches(const struct selection *selection, const struct job *job) {
    uint32_t states = selection->selector->states;
    return (!states || states & 1u << job->state) && selection_matches_but_state(selection, job);
}

bool selection_matches_but_state(const struct selection *selection, const struct job *job) {
    const wire_selector *selector = selection->selector;
    return !selection->nothing && jobs_allow(selection->jobs, selection->uid, job->uid) &&
           (!selector->kind || selector->kind == job->spec.kind) &&
           (!*selector->group || strcmp(selector->group, job->spec.group) == 0) &&
           (!*selector->name || strcmp(selector->name, job->spec.name) == 0) &&
           (!*selector->label || has_label(job, selector->label));
}

bool selection_needs_record(const struct selection *selection) {
    const wire_selector *selector = selection->selector;
    return *selector->group || *selector->label || *selector->name || selector->kind;
}

/* The first range that ends at `id` or behind it; `count` if there is none. */
static size_t range_at(const struct selection *selection, uint64_t id) {
    size_t low = 0, high = selection->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (selection->ranges[middle].last < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool selection_has_id(const struct selection *selection, uint64_t id) {
    size_t at = range_at(selection, id);
    return !selection->nothing && at < selection->count && selection->ranges[at].first <= id;
}

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

/* Before each id that is looked at. */
static bool goes_on(struct selection *selection) {
    if (!selection->result)
        selection->result = pace(&selection->slice);
    return !selection->result;
}

struct job *selection_next(struct selection *selection, uint64_t id) {
    const struct table *table = &selection->jobs->table;
    if (selection->nothing || id == UINT64_MAX)
        return NULL;
    for (size_t at = range_at(selection, id + 1); at < selection->count; at++) {
        const wire_range *range = &selection->ranges[at];
        uint64_t from = range->first > id + 1 ? range->first - 1 : id;
        while (goes_on(selection)) {
            struct job *job = table_next(table, from);
            if (!job || job->id > range->last)
                break;
            if (selection_matches(selection, job))
                return job;
            from = job->id;
        }
    }
    return NULL;
}

struct job *selection_previous(struct selection *selection, uint64_t id) {
    const struct table *table = &selection->jobs->table;
    if (selection->nothing)
        return NULL;
    size_t at = range_at(selection, id);
    for (at = at < selection->count ? at + 1 : at; at-- > 0;) {
        const wire_range *range = &selection->ranges[at];
        uint64_t from = range->last < id - 1 ? range->last + 1 : id;
        while (goes_on(selection)) {
            struct job *job = table_previous(table, from);
            if (!job || job->id < range->first)
                break;
            if (selection_matches(selection, job))
                return job;
            from = job->id;
        }
    }
    return NULL;
}

/* The next id behind `id` that is kept or remembered; 0: none. */
static uint64_t next_known(const struct table *table, uint64_t id) {
    struct tombstone stone;
    if (table_get(table, id + 1) || table_tombstone(table, id + 1, &stone))
        return id + 1;
    const struct job *job = table_next(table, id);
    uint64_t remembered = table_next_tombstone(table, id, &stone);
    return job && (!remembered || job->id < remembered) ? job->id : remembered;
}

static bool found_matches(const struct selection *selection, struct match *found) {
    const struct table *table = &selection->jobs->table;
    uint32_t states = selection->selector->states;
    found->job = table_get(table, found->id);
    if (found->job)
        return selection_matches(selection, found->job);
    return table_tombstone(table, found->id, &found->stone) &&
           jobs_allow(selection->jobs, selection->uid, found->stone.uid) &&
           (!states || states & 1u << found->stone.state);
}

static bool find_kept(struct selection *selection, struct match *found) {
    found->job = selection_next(selection, found->id);
    if (found->job)
        found->id = found->job->id;
    return found->job;
}

bool selection_find(struct selection *selection, struct match *found) {
    if (selection->nothing || found->id == UINT64_MAX)
        return false;
    if (!selection->selector->range_count || selection_needs_record(selection))
        return find_kept(selection, found);
    for (size_t at = range_at(selection, found->id + 1); at < selection->count; at++) {
        const wire_range *range = &selection->ranges[at];
        uint64_t from = range->first > found->id + 1 ? range->first - 1 : found->id;
        while (goes_on(selection)) {
            from = next_known(&selection->jobs->table, from);
            if (!from || from > range->last)
                break;
            found->id = from;
            if (found_matches(selection, found))
                return true;
        }
    }
    return false;
}
