/* See compare_report.h. The picture of a run is a line: how many of its jobs were at work, in equal steps of time. Both
 * lines of a workload have the same scales, so the faster one is the shorter one; behind it stands how busy each worker
 * was in that time. */
#include "compare_report.h"

#include "bar.h"
#include "render.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define OTHERS_NOTED 0.3 /* cores that others may use without it being said */

enum { LINE_MIN = 20, LINE_MAX = 60, LINE_REST = 52, WORKERS_NAMED = 4, WORKERS_MAX = 16 };

static double jobs_per_second(const compare_run *run) {
    return run->wall_ns > 0 ? (double)run->jobs * 1e9 / (double)run->wall_ns : 0;
}

double compare_speed_up(const compare_pair *pair) {
    const compare_run *single = &pair->runs[COMPARE_SINGLE], *multi = &pair->runs[COMPARE_MULTI];
    return multi->wall_ns > 0 ? (double)single->wall_ns / (double)multi->wall_ns : 0;
}

/* ---- JSON ---- */

static json_t *busy_json(const compare_run *run) {
    json_t *list = json_array();
    for (size_t i = 0; i < run->workers; i++)
        json_array_append_new(list, json_real(run->busy[i]));
    return list;
}

json_t *compare_run_json(const compare_pair *pair, int which) {
    const compare_run *run = &pair->runs[which];
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {{"jobs", run->jobs},
                   {"failed", run->failed},
                   {"forgotten", run->jobs - run->span_count},
                   {"wall_ns", run->wall_ns},
                   {"wall_min_ns", run->wall_min_ns},
                   {"wall_max_ns", run->wall_max_ns},
                   {"service_wall_ns", run->service_wall_ns},
                   {"latency_p50_ns", run->latency_p50_ns},
                   {"latency_p99_ns", run->latency_p99_ns},
                   {"lag_p50_ns", run->lag_p50_ns},
                   {"lag_p99_ns", run->lag_p99_ns},
                   {"steals", run->steals},
                   {"tasks_stolen", run->tasks_stolen},
                   {"switches", run->switches},
                   {"parks", run->parks}};
    json_t *object = json_object();
    json_object_set_new(object, "workload", render_text(pair->name));
    json_object_set_new(object, "loop", render_text(wire_loop_name(run->loop)));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        json_object_set_new(object, figures[i].name, render_number(figures[i].value));
    json_object_set_new(object, "jobs_per_second", json_real(jobs_per_second(run)));
    json_object_set_new(object, "speed_up",
                        which == COMPARE_MULTI ? json_real(compare_speed_up(pair)) : json_null());
    json_object_set_new(object, "busy", busy_json(run));
    json_object_set_new(object, "others_cores", run->others < 0 ? json_null() : json_real(run->others));
    json_object_set_new(object, "pool_threads_busy", json_real(run->pool));
    return object;
}

/* ---- the table ---- */

/* Three digits, because these are to be compared. */
static const char *duration(human buffer, uint64_t ns) {
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
    if (ns >= UINT64_C(59950000000))
        return human_duration(buffer, ns);
    size_t unit = ns < 999500 ? 0 : ns < 999500000 ? 1 : 2;
    double value = (double)ns / units[unit].unit;
    snprintf(buffer, HUMAN_BYTES, "%.*f%s",
             value < 9.995   ? 2
             : value < 99.95 ? 1
                             : 0,
             value, units[unit].name);
    return buffer;
}

static void add_speed_up(struct table *table, const compare_pair *pair) {
    double speed_up = compare_speed_up(pair);
    table_printf(table, "%.2fx", speed_up);
    if (speed_up >= 1.1 || speed_up <= 1 / 1.1)
        table_colour(table, speed_up > 1 ? "green" : "red");
}

static void add_row(struct table *table, const compare_pair *pair, int which) {
    const compare_run *run = &pair->runs[which];
    human text;
    table_text(table, which == COMPARE_SINGLE ? pair->name : "");
    table_text(table, wire_loop_name(run->loop));
    table_text(table, human_count(text, run->jobs));
    table_text(table, duration(text, run->wall_ns));
    table_text(table, human_count(text, (uint64_t)(jobs_per_second(run) + 0.5)));
    table_text(table, duration(text, run->latency_p50_ns));
    table_text(table, duration(text, run->latency_p99_ns));
    table_text(table, human_count(text, run->steals));
    if (which == COMPARE_MULTI)
        add_speed_up(table, pair);
    else
        table_text(table, "");
}

