/* heddlectl completion: what shells need to complete verbs, options and their values, from the same tables as everything. */
#include "command.h"

#include <string.h>

static bool wants_file(const char *placeholder) {
    return placeholder != NULL && strstr(placeholder, "FILE") != NULL;
}

static void print_words(const char *(*word)(unsigned)) {
    for (unsigned i = 0; word != NULL && word(i) != NULL; i++)
        printf("%s%s", i == 0 ? "" : " ", word(i));
}

/* Text inside of single quotes, with a backslash before what `special` has. */
static void print_quoted(const char *text, const char *special) {
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr(special, *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

/* Calls `visit` for each option of the sets. */
static void each_option(const option_set *sets,
                        void (*visit)(const struct option_row *option, const char *verb), const char *verb) {
    for (; sets->options != NULL; sets++) {
        for (const struct option_row *o = sets->options; o->name != NULL; o++)
            visit(o, verb);
    }
}

static const option_set global_sets[] = {{"", cli_global_options, 0, OPTIONS_OF_CLI}, {0}};

/* ---- bash ---- */

static void bash_pattern(const struct option_row *option, const char *verb) {
    printf("%s:--%s", verb, option->name);
    if (option->letter != 0)
        printf(" | %s:-%c", verb, option->letter);
}

static void bash_value(const struct option_row *option, const char *verb) {
    if (option->type->placeholder == NULL)
        return;
    fputs("    ", stdout);
    bash_pattern(option, verb);
    fputs(") ", stdout);
    if (option->type->word != NULL) {
        fputs("words='", stdout);
        print_words(option->type->word);
        puts("' ;;");
    } else {
        puts(wants_file(option->type->placeholder) ? "files=1 ;;" : "return ;;");
    }
}

static void bash_name(const struct option_row *option, const char *verb) {
    (void)verb;
    printf(" --%s", option->name);
}

static void bash_skip(const struct option_row *option, const char *verb) {
    (void)verb;
    if (option->type->placeholder == NULL)
        return;
    printf(" | --%s", option->name);
    if (option->letter != 0)
        printf(" | -%c", option->letter);
}

static void bash_verb(const struct command *command) {
    printf("    %s)\n        options='", command->name);
    each_option(command->sets, bash_name, "");
    fputs("' operands='", stdout);
    print_words(command->word);
    printf("' files=%d ;;\n", wants_file(command->operands) || command->until_operand);
}

static void print_bash(void) {
    puts("# bash completion for heddlectl: eval \"$(heddlectl completion bash)\"\n"
         "_heddlectl() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    local verb='' operand='' words='' options='' operands='' files=0 i\n"
         "    COMPREPLY=()\n"
         "    if [[ $cur == = ]]; then cur=''\n"
         "    elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in");
    fputs("        =", stdout);
    each_option(global_sets, bash_skip, "");
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (commands[i]->until_operand)
            each_option(commands[i]->sets, bash_skip, "");
    }
    puts(
        ") ((i++)) ;;\n"
        "        -*) ;;\n"
        "        *) if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; else operand=${COMP_WORDS[i]}; break; fi ;;\n"
        "        esac\n"
        "    done\n"
        "    case $verb:$prev in");
    each_option(global_sets, bash_value, "");
    for (size_t i = 0; commands[i] != NULL; i++)
        each_option(commands[i]->sets, bash_value, commands[i]->name);
    puts("    esac\n"
         "    if [[ -n $words ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); return; fi\n"
         "    if ((files)); then COMPREPLY=($(compgen -f -- \"$cur\")); return; fi\n"
         "    case $verb in");
    fputs("    '')\n        options='", stdout);
    each_option(global_sets, bash_name, "");
    fputs("' operands='", stdout);
    for (size_t i = 0; commands[i] != NULL; i++)
        printf("%s%s", i == 0 ? "" : " ", commands[i]->name);
    puts("' ;;");
    for (size_t i = 0; commands[i] != NULL; i++)
        bash_verb(commands[i]);
    puts(
        "    esac\n"
        "    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
        "    elif [[ -z $operand && -n $operands ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$operands\" -- \"$cur\"))\n"
        "        if ((files)); then COMPREPLY+=($(compgen -d -- \"$cur\") $(compgen -f -X '!*.lua' -- \"$cur\")); fi\n"
        "    elif [[ $operand == exec ]]; then COMPREPLY=($(compgen -c -f -- \"$cur\"))\n"
        "    elif ((files)); then COMPREPLY=($(compgen -f -- \"$cur\")); fi\n"
        "}\n"
        "complete -o filenames -F _heddlectl heddlectl");
}

/* ---- zsh ---- */

static void zsh_option(const struct option_row *option, const char *verb) {
    (void)verb;
    bool repeated = option->type->repeated;
    fputs("        ", stdout);
    if (option->letter != 0)
        printf("'%s'{-%c,--%s}'", repeated ? "*" : "", option->letter, option->name);
    else
        printf("'%s--%s", repeated ? "*" : "", option->name);
    putchar('[');
    print_quoted(option->help, "[]:\\");
    putchar(']');
    if (option->type->placeholder != NULL) {
        putchar(':');
        print_quoted(option->type->placeholder, "[]:\\");
        putchar(':');
        if (option->type->word != NULL) {
            putchar('(');
            print_words(option->type->word);
            putchar(')');
        } else if (wants_file(option->type->placeholder)) {
            fputs("_files", stdout);
        }
    }
    puts("' \\");
}

static void zsh_verb(const struct command *command) {
    printf("    %s)\n        _arguments -s -S \\\n", command->name);
    each_option(command->sets, zsh_option, "");
    if (command->word != NULL) {
        fputs("        '1:what:{ compadd -- ", stdout);
        print_words(command->word);
        fputs(command->until_operand ? "; _files -g \"*.lua\" }' \\\n" : " }' \\\n", stdout);
    }
    puts(wants_file(command->operands) || command->until_operand ? "        '*:argument:_files' ;;"
                                                                 : "        '*:argument:' ;;");
}

static void print_zsh(void) {
    puts("#compdef heddlectl\n"
         "# zsh completion for heddlectl: heddlectl completion zsh > \"${fpath[1]}/_heddlectl\"\n"
         "_heddlectl() {\n"
         "    local curcontext=$curcontext context state state_descr line\n"
         "    typeset -A opt_args\n"
         "    local -a verbs\n"
         "    verbs=(");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("        '%s:", commands[i]->name);
        print_quoted(commands[i]->summary, ":\\");
        puts("'");
    }
    puts("    )\n"
         "    _arguments -C -s \\");
    each_option(global_sets, zsh_option, "");
    puts("        '1:verb:->verb' \\\n"
         "        '*::argument:->argument' && return\n"
         "    if [[ $state == verb ]]; then\n"
         "        _describe verb verbs\n"
         "        return\n"
         "    fi\n"
         "    case $line[1] in");
    for (size_t i = 0; commands[i] != NULL; i++)
        zsh_verb(commands[i]);
    puts(
        "    esac\n"
        "}\n"
        "if [[ $funcstack[1] == _heddlectl ]]; then _heddlectl \"$@\"; else compdef _heddlectl heddlectl; fi");
}

