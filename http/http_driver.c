/* Drivers: tasks that run libcurl's transfers.
 *
 * Tasks hand over orders (start, go on, break off) in a list under the driver's mutex, and wake the driver only if it is
 * waiting. The driver hands back pieces of the body and the end; it sets the event of each transfer it did something
 * for once a turn, so a short answer costs its task one wake-up.
 *
 * A driver starts with the first transfer of its loop, as a root task without a job, and ends when it had nothing to do
 * for LINGER; until then its connections are kept for the next transfer. It is not pinned: when its worker is stuck in
 * some job, another worker takes it. The record of a driver stays to the end, so that nobody holds a stale one.
 *
 * Turned down: a driver a runtime (all answers of a service would pass through one core); transfers that each drive a
 * multi handle of their own (no connection would ever be used twice). */
#include "http_driver.h"

#include "http_names.h"

#include <stdlib.h>
#include <string.h>

enum { ORDERS_A_TURN = 64, STACK_BYTES = 256 << 10 };
#define LINGER_NS HD_SECONDS(2)

static pthread_mutex_t drivers_mutex = PTHREAD_MUTEX_INITIALIZER;
static http_driver *drivers;
static long connections_max = 256; /* constant once there are drivers */

int http_init(long connections) {
    if (connections > 0)
        connections_max = connections;
    return curl_global_init(CURL_GLOBAL_DEFAULT) ? HD_ENOMEM : 0;
}

void http_fini(void) {
    for (http_driver *self; (self = drivers);) {
        drivers = self->next;
        pthread_mutex_destroy(&self->mutex);
        free(self);
    }
    http_names_fini();
    curl_global_cleanup();
}

long http_connections(void) {
    return connections_max;
}

http_driver *http_driver_here(void) {
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    hd_runtime *runtime = hd_runtime_current();
    pthread_mutex_lock(&drivers_mutex);
    http_driver *self = drivers;
    while (self && (self->runtime != runtime || self->worker != info.worker))
        self = self->next;
    if (!self && (self = calloc(1, sizeof *self))) {
        *self = (http_driver){.next = drivers, .runtime = runtime, .worker = info.worker};
        pthread_mutex_init(&self->mutex, NULL);
        drivers = self;
    }
    pthread_mutex_unlock(&drivers_mutex);
    return self;
}

/* ---- what the driver does for a transfer; the driver's task ---- */

void http_driver_tell(http_transfer *self) {
    if (self->has_news)
        return;
    self->has_news = true;
    self->next_news = self->driver->news;
    self->driver->news = self;
    http_transfer_get(self);
}

static void publish(http_driver *self) {
    for (http_transfer *transfer; (transfer = self->news);) {
        self->news = transfer->next_news;
        transfer->has_news = false;
        hd_event_set(transfer->news);
        http_transfer_put(transfer);
    }
}

static void list_active(http_transfer *self, bool active) {
    http_driver *driver = self->driver;
    self->active = active;
    if (active) {
        self->previous = NULL;
        self->next = driver->active;
    }
    http_transfer **forward = self->previous ? &self->previous->next : &driver->active;
    *forward = active ? self : self->next;
    if (self->next)
        self->next->previous = active ? self : self->previous;
}

/* It has left the multi handle, or never was in it. */
static void end_transfer(http_transfer *self, CURLcode code, int broken) {
    http_result result = {.too_large = self->too_large, .broken = broken};
    if (self->active)
        list_active(self, false);
    pthread_mutex_lock(&self->driver->mutex);
    if (self->head_fault)
        result.error = self->head_fault;
    else if (code)
        result.error = self->error[0] ? self->error : curl_easy_strerror(code);
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &result.status);
    http_head_end(self);
    self->result = result;
    self->ended = true;
    pthread_mutex_unlock(&self->driver->mutex);
    http_driver_tell(self);
    http_transfer_put(self);
}

/* Libcurl has done what it was to do, and has let go of it. */
static void end_hop(http_transfer *self, CURLcode code) {
    if (http_hop_is_followed(self, code))
        return;
    end_transfer(self, code ? code : self->is_redirect ? CURLE_TOO_MANY_REDIRECTS : CURLE_OK, 0);
}

/* ---- orders ---- */

/* Under the mutex. */
void http_driver_order(http_transfer *self, unsigned what) {
    http_driver *driver = self->driver;
    bool listed = self->orders != 0;
    self->orders |= what;
    if (!listed) {
        http_transfer_get(self);
        self->next_order = NULL;
        *(driver->first_order ? &driver->last_order->next_order : &driver->first_order) = self;
        driver->last_order = self;
    }
    if (driver->waiting)
        http_multi_wake(&driver->multi);
    driver->waiting = false;
}

