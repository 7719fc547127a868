/* Drivers: tasks that run libcurl's transfers.
 *
 * Tasks hand over orders (start, go on, break off) in a list under the driver's mutex, and wake the driver only if it is
 * waiting. The driver hands back pieces of the body and the end; it sets the event of each transfer it did something
 * for once a turn, so a short answer costs its task one wake-up. Back-pressure: a transfer whose task has not fetched
 * BODY_BYTES is paused, and goes on when they have been fetched.
 *
 * A driver starts with the first transfer of its loop, as a root task without a job (from a pool thread: what a task
 * spawns belongs to its own job), and ends when it had nothing to do for LINGER; until then its connections are kept for
 * the next transfer. It is not pinned: when its worker is stuck in some job, another worker takes it. The record of
 * a driver stays to the end, so that nobody holds a stale one.
 *
 * A transfer is held by its task, by its driver from start to end, and by its place in the list of orders; whoever lets
 * go last frees it. Turned down: a driver a runtime (all answers of a service would pass through one core); transfers that
 * each drive a multi handle of their own (no connection would ever be used twice). */
#include "http_driver.h"

#include "http_multi.h"
#include "kinds.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES = 64 << 10, ORDERS_A_TURN = 64, STACK_BYTES = 256 << 10, CONNECTIONS_DEFAULT = 256 };
#define LINGER_NS HD_SECONDS(2)

enum { START = 1, GO_ON = 2, BREAK_OFF = 4 };

typedef struct driver driver;

struct http_transfer {
    /* any */
    atomic_uint references;
    hd_event *news;

    /* constant from the start on */
    CURL *easy; /* what it points to is the driver's until `ended`, then the task's */
    driver *driver;
    uint64_t max_bytes;

    /* the driver's mutex */
    unsigned orders; /* not 0: it is in the list of them */
    http_transfer *next_order;
    char *data;
    size_t length, capacity;
    long status; /* of the answer that `data` is of */
    bool paused, ended;
    http_result result;

    /* the driver */
    http_transfer *next, *previous; /* among the active */
    http_transfer *next_news;
    bool active, has_news, too_large;
    uint64_t received;
};

struct driver {
    driver *next; /* these three: constant */
    hd_runtime *runtime;
    int worker;

    pthread_mutex_t mutex; /* of the next three */
    bool running;          /* its task is there, or about to be */
    bool waiting;          /* for something to do: then `multi` is open */
    http_transfer *first_order, *last_order;

    http_multi multi; /* the task's, as is the rest */
    http_transfer *active, *news;
};

static pthread_mutex_t drivers_mutex = PTHREAD_MUTEX_INITIALIZER;
static driver *drivers;

int http_drivers_init(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) ? HD_ENOMEM : 0;
}

void http_drivers_fini(void) {
    for (driver *self; (self = drivers);) {
        drivers = self->next;
        pthread_mutex_destroy(&self->mutex);
        free(self);
    }
    curl_global_cleanup();
}

/* The driver of the calling task's loop. NULL: no memory. */
static driver *driver_here(void) {
    hd_task_info info;
    hd_task_inspect(hd_self(), &info);
    hd_runtime *runtime = hd_runtime_current();
    pthread_mutex_lock(&drivers_mutex);
    driver *self = drivers;
    while (self && (self->runtime != runtime || self->worker != info.worker))
        self = self->next;
    if (!self && (self = calloc(1, sizeof *self))) {
        *self = (driver){.next = drivers, .runtime = runtime, .worker = info.worker};
        pthread_mutex_init(&self->mutex, NULL);
        drivers = self;
    }
    pthread_mutex_unlock(&drivers_mutex);
    return self;
}

/* ---- what the driver does for a transfer; the driver's task ---- */

static void transfer_put(http_transfer *self) {
    /* acq_rel: who frees sees all that the others did with it */
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) > 1)
        return;
    hd_event_destroy(self->news);
    free(self->data);
    free(self);
}

static void transfer_get(http_transfer *self) {
    /* relaxed: who takes one more has one */
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
}

static void tell(http_transfer *self) {
    if (self->has_news)
        return;
    self->has_news = true;
    self->next_news = self->driver->news;
    self->driver->news = self;
    transfer_get(self);
}