/* ---- fish ---- */

static void fish_option(const struct option_row *option, const char *verb) {
    if (*verb == '\0')
        fputs("complete -c heddlectl -n __fish_use_subcommand", stdout);
    else
        printf("complete -c heddlectl -n '__fish_seen_subcommand_from %s'", verb);
    printf(" -l %s", option->name);
    if (option->letter != 0)
        printf(" -s %c", option->letter);
    if (option->type->placeholder != NULL)
        fputs(wants_file(option->type->placeholder) ? " -r -F" : " -x", stdout);
    if (option->type->word != NULL) {
        fputs(" -a '", stdout);
        print_words(option->type->word);
        putchar('\'');
    }
    fputs(" -d '", stdout);
    print_quoted(option->help, "\\");
    puts("'");
}

static void fish_verb(const struct command *command) {
    printf("complete -c heddlectl -n __fish_use_subcommand -a %s -d '", command->name);
    print_quoted(command->summary, "\\");
    puts("'");
    each_option(command->sets, fish_option, command->name);
    if (command->word != NULL) {
        printf("complete -c heddlectl -n '__fish_seen_subcommand_from %s' -a '", command->name);
        print_words(command->word);
        puts("'");
    }
    if (wants_file(command->operands) || command->until_operand)
        printf("complete -c heddlectl -n '__fish_seen_subcommand_from %s' -F\n", command->name);
}

static void print_fish(void) {
    puts("# fish completion for heddlectl: heddlectl completion fish | source\n"
         "complete -c heddlectl -f");
    each_option(global_sets, fish_option, "");
    for (size_t i = 0; commands[i] != NULL; i++)
        fish_verb(commands[i]);
}

/* ---- the verb ---- */

static const struct {
    const char *name;
    void (*print)(void);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

enum { SHELLS = sizeof shells / sizeof shells[0] };

static const char *shell_word(unsigned index) {
    return index < SHELLS ? shells[index].name : NULL;
}

static int completion_run(struct cli *cli) {
    if (cli->operand_count != 1)
        return cli_usagef(cli, "for which shell? (bash, zsh, fish)");
    for (size_t i = 0; i < SHELLS; i++) {
        if (strcmp(cli->operands[0], shells[i].name) == 0) {
            shells[i].print();
            return EXIT_OK;
        }
    }
    return cli_usagef(cli, "\"%s\" is none of bash, zsh, fish", cli->operands[0]);
}

static const option_set completion_sets[] = {CLI_OPTIONS_LOCAL, {0}};

const struct command command_completion = {.name = "completion",
                                           .operands = "bash|zsh|fish",
                                           .summary = "print what a shell needs to complete heddlectl",
                                           .examples =
                                               "eval \"$(heddlectl completion bash)\"\n"
                                               "heddlectl completion zsh > \"${fpath[1]}/_heddlectl\"\n"
                                               "heddlectl completion fish | source\n",
                                           .sets = completion_sets,
                                           .word = shell_word,
                                           .run = completion_run};
