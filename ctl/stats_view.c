/* See stats_view.h. Totals are rates, too: since the start, when everything was 0, without the division. So each figure has
 * one formula, and `delta` knows which of the two is asked for. */
#include "stats_view.h"

#include "bar.h"
#include "render.h"

#include <inttypes.h>
#include <string.h>

enum { BUSY_BAR = 8, BUSY_BAR_NARROW = 4, NARROW = 100 /* columns of the terminal */ };

/* ---- JSON ---- */

static json_t *loop_json(const wire_loop_stats *loop) {
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {{"tasks_spawned", loop->tasks_spawned},
                    {"tasks_ended", loop->tasks_ended},
                    {"switches", loop->switches},
                    {"yields", loop->yields},
                    {"steals", loop->steals},
                    {"tasks_stolen", loop->tasks_stolen},
                    {"tasks_hosted", loop->tasks_hosted},
                    {"from_injector", loop->from_injector},
                    {"parks", loop->parks},
                    {"spins", loop->spins},
                    {"spin_hits", loop->spin_hits},
                    {"wakes_sent", loop->wakes_sent},
                    {"timers_fired", loop->timers_fired},
                    {"fd_events", loop->fd_events},
                    {"busy_ns", loop->busy_ns},
                    {"idle_ns", loop->idle_ns},
                    {"queued", loop->queued},
                    {"stuck", loop->stuck}};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        json_object_set_new(object, counters[i].name, render_number(counters[i].value));
    json_object_set_new(object, "parked", json_boolean(loop->parked));
    return object;
}

static json_t *pool_json(const wire_pool_stats *pool) {
    json_t *object = json_object();
    json_object_set_new(object, "name", render_text(pool->name));
    json_object_set_new(object, "calls_ended", render_number(pool->calls_ended));
    json_object_set_new(object, "busy_ns", render_number(pool->busy_ns));
    json_object_set_new(object, "threads", json_integer(pool->threads));
    json_object_set_new(object, "threads_max", json_integer(pool->threads_max));
    json_object_set_new(object, "idle", json_integer(pool->idle));
    json_object_set_new(object, "queued", json_integer(pool->queued));
    return object;
}