static void publish(driver *self) {
    for (http_transfer *transfer; (transfer = self->news);) {
        self->news = transfer->next_news;
        transfer->has_news = false;
        hd_event_set(transfer->news);
        transfer_put(transfer);
    }
}

static void list_active(http_transfer *self, bool active) {
    driver *driver = self->driver;
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
static void end_transfer(http_transfer *self, CURLcode code, bool stopped) {
    http_result result = {.code = code, .too_large = self->too_large, .stopped = stopped};
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &result.status);
    if (self->active)
        list_active(self, false);
    pthread_mutex_lock(&self->driver->mutex);
    self->result = result;
    self->ended = true;
    pthread_mutex_unlock(&self->driver->mutex);
    tell(self);
    transfer_put(self);
}

/* Under the mutex. */
static bool make_room(http_transfer *self, size_t bytes) {
    size_t capacity = self->capacity ? self->capacity : 1024;
    while (capacity < self->length + bytes)
        capacity *= 2;
    char *data = capacity == self->capacity ? self->data : realloc(self->data, capacity);
    if (!data)
        return false;
    self->data = data;
    self->capacity = capacity;
    return true;
}

/* Curl's: takes all of it; or pauses the transfer, and is given the same again later; or ends it. */
static size_t body_arrives(char *bytes, size_t size, size_t count, void *arg) {
    http_transfer *self = arg;
    size_t length = size * count, taken = 0;
    self->too_large = length > self->max_bytes - self->received;
    if (self->too_large)
        return 0;
    pthread_mutex_lock(&self->driver->mutex);
    if (self->length > 0 && self->length + length > BODY_BYTES) {
        self->paused = true;
        taken = CURL_WRITEFUNC_PAUSE;
    } else if (make_room(self, length)) {
        memcpy(self->data + self->length, bytes, length);
        self->length += length;
        self->received += length;
        curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &self->status);
        taken = length;
    }
    pthread_mutex_unlock(&self->driver->mutex);
    tell(self);
    return taken;
}

/* ---- orders ---- */

/* Under the mutex. */
static void order(http_transfer *self, unsigned what) {
    driver *driver = self->driver;
    bool listed = self->orders != 0;
    self->orders |= what;
    if (!listed) {
        transfer_get(self);
        self->next_order = NULL;
        *(driver->first_order ? &driver->last_order->next_order : &driver->first_order) = self;
        driver->last_order = self;
    }
    if (driver->waiting)
        http_multi_wake(&driver->multi);
    driver->waiting = false;
}

/* The next order's transfer, with the reference that its place in the list had; NULL: there is none. */
static http_transfer *take_order(driver *self, unsigned *what) {
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
    if (what & BREAK_OFF) {
        if (self->active)
            curl_multi_remove_handle(curl, self->easy);
        if (self->active || what & START)
            end_transfer(self, CURLE_ABORTED_BY_CALLBACK, false);
    } else if (what & START) {
        list_active(self, true);
        if (curl_multi_add_handle(curl, self->easy))
            end_transfer(self, CURLE_OUT_OF_MEMORY, false);
    } else if (self->active) {
        curl_easy_pause(self->easy, CURLPAUSE_CONT);
    }
}

static bool obey_some(driver *self) {
    http_transfer *transfer;
    unsigned what;
    int count = 0;
    while (count < ORDERS_A_TURN && (transfer = take_order(self, &what))) {
        obey(transfer, what);
        transfer_put(transfer);
        count++;
    }
    return count > 0;
}

/* ---- the driver's task ---- */

/* Ends what is under way, and what is asked for. */
static void stop_all(driver *self) {
    while (self->active) {
        curl_multi_remove_handle(self->multi.curl, self->active->easy);
        end_transfer(self->active, CURLE_ABORTED_BY_CALLBACK, true);
    }
    http_transfer *transfer;
    for (unsigned what; (transfer = take_order(self, &what)); transfer_put(transfer))
        if (what & START)
            end_transfer(transfer, CURLE_ABORTED_BY_CALLBACK, true);
    publish(self);
}

