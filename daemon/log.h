/* What the service says about itself, on stderr: one line a message. Any thread. */
#ifndef HEDDLED_LOG_H
#define HEDDLED_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERRORS, LOG_WARNINGS, LOG_INFORMATION, LOG_DEBUGGING };

/* "error", "warning", "info", "debug". */
bool log_level_of(const char *name, uint64_t *level);

void log_set_level(uint64_t level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
