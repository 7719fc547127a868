/*     stress [--races N] [--seed S] [--seconds S] [--only SCENARIO] [--round N] [--stuck SECONDS] [--list]
 *     stress --simulated N [--seed S] [--only SCENARIO]      N seeds from S on (0), on simulated runtimes
 *
 * Exits with 0 if all held. What broke is told on stderr, and ends it by SIGABRT. */
#include "batch.h"
#include "stage.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <unistd.h>

enum { DESCRIPTORS = 4096, LONG_ENOUGH = 4000 /* races, to have seen each way in which they end */ };

enum { INSIDE = false, OUTSIDE = true };

#define WAYS_3 (1 << COMPLETED | 1 << CANCELLED | 1 << TIMED_OUT)
#define WAYS_2 (1 << COMPLETED | 1 << CANCELLED)

/* The weights make for a similar number of races each, save where one costs a thousand times as much. */
const scenario scenarios[] = {
    {"sleep", 60, play_sleep, WAYS_2, INSIDE},
    {"delayed", 60, play_delayed, WAYS_2, INSIDE},
    {"mutex", 100, play_mutex, WAYS_2, INSIDE},
    {"semaphore", 120, play_semaphore, WAYS_3, INSIDE},
    {"event", 120, play_event, WAYS_3, INSIDE},
    {"channel", 180, play_channel, WAYS_3 | 1 << REFUSED, INSIDE},
    {"await", 140, play_await, WAYS_3, INSIDE},
    {"gather", 80, play_gather, WAYS_3, INSIDE},
    {"scope", 100, play_scope, WAYS_2, INSIDE},
    {"tree", 80, play_tree, WAYS_2, INSIDE},
    {"blocking", 30, play_blocking, WAYS_2, OUTSIDE},
    {"readable", 60, play_readable, WAYS_3, OUTSIDE},
    {"write", 60, play_write, WAYS_2, OUTSIDE},
    {"writable", 30, play_writable, WAYS_3, OUTSIDE},
    {"close", 30, play_close, WAYS_3 | 1 << REFUSED, OUTSIDE},
    {"outside", 60, play_outside, WAYS_2, OUTSIDE},
    {"runtime", 1, play_runtime, WAYS_2, OUTSIDE},
    {"process", 1, play_process, WAYS_3, OUTSIDE},
};
const unsigned scenario_count = sizeof scenarios / sizeof *scenarios;

static uint64_t stuck_ns = HD_SECONDS(60);
static uint64_t seeds; /* to be played on simulated runtimes */

/* ---- the watch ---- */

static _Atomic bool over;

static void *watch(void *arg) {
    uint64_t seen = 0, since = hd_now();
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        usleep(20000);
        (void)stage_look();
        uint64_t now = hd_now(), rounds = atomic_load_explicit(&rounds_done, memory_order_relaxed);
        if (rounds != seen) {
            seen = rounds;
            since = now;
        } else if (now - since > stuck_ns) {
            fprintf(stderr, "stress: BROKEN: no round has ended for %llu s\n",
                    (unsigned long long)(stuck_ns / HD_SECONDS(1)));
            stage_tell();
            abort();
        }
    }
    return arg;
}

/* ---- the report ---- */

static uint64_t races_of(const tally *t) {
    uint64_t sum = 0;
    for (int how = 0; how < OUTCOMES; how++)
        sum += t->ended[how];
    return sum;
}

/* How many scenarios did not show what they are for. */
static int report(const tally tallies[], uint64_t took_ns) {
    int short_of = 0;
    uint64_t races = 0, rounds = 0;
    printf("%-10s %10s %12s %12s %12s %12s %12s\n", "", "rounds", "races", "completed", "cancelled",
           "timed out", "refused");
    for (unsigned i = 0; i < scenario_count; i++) {
        const tally *t = &tallies[i];
        if (t->rounds == 0)
            continue;
        printf("%-10s %10llu %12llu", scenarios[i].name, (unsigned long long)t->rounds,
               (unsigned long long)races_of(t));
        for (int how = 0; how < OUTCOMES; how++)
            printf(" %12llu", (unsigned long long)t->ended[how]);
        races += races_of(t), rounds += t->rounds;
        for (int how = 0; how < OUTCOMES; how++)
            if (the_plan.repeat_round == HD_NEVER && races_of(t) >= LONG_ENOUGH &&
                scenarios[i].expected & 1 << how && t->ended[how] == 0) {
                printf(" NEVER SEEN");
                short_of++;
            }
        printf("\n");
    }
    double seconds = (double)took_ns / 1e9;
    if (the_plan.simulated)
        printf("%llu seeds, each played twice, and both times the same; the last was ",
               (unsigned long long)seeds);
    printf("%llu races in %llu rounds, %.1f s: %.0f races/s, none lost, none doubled; seed %llu\n",
           (unsigned long long)races, (unsigned long long)rounds, seconds, (double)races / seconds,
           (unsigned long long)the_plan.seed);
    return short_of;
}

