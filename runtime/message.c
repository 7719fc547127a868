#include "message.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TEXT_BYTES = 4000, /* less than a pipe takes at once */
    WRITE_MS = 1000,   /* how long to wait for whoever reads stderr */
};

typedef struct writer {
    char *to;
    size_t bytes, length;
} writer;

static void HD_PRINTF(2, 3) add(writer *out, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int more = vsnprintf(out->to + out->length, out->bytes - out->length, format, values);
    va_end(values);
    size_t left = out->bytes - 1 - out->length;
    out->length += more > 0 ? (size_t)more < left ? (size_t)more : left : 0;
}

static void add_frame(writer *out, const hd_stuck_frame *frame) {
    const char *slash = frame->module ? strrchr(frame->module, '/') : NULL;
    const char *module = slash ? slash + 1 : frame->module;
    add(out, "    %s", frame->function ? frame->function : "?");
    if (frame->file)
        add(out, " at %s:%d", frame->file, frame->line);
    else if (module)
        add(out, " in %s+0x%zx", module, (size_t)frame->module_offset);
    else
        add(out, " at 0x%zx", (size_t)frame->address);
    add(out, "%s%s\n", frame->inlined ? " (inlined)" : "", frame->guessed ? " (probably)" : "");
}

static void add_duration(writer *out, uint64_t ns) {
    if (ns < 1000000000u)
        add(out, "%u ms", (unsigned)(ns / 1000000u));
    else
        add(out, "%.1f s", (double)ns / 1e9);
}

size_t hd_stuck_report_format(const hd_stuck_report *report, char *to, size_t bytes) {
    writer out = {.to = to, .bytes = bytes};
    add(&out, "task %llu \"%s\"", (unsigned long long)report->task, report->name);
    if (report->function)
        add(&out, " (%s)", report->function);
    add(&out,
        report->sleeps ? " has blocked worker %u of runtime \"%s\" for "
                       : " has kept worker %u of runtime \"%s\" busy for ",
        report->worker, report->runtime);
    add_duration(&out, report->stuck_ns);
    if (report->call_name)
        add(&out, ", in the system call %s", report->call_name);
    else if (report->system_call >= 0)
        add(&out, ", in system call %ld", report->system_call);
    add(&out, "\n");
    for (size_t i = 0; i < report->frame_count; i++)
        add_frame(&out, &report->frames[i]);
    if (report->frame_count == 0)
        add(&out, "    (no backtrace could be had)\n");
    add(&out, "  Meanwhile %s. %s\n",
        report->taken_over ? "another thread runs what waits there" : "whatever waits there stands still",
        report->sleeps ? "Calls that block are for hd_blocking()."
                       : "Long computations call hd_yield() now and then, or are for hd_blocking().");
    if (report->withheld)
        add(&out, "  (%u more reports like this were withheld.)\n", report->withheld);
    return out.length;
}

/* One write, and only into a place that takes it: nobody who forgot to read stderr stops us. */
void hd_message_print(const hd_stuck_report *report) {
    char to[TEXT_BYTES] = "heddle: ";
    size_t length = strlen(to);
    length += hd_stuck_report_format(report, to + length, sizeof to - length);
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, WRITE_MS) == 1 && (ready.revents & POLLOUT)) {
        ssize_t written HD_UNUSED = write(STDERR_FILENO, to, length);
    }
}