static void print_table(const compare_pair *pairs, size_t count) {
    static const table_column columns[] = {{"WORKLOAD", TABLE_CUT},   {"LOOP", 0},
                                           {"JOBS", TABLE_RIGHT},     {"WALL", TABLE_RIGHT},
                                           {"JOBS/S", TABLE_RIGHT},   {"P50", TABLE_RIGHT},
                                           {"P99", TABLE_RIGHT},      {"STEALS", TABLE_RIGHT},
                                           {"SPEED-UP", TABLE_RIGHT}, {0}};
    struct table *table = table_create(columns);
    for (size_t i = 0; i < count; i++) {
        add_row(table, &pairs[i], COMPARE_SINGLE);
        add_row(table, &pairs[i], COMPARE_MULTI);
    }
    table_print(table);
}

/* ---- the picture ---- */

static double largest(const double *values, size_t count, double least) {
    for (size_t i = 0; i < count; i++)
        least = values[i] > least ? values[i] : least;
    return least;
}

static double smallest(const double *values, size_t count, double most) {
    for (size_t i = 0; i < count; i++)
        most = values[i] < most ? values[i] : most;
    return most;
}

/* "█▇ 98 85 %": a column a worker, and the figures, or their range if they are many. */
static void print_workers(const compare_run *run) {
    char columns[BAR_CELL_BYTES * WORKERS_MAX + 1];
    if (run->workers <= WORKERS_MAX)
        printf("  %s ", bar_columns(columns, run->busy, run->workers, 1, bar_unicode()));
    if (run->workers <= WORKERS_NAMED) {
        for (size_t i = 0; i < run->workers; i++)
            printf("%.0f ", run->busy[i] * 100);
        putchar('%');
    } else {
        printf("%.0f to %.0f %%", smallest(run->busy, run->workers, 1) * 100,
               largest(run->busy, run->workers, 0) * 100);
    }
    if (run->pool >= 0.05)
        printf(", pool %.1f", run->pool);
    putchar('\n');
}

static size_t line_width(void) {
    unsigned width = render_width();
    size_t room = width > LINE_REST + LINE_MIN ? width - LINE_REST : LINE_MIN;
    if (width == 0)
        room = 80 - LINE_REST;
    return room < LINE_MAX ? room : LINE_MAX;
}

static void print_picture(const compare_pair *pair, size_t width) {
    double running[COMPARE_LOOPS][LINE_MAX], most = 0;
    uint64_t whole = 0;
    for (int which = 0; which < COMPARE_LOOPS; which++)
        whole = pair->runs[which].service_wall_ns > whole ? pair->runs[which].service_wall_ns : whole;
    for (int which = 0; which < COMPARE_LOOPS; which++) {
        compare_timeline(&pair->runs[which], whole, running[which], width);
        most = largest(running[which], width, most);
    }
    for (int which = 0; which < COMPARE_LOOPS; which++) {
        char line[BAR_CELL_BYTES * LINE_MAX + 1];
        human wall;
        printf("%-8.8s %-6s  %s  %7s", which == COMPARE_SINGLE ? pair->name : "",
               wire_loop_name(pair->runs[which].loop),
               bar_columns(line, running[which], width, most, bar_unicode()),
               duration(wall, pair->runs[which].service_wall_ns));
        print_workers(&pair->runs[which]);
    }
}

void compare_print(const compare_pair *pairs, size_t count) {
    size_t width = line_width();
    print_table(pairs, count);
    printf("\n%-17s%-*s  %7s  %s\n", "", (int)width, "jobs at work over time", "", "each worker busy");
    for (size_t i = 0; i < count; i++)
        print_picture(&pairs[i], width);
}

void compare_remark_load(const compare_pair *pairs, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        for (int which = 0; which < COMPARE_LOOPS; which++)
            most = pairs[i].runs[which].others > most ? pairs[i].runs[which].others : most;
    }
    if (most >= OTHERS_NOTED)
        say("other programs used up to %.1f of %ld cores meanwhile: these figures are not what the machine can do",
            most, sysconf(_SC_NPROCESSORS_ONLN));
}

bool compare_remark(const compare_pair *pair) {
    bool failed = false;
    for (int which = 0; which < COMPARE_LOOPS; which++) {
        const compare_run *run = &pair->runs[which];
        const char *loop = wire_loop_name(run->loop);
        if (run->span_count < run->jobs)
            say("%s on %s: the service had forgotten %zu of %zu jobs before they could be looked at; the latencies are "
                "those of the others",
                pair->name, loop, run->jobs - run->span_count, run->jobs);
        if (run->failed > 0)
            say("%s on %s: %zu of %zu jobs did not succeed; %s", pair->name, loop, run->failed, run->jobs,
                run->failure);
        failed |= run->failed > 0;
    }
    return failed;
}