/* ---- options ---- */

_Noreturn static void usage(void) {
    fprintf(stderr, "usage: stress [--races N] [--seed S] [--seconds S] [--only SCENARIO] [--round N] "
                    "[--stuck SECONDS] [--list]\n"
                    "       stress --simulated N [--seed S] [--only SCENARIO]\n");
    exit(2);
}

_Noreturn static void wrong(const char *value, const char *why) {
    fprintf(stderr, "stress: \"%s\" %s\n", value, why);
    exit(2);
}

static uint64_t number(const char *text) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        wrong(text, "is no number (--races 100000)");
    return value;
}

static const scenario *named(const char *name) {
    for (unsigned i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    wrong(name, "is no scenario (--list names them)");
}

_Noreturn static void list(void) {
    for (unsigned i = 0; i < scenario_count; i++)
        puts(scenarios[i].name);
    exit(0);
}

static void options(int argc, char **argv) {
    static const struct option known[] = {
        {"races", 1, NULL, 'n'}, {"seed", 1, NULL, 's'},      {"seconds", 1, NULL, 't'},
        {"only", 1, NULL, 'o'},  {"round", 1, NULL, 'r'},     {"stuck", 1, NULL, 'k'},
        {"list", 0, NULL, 'l'},  {"simulated", 1, NULL, 'v'}, {NULL, 0, NULL, 0},
    };
    the_plan = (plan){.races = 100000000, .until_ns = HD_NEVER, .repeat_round = HD_NEVER};
    if (getrandom(&the_plan.seed, sizeof the_plan.seed, 0) < 0)
        the_plan.seed = hd_now();
    the_plan.seed %= 1000000000; /* a person may have to type it */
    uint64_t given = HD_NEVER;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'n': the_plan.races = number(optarg); break;
        case 's': the_plan.seed = given = number(optarg); break;
        case 't': the_plan.until_ns = hd_after(HD_SECONDS(number(optarg))); break;
        case 'o': the_plan.only = named(optarg); break;
        case 'r': the_plan.repeat_round = number(optarg); break;
        case 'k': stuck_ns = HD_SECONDS(number(optarg)); break;
        case 'v':
            the_plan.simulated = true;
            seeds = number(optarg);
            break;
        case 'l': list();
        default: usage();
        }
    if (the_plan.simulated && given == HD_NEVER)
        the_plan.seed = 0;
    if (optind < argc)
        wrong(argv[optind],
              "is not an option (--races, --seed, --seconds, --only, --round, --stuck, --list, --simulated)");
    if (the_plan.simulated && the_plan.only && the_plan.only->outside)
        wrong(the_plan.only->name, "reaches out of the runtime, and cannot be simulated");
}

int main(int argc, char **argv) {
    static tally tallies[SCENARIOS_MAX];
    pthread_t watcher;
    options(argc, argv);
    printf("seed %llu\n", (unsigned long long)the_plan.seed);
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    hd_batch_assume_dear(true); /* so that calls are gathered on every machine */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS) {
        files.rlim_cur = DESCRIPTORS;
        if (setrlimit(RLIMIT_NOFILE, &files))
            perror("stress: setrlimit"), exit(2);
    }
    if (hd_key_create(&victim_key, victim_local_ends) || pthread_create(&watcher, NULL, watch, NULL))
        abort();
    bool again = the_plan.repeat_round != HD_NEVER;
    uint64_t began = hd_now(), next = again ? the_plan.repeat_round : 0;
    if (the_plan.simulated)
        seeds_play(seeds, tallies);
    while (!the_plan.simulated && races_done < the_plan.races && hd_now() < the_plan.until_ns) {
        uint64_t end = stage_play(next, tallies);
        next = again ? next : end;
    }
    uint64_t took = hd_now() - began;
    over = true;
    pthread_join(watcher, NULL);
    return report(tallies, took) ? 1 : 0;
}