static json_t *runtimes_json(const wire_reply *stats) {
    json_t *list = json_array();
    for (size_t i = 0; i < stats->u.stats.runtime_count; i++) {
        const wire_runtime_stats *runtime = &stats->u.stats.runtimes[i];
        json_t *object = json_object(), *loops = json_array(), *pools = json_array();
        for (size_t j = 0; j < runtime->loop_count; j++)
            json_array_append_new(loops, loop_json(&runtime->loops[j]));
        for (size_t j = 0; j < runtime->pool_count; j++)
            json_array_append_new(pools, pool_json(&runtime->pools[j]));
        json_object_set_new(object, "name", render_text(runtime->name));
        json_object_set_new(object, "loops", loops);
        json_object_set_new(object, "pools", pools);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *groups_json(const wire_reply *stats) {
    json_t *list = json_array();
    for (size_t i = 0; i < stats->u.stats.group_count; i++) {
        const wire_group_stats *group = &stats->u.stats.groups[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", render_text(group->name));
        json_object_set_new(object, "parallel",
                            group->parallel ? json_integer(group->parallel) : json_null());
        json_object_set_new(object, "running", json_integer(group->running));
        json_object_set_new(object, "queued", json_integer(group->queued));
        json_array_append_new(list, object);
    }
    return list;
}

json_t *stats_json(const wire_reply *stats) {
    json_t *object = json_object(), *jobs = json_object();
    json_object_set_new(object, "release", render_text(stats->u.stats.release));
    json_object_set_new(object, "pid", json_integer(stats->u.stats.pid));
    json_object_set_new(object, "draining", json_boolean(stats->u.stats.draining));
    json_object_set_new(object, "uptime_ns", render_number(stats->u.stats.uptime_ns));
    json_object_set_new(object, "memory_bytes", render_number(stats->u.stats.memory_bytes));
    for (int state = 1; state < WIRE_STATES; state++)
        json_object_set_new(jobs, wire_state_name((wire_state)state),
                            render_number(stats->u.stats.jobs[state]));
    json_object_set_new(object, "jobs", jobs);
    json_object_set_new(object, "submitted", render_number(stats->u.stats.submitted));
    json_object_set_new(object, "ended", render_number(stats->u.stats.ended));
    json_object_set_new(object, "refused", render_number(stats->u.stats.refused));
    json_object_set_new(object, "oldest_queued_ns", render_number(stats->u.stats.oldest_queued_ns));
    json_object_set_new(object, "queue_max", render_number(stats->u.stats.queue_max));
    json_object_set_new(object, "clients", render_number(stats->u.stats.clients));
    json_object_set_new(object, "requests", render_number(stats->u.stats.requests));
    json_object_set_new(object, "events_next", render_number(stats->u.stats.events_next));
    json_object_set_new(object, "runtimes", runtimes_json(stats));
    json_object_set_new(object, "groups", groups_json(stats));
    return object;
}

/* ---- tables ---- */

/* Two readings of the same thing. */
typedef struct between {
    const wire_reply *now, *before;
    double seconds; /* between them; 0: totals */
} between;

static double delta(uint64_t now, uint64_t before) {
    return now > before ? (double)(now - before) : 0;
}

/* A total, or a rate. Returns `buffer`. */
static const char *figure(const between *b, human buffer, uint64_t now, uint64_t before) {
    if (b->seconds <= 0)
        return human_count(buffer, now);
    double rate = delta(now, before) / b->seconds;
    if (rate > 0 && rate < 10)
        snprintf(buffer, HUMAN_BYTES, "%.1f", rate);
    else
        human_count(buffer, (uint64_t)(rate + 0.5));
    return buffer;
}

/* The part of the time that went to something. */
static double share(const between *b, uint64_t now_ns, uint64_t before_ns) {
    double whole = b->seconds > 0 ? b->seconds * 1e9 : (double)b->now->u.stats.uptime_ns;
    return whole > 0 ? delta(now_ns, before_ns) / whole : 0;
}

static void print_service(const between *b) {
    const wire_reply *stats = b->now;
    human up, memory, clients, requests;
    uint64_t asked = b->before ? b->before->u.stats.requests : 0;
    fputs("heddled ", stdout);
    render_escaped(stdout, stats->u.stats.release);
    printf(", pid %" PRIu32 ", up %s, %s, clients %s, requests%s %s%s\n", stats->u.stats.pid,
           human_duration(up, stats->u.stats.uptime_ns), human_size(memory, stats->u.stats.memory_bytes),
           human_count(clients, stats->u.stats.clients), b->seconds > 0 ? "/s" : "",
           figure(b, requests, stats->u.stats.requests, asked), stats->u.stats.draining ? ", draining" : "");
}

static void print_jobs(const between *b) {
    const wire_reply *stats = b->now, *old = b->before;
    const char *unit = b->seconds > 0 ? "/s" : "", *comma = "";
    human submitted, ended, refused, count;
    printf("jobs: submitted%s %s, ended%s %s, refused%s %s\n", unit,
           figure(b, submitted, stats->u.stats.submitted, old ? old->u.stats.submitted : 0), unit,
           figure(b, ended, stats->u.stats.ended, old ? old->u.stats.ended : 0), unit,
           figure(b, refused, stats->u.stats.refused, old ? old->u.stats.refused : 0));
    fputs("kept: ", stdout);
    for (int state = 1; state < WIRE_STATES; state++) {
        if (stats->u.stats.jobs[state] == 0)
            continue;
        printf("%s%s %s", comma, human_count(count, stats->u.stats.jobs[state]),
               wire_state_name((wire_state)state));
        comma = ", ";
    }
    if (!*comma)
        fputs("none", stdout);
    if (stats->u.stats.oldest_queued_ns > 0)
        printf("; the oldest has been queued for %s", human_duration(count, stats->u.stats.oldest_queued_ns));
    putchar('\n');
}

/* The same runtime, loop or pool in the reading before: by its place, which does not change while a service lives. */
static const wire_runtime_stats *runtime_before(const between *b, size_t runtime) {
    return b->before && runtime < b->before->u.stats.runtime_count ? &b->before->u.stats.runtimes[runtime]
                                                                   : NULL;
}

static void add_share(struct table *table, double part) {
    char bar[BAR_CELL_BYTES * BUSY_BAR + 1];
    bool narrow = render_width() > 0 && render_width() < NARROW;
    bar_fill(bar, part, narrow ? BUSY_BAR_NARROW : BUSY_BAR, bar_unicode());
    table_printf(table, "%s %3.0f %%", bar, part * 100);
}

static void add_loop(const between *b, struct table *table, const wire_loop_stats *now,
                     const wire_loop_stats *old) {
    const uint64_t pairs[][2] = {{now->tasks_spawned, old->tasks_spawned},
                                 {now->switches, old->switches},
                                 {now->steals, old->steals},
                                 {now->tasks_stolen, old->tasks_stolen},
                                 {now->parks, old->parks},
                                 {now->timers_fired, old->timers_fired},
                                 {now->fd_events, old->fd_events}};
    human text;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        table_text(table, figure(b, text, pairs[i][0], pairs[i][1]));
    table_text(table, human_count(text, now->queued));
    add_share(table, share(b, now->busy_ns, old->busy_ns));
}

static void print_loops(const between *b) {
    static const table_column columns[] = {{"RUNTIME", 0},
                                           {"LOOP", TABLE_RIGHT},
                                           {"SPAWNED", TABLE_RIGHT},
                                           {"SWITCHES", TABLE_RIGHT},
                                           {"STEALS", TABLE_RIGHT},
                                           {"STOLEN", TABLE_RIGHT},
                                           {"PARKS", TABLE_RIGHT},
                                           {"TIMERS", TABLE_RIGHT},
                                           {"READY", TABLE_RIGHT},
                                           {"QUEUE", TABLE_RIGHT},
                                           {"BUSY", 0},
                                           {0}};
    static const wire_loop_stats nothing;
    struct table *table = table_create(columns);
    for (size_t i = 0; i < b->now->u.stats.runtime_count; i++) {
        const wire_runtime_stats *now = &b->now->u.stats.runtimes[i], *old = runtime_before(b, i);
        for (size_t j = 0; j < now->loop_count; j++) {
            table_text(table, now->name);
            table_printf(table, "%zu", j);
            add_loop(b, table, &now->loops[j], old && j < old->loop_count ? &old->loops[j] : &nothing);
        }
    }
    if (b->seconds > 0)
        printf("\nper second, in the last %.*f s:\n", b->seconds < 1 ? 2 : 1, b->seconds);
    else
        puts("\nsince the start:");
    table_print(table);
}

static void add_pool(const between *b, struct table *table, const wire_pool_stats *now,
                     const wire_pool_stats *old) {
    human calls;
    table_text(table, now->name);
    table_printf(table, "%" PRIu32 "/%" PRIu32, now->threads, now->threads_max);
    table_printf(table, "%" PRIu32, now->idle);
    table_printf(table, "%" PRIu32, now->queued);
    table_text(table, figure(b, calls, now->calls_ended, old->calls_ended));
    table_printf(table, "%.2f", share(b, now->busy_ns, old->busy_ns));
}

/* Pools that were never used say nothing. */
static void print_pools(const between *b) {
    static const table_column columns[] = {{"RUNTIME", 0},           {"POOL", 0},
                                           {"THREADS", TABLE_RIGHT}, {"IDLE", TABLE_RIGHT},
                                           {"QUEUE", TABLE_RIGHT},   {"CALLS", TABLE_RIGHT},
                                           {"BUSY", TABLE_RIGHT},    {0}};
    static const wire_pool_stats nothing;
    struct table *table = NULL;
    for (size_t i = 0; i < b->now->u.stats.runtime_count; i++) {
        const wire_runtime_stats *now = &b->now->u.stats.runtimes[i], *old = runtime_before(b, i);
        for (size_t j = 0; j < now->pool_count; j++) {
            if (now->pools[j].calls_ended == 0 && now->pools[j].threads == 0)
                continue;
            if (!table)
                table = table_create(columns);
            table_text(table, now->name);
            add_pool(b, table, &now->pools[j], old && j < old->pool_count ? &old->pools[j] : &nothing);
        }
    }
    if (table) {
        putchar('\n');
        table_print(table);
    }
}

static void print_groups(const between *b) {
    static const table_column columns[] = {{"GROUP", TABLE_CUT},
                                           {"PARALLEL", TABLE_RIGHT},
                                           {"RUNNING", TABLE_RIGHT},
                                           {"QUEUED", TABLE_RIGHT},
                                           {0}};
    if (b->now->u.stats.group_count == 0)
        return;
    struct table *table = table_create(columns);
    for (size_t i = 0; i < b->now->u.stats.group_count; i++) {
        const wire_group_stats *group = &b->now->u.stats.groups[i];
        table_text(table, group->name);
        if (group->parallel > 0)
            table_printf(table, "%" PRIu32, group->parallel);
        else
            table_text(table, "-");
        table_printf(table, "%" PRIu32, group->running);
        table_printf(table, "%" PRIu32, group->queued);
    }
    putchar('\n');
    table_print(table);
}

void stats_print(const wire_reply *stats, const wire_reply *before) {
    between b = {.now = stats, .before = before};
    if (before)
        b.seconds = delta(stats->u.stats.uptime_ns, before->u.stats.uptime_ns) / 1e9;
    print_service(&b);
    print_jobs(&b);
    print_loops(&b);
    print_pools(&b);
    print_groups(&b);
}
