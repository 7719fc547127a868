/* Words and numbers as people write them: durations, sizes, points in time. */
#ifndef HEDDLED_TEXT_H
#define HEDDLED_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "3s", "250ms", "1h30m", "0"; units ns us ms s m h d, whole numbers. False: not a duration, or over 100 years. */
bool text_duration(const char *text, uint64_t *ns);

/* "64KiB", "1MiB", "2GiB", "4096". False: not a size. */
bool text_size(const char *text, uint64_t *bytes);

/* "1000000", digits only. */
bool text_count(const char *text, uint64_t *count);

/* The shortest exact form of a duration or size, as the functions above read it. */
void text_put_duration(uint64_t ns, char *text, size_t bytes);
void text_put_size(uint64_t size, char *text, size_t bytes);

/* A point in time (nanoseconds of the Unix epoch) as "2026-11-20T14:05:10Z". */
void text_put_time(uint64_t epoch_ns, char *text, size_t bytes);

/* Nanoseconds of the Unix epoch, now. */
uint64_t text_epoch_ns(void);

#endif
