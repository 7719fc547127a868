/* What the runtime says on stderr of a worker that is stuck, if nobody else was asked to. */
#ifndef HD_MESSAGE_H
#define HD_MESSAGE_H

#include "base.h"

/* A message of several lines. Returns its length, at most bytes - 1. */
size_t hd_message_format(const hd_stuck_report *report, char *text, size_t bytes);

void hd_message_print(const hd_stuck_report *report);

#endif
