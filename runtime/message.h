/* What the runtime says on stderr of a worker that is stuck, if nobody else was asked to. */
#ifndef HD_MESSAGE_H
#define HD_MESSAGE_H

#include "base.h"

void hd_message_print(const hd_stuck_report *report);

#endif
