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
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) > 1)
        return;
    hd_event_destroy(self->news);
    free(self->data);
    free(self);
}

void http_transfer_get(http_transfer *self) {
    /* relaxed: who takes one more has one */
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
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
    http_driver_tell(self);
    return taken;
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
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_transfer_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    return self;
}

int64_t http_transfer_start(http_transfer *self) {
    http_driver *driver = http_driver_here();
    if (!driver)
        return HD_ENOMEM;
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

/* Under the mutex. */
static int take_news(http_transfer *self, http_piece *piece, http_result *result) {
    if (self->length > 0) {
        *piece = (http_piece){.data = self->data, .length = self->length, .status = self->status};
        self->data = NULL;
        self->length = self->capacity = 0;
        if (self->paused)
            http_driver_order(self, HTTP_GO_ON);
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
        http_driver_order(self, HTTP_BREAK_OFF);
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
    http_transfer_put(self);
}