/* The next order's transfer, with the reference that its place in the list had; NULL: there is none. */
static http_transfer *take_order(http_driver *self, unsigned *what) {
    pthread_mutex_lock(&self->mutex);
    http_transfer *transfer = self->first_order;
    if (transfer) {
        self->first_order = transfer->next_order;
        *what = transfer->orders;
        transfer->orders = 0;
    }
    pthread_mutex_unlock(&self->mutex);
    return transfer;
}

static void obey(http_transfer *self, unsigned what) {
    CURLM *curl = self->driver->multi.curl;
    if (what & HTTP_BREAK_OFF) {
        if (self->active)
            curl_multi_remove_handle(curl, self->easy);
        if (self->active || what & HTTP_START)
            end_transfer(self, CURLE_ABORTED_BY_CALLBACK, HD_ECANCELED);
    } else if (what & HTTP_LOST && self->active) {
        end_transfer(self, CURLE_COULDNT_RESOLVE_HOST, 0);
    } else if (what & HTTP_START) {
        if (!self->active)
            list_active(self, true);
        if (curl_multi_add_handle(curl, self->easy))
            end_transfer(self, CURLE_OUT_OF_MEMORY, 0);
    } else if (self->active) {
        curl_easy_pause(self->easy, CURLPAUSE_CONT);
    }
}

static bool obey_some(http_driver *self) {
    http_transfer *transfer;
    unsigned what;
    int count = 0;
    while (count < ORDERS_A_TURN && (transfer = take_order(self, &what))) {
        obey(transfer, what);
        http_transfer_put(transfer);
        count++;
    }
    return count > 0;
}

/* ---- the driver's task ---- */

/* Ends what is under way, and what is asked for, because the driver cannot go on. */
static void stop_all(http_driver *self, int broken) {
    while (self->active) {
        curl_multi_remove_handle(self->multi.curl, self->active->easy);
        end_transfer(self->active, CURLE_ABORTED_BY_CALLBACK, broken);
    }
    http_transfer *transfer;
    for (unsigned what; (transfer = take_order(self, &what)); http_transfer_put(transfer))
        if (what & HTTP_START && !transfer->ended)
            end_transfer(transfer, CURLE_ABORTED_BY_CALLBACK, broken);
    publish(self);
}

static bool collect_ended(http_driver *self) {
    CURLcode code;
    int count = 0;
    for (CURL *easy; (easy = http_multi_next_ended(&self->multi, &code)); count++) {
        http_transfer *transfer;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        end_hop(transfer, code);
    }
    return count > 0;
}

/* Waits for something to do. 0, HD_ECANCELED; HD_ETIMEDOUT: there was nothing for too long. */
static int driver_wait(http_driver *self) {
    uint64_t until_ns = self->active ? HD_NEVER : hd_after(LINGER_NS);
    pthread_mutex_lock(&self->mutex);
    bool wait = self->waiting = !self->first_order;
    pthread_mutex_unlock(&self->mutex);
    int code = wait ? http_multi_wait(&self->multi, until_ns) : 0;
    pthread_mutex_lock(&self->mutex);
    self->waiting = false;
    pthread_mutex_unlock(&self->mutex);
    return code == HD_ETIMEDOUT && hd_now() < until_ns ? 0 : code;
}

static int drive(http_driver *self) {
    int code = 0;
    while (!code) {
        bool busy = obey_some(self);
        busy |= http_multi_turn(&self->multi);
        busy |= collect_ended(self);
        publish(self);
        code = busy ? hd_yield() : driver_wait(self);
    }
    return code;
}

/* False, and the driver counts as ended, if nothing was ordered meanwhile. */
static bool goes_on(http_driver *self) {
    pthread_mutex_lock(&self->mutex);
    bool more = self->running = self->first_order != NULL;
    pthread_mutex_unlock(&self->mutex);
    return more;
}

static int64_t driver_main(void *arg) {
    http_driver *self = arg;
    do {
        int code = http_multi_open(&self->multi, connections_max);
        if (!code)
            code = drive(self);
        if (code != HD_ETIMEDOUT)
            stop_all(self, code);
        http_multi_close(&self->multi);
    } while (goes_on(self));
    return 0;
}

/* Nobody else runs it: its transfers are ended here, in its place. */
void http_driver_start(http_driver *self) {
    hd_spawn_options options = {
        .name = "http-driver", .runtime = self->runtime, .stack_bytes = STACK_BYTES, .detached = true};
    if (hd_spawn_with(&options, driver_main, self))
        return;
    int code = -errno;
    do {
        stop_all(self, code);
    } while (goes_on(self));
}
