/* The head of an answer.
 *
 * Libcurl gives it line by line, beginning with "HTTP/", for each answer that comes: those with a status of 100 to 199, those
 * that redirect, and the last one; and after the body there may be trailers, which nobody gets. Whether a redirection will be
 * followed is libcurl's to decide; so the head of one counts only once its body comes (libcurl keeps those of others to
 * itself), or nothing more. */
#include "http_driver.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX_BYTES = 256 << 10 };

static bool keep_line(http_transfer *self, const char *line, size_t length) {
    size_t capacity = self->head_capacity ? self->head_capacity : 512;
    self->head_too_large = length > HEAD_MAX_BYTES - self->head_length;
    while (capacity < self->head_length + length)
        capacity *= 2;
    if (self->head_too_large)
        return false;
    char *head = capacity == self->head_capacity ? self->head : realloc(self->head, capacity);
    if (!head)
        return false;
    self->head = head;
    self->head_capacity = capacity;
    memcpy(head + self->head_length, line, length);
    self->head_length += length;
    return true;
}

static bool has_location(const http_transfer *self) {
    static const char name[] = "location:";
    const char *line = self->head, *end = self->head + self->head_length;
    while (line < end) {
        if ((size_t)(end - line) >= sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0)
            return true;
        const char *next = memchr(line, '\n', (size_t)(end - line));
        line = next ? next + 1 : end;
    }
    return false;
}

static bool is_last(const http_transfer *self) {
    long status = self->head_status;
    return status >= 200 && !(self->redirects > 0 && status >= 300 && status < 400 && has_location(self));
}

void http_head_end(http_transfer *self) {
    self->head_done = true;
    self->in_head = false;
}

size_t http_transfer_header(char *bytes, size_t size, size_t count, void *arg) {
    http_transfer *self = arg;
    size_t length = size * count;
    if (length >= 5 && !self->head_done && memcmp(bytes, "HTTP/", 5) == 0) {
        self->in_head = true;
        self->head_length = 0;
        curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &self->head_status);
    } else if (self->in_head && length > 0 && bytes[0] != '\r' && bytes[0] != '\n') {
        return keep_line(self, bytes, length) ? length : 0;
    } else if (self->in_head) {
        self->in_head = false;
        if (is_last(self)) {
            pthread_mutex_lock(&self->driver->mutex);
            http_head_end(self);
            pthread_mutex_unlock(&self->driver->mutex);
            http_driver_tell(self);
        }
    }
    return length;
}
