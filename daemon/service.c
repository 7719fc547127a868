/* Starting, the signals, and stopping.
 *
 * The main thread makes everything, then waits; tasks of the control runtime do the work. Stopping:
 *   1. no new jobs; those that are there end, or are cancelled at the deadline        (drain.c)
 *   2. who follows a job's output hears its end; then no new requests; those that wait are told (server_stop)
 *   3. the scheduler ends: no job is left for it
 *   4. the socket is given up; from here on the main thread
 *   5. the job runtimes end, then what kinds share
 *   6. the control runtime ends
 *   7. the jobs' records go, and ids that were not used are given back */
#include "service.h"

#include "drain.h"
#include "log.h"
#include "notify.h"
#include "priority.h"
#include "server.h"
#include "socket_path.h"
#include "spawn.h"

#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct service {
    struct config *config;
    const struct config_sources *sources;
    const char **environment; /* for jobs */
    struct ids *ids;
    hd_runtime *control, *multi, *single;
    bool kinds;
    struct jobs *jobs;
    struct api api;
    struct server *server;
    hd_task *scheduler, *serving;
    bool stopping;
    sem_t stopped;
    char url[SOCKET_URL_MAX];
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
enum { SIGNALS = sizeof signals / sizeof *signals, MESSAGE_MAX = 512, STUCK_MAX = 4000 };

/* For clients that follow a job to read to its end. */
#define LAST_WORDS_NS HD_SECONDS(5)

int service_block_signals(void) {
    return hd_signal_block(signals, SIGNALS);
}

/* ---- reloading --------------------------------------------------------------------------------------------------- */

struct reload {
    const struct config_sources *sources;
    struct config fresh;
    bool good;
    char error[CONFIG_ERROR_MAX];
};

static int64_t load(void *arg) {
    struct reload *reload = arg;
    reload->good = config_load(&reload->fresh, reload->sources, reload->error);
    return 0;
}

