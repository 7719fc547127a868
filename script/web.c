#include "web.h"

#include "descriptors.h"
#include "strand.h"
#include "web_exchange.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { BACKLOG = 1024, MEMORY_OF_A_CONNECTION = 16 << 10 };

web *web_get(web *self) {
    self->references++;
    return self;
}

void web_put(web *self) {
    if (--self->references > 0)
        return;
    hd_event_destroy(self->go_on);
    hd_event_destroy(self->stopped);
    free(self);
}

/* ---- stopping --------------------------------------------------------------------------------------------------------- */

static void stop(web *self) {
    struct MHD_Daemon *daemon = self->daemon;
    if (!daemon)
        return;
    self->daemon = NULL;
    exchanges_resume(self); /* it must not stop otherwise */
    MHD_stop_daemon(daemon);
    exchanges_drop(self);
    timers_remove(&self->strand->timers, &self->silence);
    if (self->watcher)
        hd_cancel(self->watcher);
    hd_event_set(self->stopped);
    if (!self->L)
        return;
    luaL_unref(self->L, LUA_REGISTRYINDEX, self->handler);
    luaL_unref(self->L, LUA_REGISTRYINDEX, self->self);
}

void web_release(web *self) {
    kept_remove(&self->kept);
    stop(self);
    web_put(self);
}

/* At the script's end. */
static void drop(kept *kept) {
    web *self = chain_entry(kept, web, kept);
    self->L = NULL;
    web_release(self);
}

static void quiesce(web *self) {
    int listener = MHD_quiesce_daemon(self->daemon);
    if (listener >= 0)
        hd_close(listener);
    self->quiesced = true;
}

void web_close(web *self) {
    if (self->closing || !self->daemon)
        return;
    self->closing = true;
    web_call_again(self);
}

/* ---- on the strand ---------------------------------------------------------------------------------------------------- */

void web_call_again(web *self) {
    if (self->again_posted || !self->daemon)
        return;
    self->again_posted = true;
    web_get(self);
    strand_post(self->strand, &self->again);
}

/* One that comes too early sets the next. */
static void set_timer(web *self, uint64_t timeout_ms) {
    struct timers *timers = &self->strand->timers;
    uint64_t deadline_ns = strand_now(self->strand) + HD_MS(timeout_ms);
    if (self->silence.place && self->silence.deadline_ns <= deadline_ns)
        return;
    timers_remove(timers, &self->silence);
    if (!timers_add(timers, &self->silence, deadline_ns))
        web_call_again(self); /* until there is memory */
}

static void release_watcher(web *self) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    bool has_timeout = MHD_get_timeout(self->daemon, &timeout_ms) == MHD_YES;
    if (has_timeout && timeout_ms == 0) {
        web_call_again(self);
        return;
    }
    if (has_timeout)
        set_timer(self, timeout_ms);
    if (!self->waits_to_go_on)
        return;
    self->waits_to_go_on = false;
    hd_event_set(self->go_on);
}

