/* See compare_measure.h. A percentile here is a value that was measured (nearest rank), never one between two; and of
 * several repetitions one whole run is shown, so that its figures belong together. */
#include "compare_measure.h"

#include <stdlib.h>
#include <string.h>

void compare_run_fini(compare_run *run) {
    free(run->spans);
    free(run->busy);
    *run = (compare_run){0};
}

static int by_value(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

uint64_t compare_percentile(uint64_t *values, size_t count, unsigned percent) {
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    size_t rank = (count * percent + 99) / 100;
    return values[rank > 0 ? rank - 1 : 0];
}

/* Clocks may be set back between two readings. */
static uint64_t span_ns(uint64_t from, uint64_t to) {
    return to > from ? to - from : 0;
}

static uint64_t first_submission(const compare_run *run) {
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < run->span_count; i++) {
        if (run->spans[i].submitted_ns < first)
            first = run->spans[i].submitted_ns;
    }
    return first;
}

static uint64_t last_end(const compare_run *run) {
    uint64_t last = 0;
    for (size_t i = 0; i < run->span_count; i++) {
        if (run->spans[i].ended_ns > last)
            last = run->spans[i].ended_ns;
    }
    return last;
}

int compare_run_times(compare_run *run) {
    uint64_t *values = calloc(run->span_count * 2 + 1, sizeof *values);
    if (!values)
        return -1;
    uint64_t *latencies = values, *lags = values + run->span_count;
    size_t started = 0;
    for (size_t i = 0; i < run->span_count; i++) {
        const compare_span *span = &run->spans[i];
        if (span->started_ns == 0)
            continue;
        latencies[started] = span_ns(span->started_ns, span->ended_ns);
        lags[started++] = span_ns(span->submitted_ns, span->started_ns);
    }
    run->latency_p50_ns = compare_percentile(latencies, started, 50);
    run->latency_p99_ns = compare_percentile(latencies, started, 99);
    run->lag_p50_ns = compare_percentile(lags, started, 50);
    run->lag_p99_ns = compare_percentile(lags, started, 99);
    run->service_wall_ns = span_ns(first_submission(run), last_end(run));
    free(values);
    return 0;
}

static uint64_t pools_busy_ns(const wire_runtime_stats *runtime) {
    uint64_t sum = 0;
    for (size_t i = 0; i < runtime->pool_count; i++)
        sum += runtime->pools[i].busy_ns;
    return sum;
}

int compare_run_counters(compare_run *run, const wire_runtime_stats *before,
                         const wire_runtime_stats *after) {
    if (before->loop_count != after->loop_count)
        return -1;
    run->busy = calloc(after->loop_count + 1, sizeof *run->busy);
    if (!run->busy)
        return -1;
    run->workers = after->loop_count;
    double wall = run->wall_ns > 0 ? (double)run->wall_ns : 1;
    for (size_t i = 0; i < after->loop_count; i++) {
        const wire_loop_stats *old = &before->loops[i], *now = &after->loops[i];
        double share = (double)span_ns(old->busy_ns, now->busy_ns) / wall;
        run->busy[i] = share < 1 ? share : 1;
        run->steals += span_ns(old->steals, now->steals);
        run->tasks_stolen += span_ns(old->tasks_stolen, now->tasks_stolen);
        run->switches += span_ns(old->switches, now->switches);
        run->parks += span_ns(old->parks, now->parks);
    }
    run->pool = (double)span_ns(pools_busy_ns(before), pools_busy_ns(after)) / wall;
    return 0;
}

/* Adds to each bin the part of it that lies between `from` and `to` (both in bins, as fractions). */
static void add_span(double *running, size_t bins, double from, double to) {
    for (size_t bin = from > 0 ? (size_t)from : 0; bin < bins && (double)bin < to; bin++) {
        double left = from > (double)bin ? from : (double)bin;
        double right = to < (double)(bin + 1) ? to : (double)(bin + 1);
        running[bin] += right - left;
    }
}

void compare_timeline(const compare_run *run, uint64_t whole_ns, double *running, size_t bins) {
    memset(running, 0, bins * sizeof *running);
    if (whole_ns == 0)
        return;
    uint64_t first = first_submission(run);
    double bin_ns = (double)whole_ns / (double)bins;
    for (size_t i = 0; i < run->span_count; i++) {
        const compare_span *span = &run->spans[i];
        if (span->started_ns == 0)
            continue;
        add_span(running, bins, (double)span_ns(first, span->started_ns) / bin_ns,
                 (double)span_ns(first, span->ended_ns) / bin_ns);
    }
}

static int by_wall(const void *a, const void *b) {
    uint64_t left = ((const compare_run *)a)->wall_ns, right = ((const compare_run *)b)->wall_ns;
    return (left > right) - (left < right);
}

compare_run *compare_median(compare_run *runs, size_t count) {
    qsort(runs, count, sizeof *runs, by_wall);
    compare_run *median = &runs[(count - 1) / 2];
    median->wall_min_ns = runs[0].wall_ns;
    median->wall_max_ns = runs[count - 1].wall_ns;
    return median;
}