/* Not while stopping: the server may be gone, and nobody is told READY then. */
static void reload(struct service *service) {
    struct reload reload = {.sources = service->sources};
    char restart[MESSAGE_MAX];
    if (service->stopping)
        return;
    notify_reloading();
    int result = (int)hd_blocking(HD_POOL_FS, load, &reload);
    if (service->stopping) {
        if (reload.good)
            config_free(&reload.fresh);
        return;
    }
    if (result) {
        log_error("the settings stay as they were: %s", hd_strerror(result));
    } else if (!reload.good) {
        log_error("the settings stay as they were: %s", reload.error);
    } else {
        config_reload(service->config, &reload.fresh, restart, sizeof restart);
        log_set_level(service->config->log_level);
        jobs_configure(service->jobs);
        server_configure(service->server);
        log_info("the settings were read again");
        if (*restart)
            log_warning("these have changed, and need a restart: %s", restart);
    }
    notify_ready(service->jobs);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

static void end_task(hd_task *task) {
    if (!task)
        return;
    hd_cancel(task);
    (void)!hd_join(task);
}

static int64_t stop(void *arg) {
    struct service *service = arg;
    hd_shield_begin();
    /* 1 */
    int result = drain_begin(service->jobs, hd_after(service->config->drain_timeout));
    if (!result)
        result = hd_event_wait(service->jobs->idle, HD_NEVER);
    if (result)
        log_error("draining: %s", hd_strerror(result));
    else if (service->jobs->drained_hard)
        log_warning("%llu jobs did not end in time, and were cancelled",
                    (unsigned long long)service->jobs->drained_hard);
    /* 2 */
    if (hd_event_wait(service->jobs->unread, hd_after(LAST_WORDS_NS)))
        log_warning("somebody did not read a job's output to its end in time");
    end_task(service->serving);
    server_stop(service->server);
    /* 3 */
    end_task(service->scheduler);
    sem_post(&service->stopped);
    hd_shield_end();
    return 0;
}

static void begin_stop(void *arg) {
    struct service *service = arg;
    if (service->stopping)
        return;
    log_info("stopping");
    notify_stopping();
    service->stopping = spawn_detached("stop", stop, service);
}

static void on_stop_signal(struct service *service) {
    if (!service->stopping) {
        begin_stop(service);
        return;
    }
    log_info("stopping at once");
    hd_event_set(service->jobs->unread);
    if (drain_begin(service->jobs, hd_now()) != 0)
        log_error("no memory to stop at once");
}

static int64_t handle_signals(void *arg) {
    struct service *service = arg;
    hd_signal *source = hd_signal_open(signals, SIGNALS);
    int signal = source ? 0 : -errno;
    while (source && (signal = hd_signal_next(source, HD_NEVER)) > 0) {
        if (signal == SIGHUP)
            reload(service);
        else
            on_stop_signal(service);
    }
    hd_signal_close(source);
    return signal;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

/* What systemd told this service is not for its jobs. */
static bool is_private(const char *variable) {
    static const char *const names[] = {
        "NOTIFY_SOCKET=",     "WATCHDOG_PID=",    "WATCHDOG_USEC=", "JOURNAL_STREAM=",
        "RUNTIME_DIRECTORY=", "STATE_DIRECTORY=", "INVOCATION_ID=", "CONFIGURATION_DIRECTORY="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static const char **copy_environment(void) {
    size_t count = 0, used = 0;
    while (environ[count])
        count++;
    const char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (!is_private(environ[i]))
            copy[used++] = environ[i];
    return copy;
}

/* A warning, a line at a time, which names the job whose task it is. */
static void warn_of_stuck(const hd_stuck_report *report, void *arg) {
    char text[STUCK_MAX], *rest = text, job[32] = "";
    (void)arg;
    hd_stuck_report_format(report, text, sizeof text);
    if (report->tag)
        snprintf(job, sizeof job, "job %" PRIu64 ": ", report->tag);
    for (const char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n"))
        log_warning("%s%s", line == text ? job : "", line);
}

static hd_runtime *start_runtime(const char *name, unsigned loops) {
    hd_runtime_options options = {.name = name, .loops = loops, .on_stuck = warn_of_stuck};
    hd_runtime *runtime = hd_runtime_create(&options);
    if (!runtime)
        log_error("the %s runtime cannot start: %s", name, strerror(errno));
    return runtime;
}

static bool start_runtimes(struct service *service) {
    const struct config *config = service->config;
    kind_settings settings = {.http_max_bytes = config->http_max_bytes,
                              .http_connections = (uint32_t)config->http_connections,
                              .script_memory = {config->script_memory, config->script_memory_max},
                              .script_cpu = {config->script_cpu, config->script_cpu_max},
                              .script_output = {config->script_output, config->script_output_max},
                              .script_tasks = {config->script_tasks, config->script_tasks_max}};
    service->control = start_runtime("control", 1);
    service->multi = service->control ? start_runtime("multi", (unsigned)service->config->multi_loops) : NULL;
    service->single = service->multi ? start_runtime("single", 1) : NULL;
    if (!service->single)
        return false;
    int result = kinds_init(&settings);
    service->kinds = !result;
    if (result)
        log_error("kinds cannot start: %s", hd_strerror(result));
    return service->kinds;
}

static bool open_state(struct service *service) {
    char folder[4096], error[MESSAGE_MAX] = "";
    if (*service->config->state)
        snprintf(folder, sizeof folder, "%s", service->config->state);
    else if (!ids_default_folder(folder, sizeof folder, error, sizeof error)) {
        log_error("%s", error);
        return false;
    }
    service->ids = ids_open(folder, error, sizeof error);
    if (!service->ids)
        log_error("%s", error);
    return service->ids != NULL;
}

static bool make_jobs(struct service *service) {
    service->environment = copy_environment();
    service->jobs =
        service->environment ? jobs_create(service->config, service->ids, service->environment) : NULL;
    if (!service->jobs || !api_init(&service->api, service->jobs)) {
        log_error("no memory to start with");
        return false;
    }
    service->jobs->runtimes[WIRE_MULTI] = service->multi;
    service->jobs->runtimes[WIRE_SINGLE] = service->single;
    service->jobs->service_uid = geteuid();
    service->jobs->drained = begin_stop; /* draining ends the service */
    service->jobs->drained_arg = service;
    service->api.control = service->control;
    service->api.multi = service->multi;
    service->api.single = service->single;
    return true;
}

static bool open_socket(struct service *service) {
    char error[MESSAGE_MAX];
    if (*service->config->listen)
        snprintf(service->url, sizeof service->url, "%s", service->config->listen);
    else if (!socket_default_url(service->url, sizeof service->url, error, sizeof error)) {
        log_error("%s", error);
        return false;
    }
    struct server_options options = {.url = service->url, .config = service->config};
    struct priority before;
    priority_raise(&before); /* while nng's threads are made */
    service->server = server_open(&options, error, sizeof error);
    priority_lower(&before);
    priority_forgo();
    if (!service->server) {
        log_error("%s", error);
        return false;
    }
    server_attach(service->server, &service->api);
    return true;
}

/* The first task of the control runtime, on its one loop: spawns the others there. */
static int64_t begin(void *arg) {
    struct service *service = arg;
    service->scheduler = spawn_root("scheduler", jobs_schedule, service->jobs);
    service->serving = spawn_root("server", server_run, service->server);
    bool handled = spawn_detached("signals", handle_signals, service);
    if (!service->scheduler || !service->serving || !handled) {
        log_error("no memory to start with");
        sem_post(&service->stopped);
        return HD_ENOMEM;
    }
    notify_start(service->jobs);
    log_info("heddled " HEDDLE_VERSION " serves %s: control, single, multi with %u loops", service->url,
             hd_runtime_loops(service->multi));
    notify_ready(service->jobs);
    return 0;
}

static bool start(struct service *service) {
    if (!open_state(service) || !start_runtimes(service) || !make_jobs(service) || !open_socket(service))
        return false;
    hd_spawn_options options = {.name = "begin", .runtime = service->control, .detached = true};
    if (hd_spawn_with(&options, begin, service))
        return true;
    log_error("the control runtime has no task left: %s", strerror(errno));
    return false;
}

static void destroy(struct service *service) {
    server_close(service->server);      /* 4 */
    hd_runtime_destroy(service->multi); /* 5 */
    hd_runtime_destroy(service->single);
    if (service->kinds)
        kinds_fini();
    hd_runtime_destroy(service->control); /* 6 */
    if (service->jobs)
        api_fini(&service->api); /* 7 */
    jobs_destroy(service->jobs);
    ids_close(service->ids);
    free(service->environment);
}

int service_run(struct config *config, const struct config_sources *sources) {
    struct service service = {.config = config, .sources = sources};
    sem_init(&service.stopped, 0, 0);
    bool started = start(&service);
    while (started && sem_wait(&service.stopped) < 0) {}
    bool good = started && service.stopping;
    destroy(&service);
    sem_destroy(&service.stopped);
    if (good)
        log_info("stopped");
    config_free(config);
    return good ? 0 : 1;
}
