/* Two columns, wrapped to 100 columns or the terminal's width if that is less. */
#include "help.h"

#include <stdio.h>
#include <string.h>

enum { LEFT_MOST = 30, WIDEST = 100, NARROWEST = 50 };

static size_t width(void) {
    unsigned columns = render_width();
    return columns == 0 || columns > WIDEST ? WIDEST : columns < NARROWEST ? NARROWEST : columns;
}

/* Prints `text` from column `at` on, its further lines from column `indent`. */
static void wrap(FILE *stream, const char *text, size_t at, size_t indent) {
    size_t line = width();
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (at > indent && at + 1 + word > line) {
            fprintf(stream, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            putc(' ', stream);
            at++;
        }
        fprintf(stream, "%.*s", (int)word, text);
        at += word;
        text += word;
        text += strspn(text, " ");
    }
    putc('\n', stream);
}

static void two_columns(FILE *stream, const char *left, size_t left_width, const char *right) {
    int printed = fprintf(stream, "  %s", left);
    size_t indent = left_width + 4;
    if ((size_t)printed + 2 > indent) {
        putc('\n', stream);
        printed = 0;
    }
    fprintf(stream, "%*s", (int)(indent - (size_t)printed), "");
    wrap(stream, right, indent, indent);
}

static void option_left(char *buffer, size_t bytes, const struct option_row *option) {
    const char *placeholder = option->type->placeholder;
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    snprintf(buffer, bytes, "%s--%s%s%s", option->letter != 0 ? letter : "    ", option->name,
             placeholder == NULL ? "" : " ", placeholder == NULL ? "" : placeholder);
}

static void print_sets(FILE *stream, const option_set *sets) {
    char left[128];
    size_t left_width = 0;
    for (const option_set *set = sets; set->options != NULL; set++) {
        for (const struct option_row *o = set->options; o->name != NULL; o++) {
            option_left(left, sizeof left, o);
            if (strlen(left) > left_width && strlen(left) <= LEFT_MOST)
                left_width = strlen(left);
        }
    }
    const char *title = "";
    for (const option_set *set = sets; set->options != NULL; set++) {
        if (strcmp(set->title, title) != 0)
            fprintf(stream, "\n%s:\n", set->title);
        title = set->title;
        for (const struct option_row *o = set->options; o->name != NULL; o++) {
            option_left(left, sizeof left, o);
            two_columns(stream, left, left_width, o->help);
        }
    }
}

static void print_lines(const char *lines) {
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        printf("  %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

void help_all(FILE *stream) {
    static const option_set sets[] = {{"Options before the verb", cli_global_options, 0, OPTIONS_OF_CLI},
                                      {0}};
    fputs("heddlectl: submit jobs to heddled, follow, inspect, measure and compare them\n\n"
          "usage: heddlectl [OPTION...] VERB [ARGUMENT...]\n\nVerbs:\n",
          stream);
    for (size_t i = 0; commands[i] != NULL; i++)
        two_columns(stream, commands[i]->name, 12, commands[i]->summary);
    print_sets(stream, sets);
    fputs("\nExit codes:\n"
          "  0 ok · 1 failed · 2 usage · 3 service unreachable · 4 no such job · 5 denied ·\n"
          "  6 queue full or draining · 8 wrong state · 124 wait timed out · `run`: the job's own,\n"
          "  128+signal, 124 out of time, 125 heddle failed, 126 not executable, 127 not found\n\n"
          "Examples:\n"
          "  heddlectl run exec -- sh -c 'echo hello; exit 3'\n"
          "  heddlectl wait $(heddlectl submit -q sleep 2s)\n"
          "  heddlectl VERB --help\n",
          stream);
}

void help_verb(const struct command *command) {
    printf("heddlectl %s: %s\n\nusage: heddlectl %s [OPTION...]%s%s\n", command->name, command->summary,
           command->name, *command->operands != '\0' ? " " : "", command->operands);
    if (command->details != NULL)
        printf("\n%s", command->details);
    print_sets(stdout, command->sets);
    puts("\nExamples:");
    print_lines(command->examples);
}
