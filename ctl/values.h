/* Values as people write them: durations, sizes, numbers. Pure functions from text.
 *
 * A duration is a sum of numbers with units (1h30m, 250ms, 1.5s); without a unit it is seconds, as for sleep(1) and
 * timeout(1). A size has decimal (kB, MB, ...) or binary (KiB, MiB, ...) units; without one it is bytes. */
#ifndef CTL_VALUES_H
#define CTL_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Each is false when the text is no such value, or too large for 2^63 - 1. */
bool value_duration(const char *text, uint64_t *ns);
bool value_size(const char *text, uint64_t *bytes);
bool value_unsigned(const char *text, uint64_t max, uint64_t *number);
bool value_signed(const char *text, int64_t min, int64_t max, int64_t *number);

/* The member of `words` (ends with NULL) that was probably meant by `word`, or NULL if none is near. */
const char *value_nearest(const char *word, const char *const *words);

#endif
