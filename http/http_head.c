/* The head of an answer.
 *
 * Libcurl gives it line by line, beginning with "HTTP/", for each answer that comes: those with a status of 100 to 199, those
 * that redirect, and the last one; and after the body there may be trailers, which nobody gets. What follows the head of an
 * answer that redirects, and is followed, is dropped. */
#include "http_driver.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX_BYTES = 256 << 10, HEAD_MAX_LINES = 5000 };

static bool keep_line(http_transfer *self, const char *line, size_t length) {
    size_t capacity = self->head_capacity ? self->head_capacity : 512;
    if (length > HEAD_MAX_BYTES - self->head_length || ++self->head_lines > HEAD_MAX_LINES)
        self->head_fault = "the headers of the answer are too large";
    while (capacity < self->head_length + length)
        capacity *= 2;
    if (self->head_fault)
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

/* As libcurl has it: one without a value is none. */
static bool has_location(const http_transfer *self) {
    static const char name[] = "location:";
    const char *line = self->head, *end = self->head + self->head_length;
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next + 1 : end;
        if ((size_t)(next - line) >= sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0)
            for (const char *value = line + sizeof name - 1; value < next; value++)
                if (!strchr(" \t\r\n", *value))
                    return true;
        line = next;
    }
    return false;
}

void http_head_end(http_transfer *self) {
    self->head_done = true;
    self->in_head = false;
}

/* False: it is no good. */
static bool look_at_head(http_transfer *self) {
    long status = self->head_status;
    if (status < 100)
        self->head_fault = "the answer has no status";
    if (status < 200)
        return !self->head_fault;
    self->is_redirect = self->redirects > 0 && status >= 300 && status < 400 && has_location(self);
    if (self->is_redirect)
        return true;
    pthread_mutex_lock(&self->driver->mutex);
    http_head_end(self);
    pthread_mutex_unlock(&self->driver->mutex);
    http_driver_tell(self);
    return true;
}

size_t http_transfer_header(char *bytes, size_t size, size_t count, void *arg) {
    http_transfer *self = arg;
    size_t length = size * count;
    if (length >= 5 && !self->head_done && !self->is_redirect && memcmp(bytes, "HTTP/", 5) == 0) {
        self->in_head = true;
        self->head_length = self->head_lines = 0;
        curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &self->head_status);
    } else if (self->in_head && length > 0 && bytes[0] != '\r' && bytes[0] != '\n') {
        return keep_line(self, bytes, length) ? length : 0;
    } else if (self->in_head) {
        self->in_head = false;
        return look_at_head(self) ? length : 0;
    }
    return length;
}
