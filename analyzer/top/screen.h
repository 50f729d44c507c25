/* The terminal: the only file that knows ncurses. Text is untrusted: control characters and what the terminal's
   encoding does not have become '?'. One screen at a time; not thread safe. */
#ifndef VT_ANALYZER_TOP_SCREEN_H
#define VT_ANALYZER_TOP_SCREEN_H

#include <stdint.h>
#include "analyzer/cli/error.h"

typedef enum { VT_SCREEN_PLAIN, VT_SCREEN_TITLE, VT_SCREEN_FAINT, VT_SCREEN_REVERSE, VT_SCREEN_WARNING } vt_screen_style_t;

/* Keys that are no characters. */
enum {
  VT_KEY_NONE = -1,  /* nothing was typed in time */
  VT_KEY_QUIT = -2,  /* a signal asks to end, or the terminal is gone */
  VT_KEY_ENTER = 1000,
  VT_KEY_ESCAPE,
  VT_KEY_ERASE,
  VT_KEY_UP,
  VT_KEY_DOWN,
  VT_KEY_PAGE_UP,
  VT_KEY_PAGE_DOWN,
  VT_KEY_HOME,
  VT_KEY_END,
  VT_KEY_RESIZED
};

/* vt_screen_possible: are standard input and output a terminal? Returns 0, or -1 and *error. */
int vt_screen_possible(vt_error_t *error);

/* vt_screen_start takes over that terminal. Returns 0, or -1 and *error when it is none that is known. vt_screen_stop gives it back as it was. */
int vt_screen_start(vt_error_t *error);
void vt_screen_stop(void);

void vt_screen_size(int *lines, int *columns);
int vt_screen_utf8(void);

void vt_screen_clear(void);
/* vt_screen_text puts text at a place, cut after `columns` columns; returns how many it took. */
int vt_screen_text(int line, int column, int columns, vt_screen_style_t style, char const *text);
/* vt_screen_line puts text on a whole line, the rest of it in the same style. */
void vt_screen_line(int line, vt_screen_style_t style, char const *text);
void vt_screen_show(void);

/* vt_screen_key waits for a key for so long; UINT64_MAX: until there is one. A byte of a character is a key. */
int vt_screen_key(uint64_t for_ns);

#endif
