/* Functions as a stranger compiles them: without frame pointers, static, and in the middle of a call that blocks. */
#ifndef HD_TEST_FRAMELESS_H
#define HD_TEST_FRAMELESS_H

/* Calls frameless_middle (static), which calls frameless_reader (static), which reads one byte. What read() said. */
long frameless_outer(int fd);

#endif
