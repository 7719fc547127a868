/* The types of options that only jobs have. */
#ifndef CTL_SPEC_TYPES_H
#define CTL_SPEC_TYPES_H

#include "options.h"

extern const option_type type_loop;     /* wire_loop */
extern const option_type type_after;    /* wire_after *; the count is the field behind it */
extern const option_type type_env;      /* wire_strings */
extern const option_type type_label;    /* wire_strings */
extern const option_type type_header;   /* wire_strings */
extern const option_type type_input;    /* wire_bytes: a file's content, or stdin's */
extern const option_type type_body;     /* wire_bytes: the text, or after @ a file's content */
extern const option_type type_script;   /* wire_job: a script's file, or stdin, and what it requires */
extern const option_type type_code;     /* wire_job: a script's code */
extern const option_type type_url;      /* const char * */
extern const option_type type_method;   /* const char * */
extern const option_type type_folder;   /* const char * */
extern const option_type type_argument; /* wire_strings */
extern const option_type type_path;     /* wire_strings */
extern const option_type type_parallel; /* uint32_t, at least 1 */
extern const option_type type_units;    /* uint64_t */

#endif
