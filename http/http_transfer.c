/* A transfer, as its task sees it, and the way of its body.
 *
 * The driver puts what arrives into a buffer, under its mutex; the task takes the buffer as it is. Back-pressure: a
 * transfer whose task has not taken BODY_BYTES is paused, and goes on when it has. */
#include "http_driver.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES = 64 << 10 };

void http_transfer_put(http_transfer *self) {
    /* acq_rel: who frees sees all that the others did with it */
    if (!self || atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) > 1)
        return;
    curl_easy_cleanup(self->easy);
    curl_slist_free_all(self->headers);
    curl_slist_free_all(self->addresses);
    http_host_free(&self->proxy);
    http_host_free(&self->server);
    hd_event_destroy(self->news);
    free(self->head);
    free(self->data);
    free(self);
}

http_transfer *http_transfer_get(http_transfer *self) {
    /* relaxed: who takes one more has one */
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
    return self;
}

/* ---- the body; the driver's task ---- */

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
size_t http_transfer_body(char *bytes, size_t size, size_t count, void *arg) {
    http_transfer *self = arg;
    size_t length = size * count, taken = 0;
    if (self->is_redirect)
        return length;
    self->too_large = length > self->max_bytes - self->received;
    if (self->too_large)
        return 0;
    pthread_mutex_lock(&self->driver->mutex);
    http_head_end(self);
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
    http_driver_tell(self);
    return taken;
}

/* ---- the transfer's task ---- */

/* Whose names curl would look up. */
static void find_hosts(http_transfer *self, const http_request *request) {
    self->by_proxy = request->proxy && *request->proxy;
    self->needs_server = !self->by_proxy || http_proxy_takes_addresses(request->proxy);
    if (self->by_proxy)
        (void)http_url_host(request->proxy, true, &self->proxy);
    if (self->needs_server)
        (void)http_url_host(request->url, false, &self->server);
}

http_transfer *http_transfer_create(const http_request *request) {
    http_transfer *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    atomic_init(&self->references, 1);
    self->max_bytes = request->max_bytes;
    self->redirects = request->redirects;
    self->news = hd_event_create();
    self->easy = curl_easy_init();
    find_hosts(self, request);
    if (self->news && self->easy && http_request_set(self, request))
        return self;
    http_transfer_put(self);
    return NULL;
}

int http_transfer_start(http_transfer *self) {
    struct curl_slist *addresses = NULL;
    int code = http_hop_look_up(self, &addresses, self->error, sizeof self->error);
    http_driver *driver = code ? NULL : http_driver_here();
    if (!driver) {
        curl_slist_free_all(addresses);
        return code ? code : HD_ENOMEM;
    }
    http_hop_set_addresses(self, addresses);
    self->driver = driver;
    http_transfer_get(self); /* the driver's */
    pthread_mutex_lock(&driver->mutex);
    bool start = !driver->running;
    driver->running = true;
    http_driver_order(self, HTTP_START);
    pthread_mutex_unlock(&driver->mutex);
    if (start)
        http_driver_start(driver);
    return 0;
}

const char *http_transfer_error(const http_transfer *self) {
    return self->error;
}

/* Under the mutex. */
static bool has_come(http_transfer *self, http_until until) {
    bool come = until == HTTP_HEAD ? self->head_done : self->ended || self->paused;
    come = come || (until == HTTP_PIECE && self->length > 0);
    if (!come)
        hd_event_clear(self->news);
    return come;
}

/* Is there a hop to begin? Then this task does. Under the mutex. */
static bool takes_hop(http_transfer *self) {
    bool takes = self->between && !self->looks_up && !self->broken_off;
    self->looks_up |= takes;
    return takes;
}

int http_transfer_wait(http_transfer *self, http_until until) {
    for (int code = 0;;) {
        pthread_mutex_lock(&self->driver->mutex);
        bool come = has_come(self, until);
        bool hops = !come && !code && takes_hop(self);
        pthread_mutex_unlock(&self->driver->mutex);
        if (come || code)
            return code;
        code = hops ? http_hop(self) : hd_event_wait(self->news, HD_NEVER);
    }
}

bool http_transfer_head(http_transfer *self, http_head *head) {
    pthread_mutex_lock(&self->driver->mutex);
    bool done = self->head_done;
    if (done)
        *head = (http_head){self->head_status, self->head, self->head_length};
    pthread_mutex_unlock(&self->driver->mutex);
    return done;
}

/* Under the mutex. */
static int take(http_transfer *self, http_piece *piece, http_result *result) {
    if (self->length == 0) {
        if (self->ended)
            *result = self->result;
        return self->ended ? 0 : HD_EAGAIN;
    }
    *piece = (http_piece){.data = self->data, .length = self->length, .status = self->status};
    self->data = NULL;
    self->length = self->capacity = 0;
    if (self->paused)
        http_driver_order(self, HTTP_GO_ON);
    self->paused = false;
    return 1;
}

int http_transfer_take(http_transfer *self, http_piece *piece, http_result *result) {
    pthread_mutex_lock(&self->driver->mutex);
    int taken = take(self, piece, result);
    pthread_mutex_unlock(&self->driver->mutex);
    return taken;
}

int http_transfer_next(http_transfer *self, http_piece *piece, http_result *result) {
    int code = http_transfer_wait(self, HTTP_PIECE);
    return code ? code : http_transfer_take(self, piece, result);
}

void http_transfer_break_off(http_transfer *self) {
    pthread_mutex_lock(&self->driver->mutex);
    self->broken_off = true;
    if (!self->ended)
        http_driver_order(self, HTTP_BREAK_OFF);
    pthread_mutex_unlock(&self->driver->mutex);
}

static void await_end(http_transfer *self) {
    http_piece piece;
    http_result result;
    hd_shield_begin();
    while (http_transfer_next(self, &piece, &result) == 1)
        free(piece.data);
    hd_shield_end();
}

void http_transfer_destroy(http_transfer *self) {
    if (self && self->driver) {
        http_transfer_break_off(self);
        await_end(self);
    }
    http_transfer_put(self);
}