static unsigned connections(const web *self) {
    return MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/* A daemon that had no room for connections looks for new ones only when it is called again. */
static void call_daemon(web *self) {
    if (!self->daemon)
        return;
    if (self->closing && !self->quiesced)
        quiesce(self);
    unsigned before = connections(self);
    MHD_run(self->daemon);
    if (self->closing && self->open == 0) {
        stop(self);
        return;
    }
    if (connections(self) < before)
        web_call_again(self);
    release_watcher(self);
}

static void on_silence(struct strand *strand, callback *due) {
    (void)strand;
    call_daemon(chain_entry(chain_entry(due, timer, due), web, silence));
}

static void on_ready(struct strand *strand, post *posted) {
    web *self = chain_entry(posted, web, ready);
    (void)strand;
    self->waits_to_go_on = true;
    call_daemon(self);
}

static void on_again(struct strand *strand, post *posted) {
    web *self = chain_entry(posted, web, again);
    (void)strand;
    self->again_posted = false;
    call_daemon(self);
    web_put(self);
}

static void on_ended(struct strand *strand, post *posted) {
    web *self = chain_entry(posted, web, ended);
    hd_release(self->watcher);
    self->watcher = NULL;
    stop(self); /* it is over if there is nobody to watch */
    hd_close(self->epoll);
    descriptors_give(strand, WEB_DESCRIPTORS);
    web_put(self);
    strand_unhold(strand);
}

/* ---- the watcher ------------------------------------------------------------------------------------------------------ */

static int64_t watch(void *arg) {
    web *self = arg;
    for (int code = 0; !code;) {
        code = hd_fd_wait(self->epoll, HD_READABLE, HD_NEVER);
        if (code)
            break;
        strand_post(self->strand, &self->ready);
        code = hd_event_wait(self->go_on, HD_NEVER);
        hd_event_clear(self->go_on);
    }
    strand_post(self->strand, &self->ended);
    return 0;
}

static int start_watcher(web *self) {
    int epoll = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    self->epoll = fcntl(epoll, F_DUPFD_CLOEXEC, 0);
    if (self->epoll < 0)
        return -errno;
    self->watcher = hd_spawn_with(&(hd_spawn_options){.name = "serve"}, watch, self);
    if (self->watcher)
        return 0;
    int code = -errno;
    hd_close(self->epoll);
    return code;
}

/* ---- starting --------------------------------------------------------------------------------------------------------- */

static void say_nothing(void *arg, const char *format, va_list list) {
    (void)arg, (void)format, (void)list;
}

/* Each connection that is accepted has its descriptor of the script's, or is closed at once. */
static enum MHD_Result has_room(void *arg, const struct sockaddr *address, socklen_t length) {
    web *self = arg;
    (void)address, (void)length;
    if (!descriptors_try(self->strand, 1))
        return MHD_NO;
    descriptors_give(self->strand, 1); /* until it has begun; the strand does nothing else by then */
    return MHD_YES;
}

static void count_connection(void *arg, struct MHD_Connection *connection, void **counted,
                             enum MHD_ConnectionNotificationCode code) {
    web *self = arg;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *counted = descriptors_try(self->strand, 1) ? self : NULL;
    else if (*counted)
        descriptors_give(self->strand, 1);
}

static struct MHD_Daemon *start_daemon(web *self, const web_options *options, int listener) {
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, options->connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_seconds, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_OF_A_CONNECTION, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_begins, self},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_completed, self},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)count_connection, self},
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)say_nothing, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, has_room, self, exchange_step, self,
                            MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

/* 0, or a negative code. */
static int start(web *self, const web_options *options) {
    int listener = hd_tcp_listen(options->address, (uint16_t)options->port, BACKLOG);
    if (listener < 0)
        return listener;
    self->port = hd_tcp_port(listener);
    self->go_on = hd_event_create();
    self->stopped = hd_event_create();
    if (self->go_on && self->stopped)
        self->daemon = start_daemon(self, options, listener);
    if (!self->daemon) {
        hd_close(listener);
        return HD_ENOMEM;
    }
    int code = start_watcher(self);
    if (code) {
        MHD_stop_daemon(self->daemon); /* closes the listener, too */
        self->daemon = NULL;
    }
    return code;
}

web *web_create(lua_State *L, const web_options *options, int handler, const char **error) {
    strand *strand = strand_of(L);
    if (!strand_take(L, &strand->descriptors, WEB_DESCRIPTORS)) {
        *error = descriptors_refusal(L);
        return NULL;
    }
    web *self = calloc(1, sizeof *self);
    int code = HD_ENOMEM;
    if (self) {
        *self = (web){.strand = strand,
                      .L = strand_state(strand),
                      .references = 1,
                      .max_body_bytes = options->max_body_bytes,
                      .handler = handler,
                      .self = LUA_NOREF,
                      .ready.run = on_ready,
                      .again.run = on_again,
                      .ended.run = on_ended};
        chain_init(&self->exchanges);
        callback_init(&self->silence.due, on_silence);
        code = start(self, options);
    }
    if (!code) {
        kept_add(self->strand, &self->kept, drop);
        strand_hold(self->strand);
        web_get(self); /* the watcher's */
        *error = NULL;
        return self;
    }
    descriptors_give(strand, WEB_DESCRIPTORS);
    if (self)
        web_put(self);
    *error = code == HD_EINVAL ? "it is not an address in numbers" : hd_strerror(code);
    return NULL;
}
