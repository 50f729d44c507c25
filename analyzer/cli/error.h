/* One line on standard error for everything that goes wrong: `valtrace: what: why (what to do)`. */
#ifndef VT_ANALYZER_CLI_ERROR_H
#define VT_ANALYZER_CLI_ERROR_H

/* Exit statuses of the command line contract. */
enum {
  VT_EXIT_OK = 0,
  VT_EXIT_BUDGET = 1,
  VT_EXIT_USAGE = 2,
  VT_EXIT_INPUT = 3,
  VT_EXIT_OUTPUT = 4,
  VT_EXIT_RUN_FAILED = 125,
  VT_EXIT_CANNOT_EXECUTE = 126,
  VT_EXIT_NOT_FOUND = 127
};

/* What failed, why, and what the user can do about it. Filled by the part that failed, printed by
   the command. */
typedef struct {
  char what[512];
  char why[256];
  char advice[256];
} vt_error_t;

/* vt_error_set fills *e; strings that are too long are cut. */
void vt_error_set(vt_error_t *e, char const *what, char const *why, char const *advice);

/* vt_error_setf is vt_error_set with a formatted `why`. */
__attribute__((format(printf, 4, 5))) void vt_error_setf(vt_error_t *e, char const *what,
                                                         char const *advice, char const *why, ...);

/* vt_error_say prints the line. Control characters in the texts are replaced by '?'. */
void vt_error_say(char const *what, char const *why, char const *advice);

/* vt_error_usage says what is wrong about the use of a command, and that its --help tells; returns VT_EXIT_USAGE. */
int vt_error_usage(char const *command, char const *what, char const *why);

/* vt_error_print is vt_error_say for a filled vt_error_t. */
void vt_error_print(vt_error_t const *e);

#endif