static bool collect_ended(driver *self) {
    CURLcode code;
    int count = 0;
    for (CURL *easy; (easy = http_multi_next_ended(&self->multi, &code)); count++) {
        http_transfer *transfer;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        end_transfer(transfer, code, false);
    }
    return count > 0;
}

/* Waits for something to do. 0, HD_ECANCELED; HD_ETIMEDOUT: there was nothing for too long. */
static int driver_wait(driver *self) {
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

static int drive(driver *self) {
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

static int64_t driver_main(void *arg) {
    driver *self = arg;
    uint32_t connections = kinds_settings()->http_connections;
    bool more;
    do {
        int code = http_multi_open(&self->multi, connections ? (long)connections : CONNECTIONS_DEFAULT);
        if (!code)
            code = drive(self);
        if (code != HD_ETIMEDOUT)
            stop_all(self);
        http_multi_close(&self->multi);
        pthread_mutex_lock(&self->mutex);
        more = self->running = self->first_order != NULL;
        pthread_mutex_unlock(&self->mutex);
    } while (more);
    return 0;
}

/* On a pool thread. */
static int64_t spawn_driver(void *arg) {
    driver *self = arg;
    hd_spawn_options options = {
        .name = "http-driver", .runtime = self->runtime, .stack_bytes = STACK_BYTES, .detached = true};
    return hd_spawn_with(&options, driver_main, self) ? 0 : -errno;
}

/* Nobody else runs it: its transfers are ended here, in its place. */
static void driver_start(driver *self) {
    hd_shield_begin();
    int64_t code = hd_blocking(HD_POOL_USER, spawn_driver, self);
    hd_shield_end();
    if (!code)
        return;
    stop_all(self);
    pthread_mutex_lock(&self->mutex);
    self->running = false;
    pthread_mutex_unlock(&self->mutex);
}

/* ---- the transfer's task ---- */

http_transfer *http_transfer_create(CURL *easy, uint64_t max_bytes) {
    http_transfer *self = calloc(1, sizeof *self);
    hd_event *news = hd_event_create();
    if (!self || !news) {
        hd_event_destroy(news);
        free(self);
        return NULL;
    }
    *self = (http_transfer){.news = news, .easy = easy, .max_bytes = max_bytes};
    atomic_init(&self->references, 1);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_arrives);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    return self;
}

int64_t http_transfer_start(http_transfer *self) {
    driver *driver = driver_here();
    if (!driver)
        return HD_ENOMEM;
    self->driver = driver;
    transfer_get(self); /* the driver's */
    pthread_mutex_lock(&driver->mutex);
    bool start = !driver->running;
    driver->running = true;
    order(self, START);
    pthread_mutex_unlock(&driver->mutex);
    if (start)
        driver_start(driver);
    return 0;
}

/* Under the mutex. */
static int take_news(http_transfer *self, http_piece *piece, http_result *result) {
    if (self->length > 0) {
        *piece = (http_piece){.data = self->data, .length = self->length, .status = self->status};
        self->data = NULL;
        self->length = self->capacity = 0;
        if (self->paused)
            order(self, GO_ON);
        self->paused = false;
        return 1;
    }
    if (self->ended)
        *result = self->result;
    else
        hd_event_clear(self->news);
    return self->ended ? 0 : HD_EAGAIN;
}

int http_transfer_next(http_transfer *self, http_piece *piece, http_result *result) {
    for (;;) {
        pthread_mutex_lock(&self->driver->mutex);
        int taken = take_news(self, piece, result);
        pthread_mutex_unlock(&self->driver->mutex);
        if (taken != HD_EAGAIN)
            return taken;
        int code = hd_event_wait(self->news, HD_NEVER);
        if (code)
            return code;
    }
}

/* Sees to it that the driver has let go. */
static void break_off(http_transfer *self) {
    http_piece piece;
    http_result result;
    pthread_mutex_lock(&self->driver->mutex);
    if (!self->ended)
        order(self, BREAK_OFF);
    pthread_mutex_unlock(&self->driver->mutex);
    hd_shield_begin();
    while (http_transfer_next(self, &piece, &result) == 1)
        free(piece.data);
    hd_shield_end();
}

void http_transfer_destroy(http_transfer *self) {
    if (self->driver)
        break_off(self);
    curl_easy_cleanup(self->easy);
    transfer_put(self);
}
