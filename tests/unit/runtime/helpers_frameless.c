#include "helpers_frameless.h"

#include <unistd.h>

static __attribute__((noinline)) long frameless_reader(int fd) {
    char byte;
    long result = read(fd, &byte, 1);
    __asm__ volatile("" : "+r"(result)::"memory");
    return result;
}

static __attribute__((noinline)) long frameless_middle(int fd) {
    volatile char room[300];
    room[0] = 1;
    return frameless_reader(fd) * room[0];
}

long frameless_outer(int fd) {
    long result = frameless_middle(fd);
    __asm__ volatile("" : "+r"(result)::"memory");
    return result;
}
