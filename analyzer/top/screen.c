/* See screen.h. */
#include "analyzer/top/screen.h"
#include "analyzer/cli/installed.h"
#include "analyzer/report/json.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>
#undef lines /* term.h's names for what a terminal says of itself */
#undef columns

#define LINE_MAX_CHARS 1024

static SCREEN *screen;
static int utf8;
static volatile sig_atomic_t asked_to_end;

static void on_end(int signal) {
  (void)signal;
  asked_to_end = 1;
}

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_end}; /* no SA_RESTART: waiting ends */
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
}

int vt_screen_possible(vt_error_t *error) {
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) return 0;
  vt_error_set(error, "top", "standard input or output is no terminal", "`valtrace report TRACE` prints the same numbers");
  return -1;
}

/* new_screen: where the system does not know the terminal, as in an empty container, the descriptions beside this
   program may. */
static SCREEN *new_screen(void) {
  char descriptions[PATH_MAX];
  SCREEN *made = newterm(NULL, stdout, stdin);
  if (made || vt_installed_find("terminfo", descriptions)) return made;
  setenv("TERMINFO", descriptions, 1);
  return newterm(NULL, stdout, stdin);
}

int vt_screen_start(vt_error_t *error) {
  char const *term = getenv("TERM");
  setlocale(LC_CTYPE, "");
  utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
  screen = new_screen();
  char *moves = screen ? tigetstr("cup") : NULL;
  if (!moves || moves == (char *)-1) {
    if (screen) vt_screen_stop();
    vt_error_setf(error, "top", "set TERM to what the terminal is, as xterm or vt100", "the terminal \"%.40s\" is not known, or cannot do it",
                  term ? term : "");
    return -1;
  }
  catch_signals();
  cbreak();
  noecho();
  nonl();
  set_escdelay(50);
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  curs_set(0);
  if (has_colors() && !getenv("NO_COLOR") && start_color() == OK && use_default_colors() == OK) {
    init_pair(1, COLOR_YELLOW, -1);
    init_pair(2, COLOR_CYAN, -1);
  }
  return 0;
}

void vt_screen_stop(void) {
  endwin();
  delscreen(screen);
  screen = NULL;
}

void vt_screen_size(int *lines, int *columns) {
  *lines = LINES;
  *columns = COLS;
}

int vt_screen_utf8(void) { return utf8; }
void vt_screen_clear(void) { erase(); }
void vt_screen_show(void) { refresh(); }

static attr_t attributes(vt_screen_style_t style) {
  switch (style) {
  case VT_SCREEN_TITLE: return A_BOLD;
  case VT_SCREEN_FAINT: return COLOR_PAIR(2);
  case VT_SCREEN_REVERSE: return A_REVERSE;
  case VT_SCREEN_WARNING: return A_BOLD | COLOR_PAIR(1);
  default: return A_NORMAL;
  }
}

/* next_char takes a character off the text; one that there is not in this locale is '?', and micro is u. */
static wchar_t next_char(char const **text, size_t *left) {
  static char const micro[] = "\u00b5";
  size_t n = vt_json_utf8_sz(*text, *left);
  mbstate_t state = {0};
  wchar_t c = L'?';
  if (n == 1)
    c = (unsigned char)**text;
  else if (n && utf8)
    mbrtowc(&c, *text, n, &state);
  else if (n == sizeof micro - 1 && !memcmp(*text, micro, n))
    c = L'u';
  if (!n) n = 1;
  *text += n;
  *left -= n;
  return wcwidth(c) < 0 ? L'?' : c;
}

int vt_screen_text(int line, int column, int columns, vt_screen_style_t style, char const *text) {
  wchar_t out[LINE_MAX_CHARS];
  size_t left = strlen(text), cnt = 0;
  int used = 0;
  if (columns > COLS - column) columns = COLS - column;
  while (left && cnt < LINE_MAX_CHARS) {
    wchar_t c = next_char(&text, &left);
    if (used + wcwidth(c) > columns) break;
    used += wcwidth(c);
    out[cnt++] = c;
  }
  attrset(attributes(style));
  if (cnt) mvaddnwstr(line, column, out, (int)cnt);
  attrset(A_NORMAL);
  return used;
}

void vt_screen_line(int line, vt_screen_style_t style, char const *text) {
  int used = vt_screen_text(line, 0, COLS, style, text);
  attrset(attributes(style));
  for (; used < COLS; used++) mvaddch(line, used, ' ');
  attrset(A_NORMAL);
}

static int key_of(int c) {
  switch (c) {
  case ERR: return VT_KEY_NONE;
  case KEY_RESIZE: return VT_KEY_RESIZED;
  case KEY_UP: return VT_KEY_UP;
  case KEY_DOWN: return VT_KEY_DOWN;
  case KEY_PPAGE: return VT_KEY_PAGE_UP;
  case KEY_NPAGE: return VT_KEY_PAGE_DOWN;
  case KEY_HOME: return VT_KEY_HOME;
  case KEY_END: return VT_KEY_END;
  case KEY_ENTER:
  case '\r':
  case '\n': return VT_KEY_ENTER;
  case KEY_BACKSPACE:
  case KEY_DC:
  case 127:
  case '\b': return VT_KEY_ERASE;
  case 27: return VT_KEY_ESCAPE;
  case 12: return VT_KEY_RESIZED; /* ^L: draw anew */
  default: return c >= 32 && c < 256 ? c : VT_KEY_NONE;
  }
}

int vt_screen_key(uint64_t for_ns) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  struct timespec wait = {(time_t)(for_ns / 1000000000u), (long)(for_ns % 1000000000u)};
  if (asked_to_end) return VT_KEY_QUIT;
  int key = key_of(getch());
  if (key != VT_KEY_NONE) return key;
  int ready = ppoll(&in, 1, for_ns == UINT64_MAX ? NULL : &wait, NULL);
  if (asked_to_end || (ready > 0 && !(in.revents & POLLIN))) return VT_KEY_QUIT;
  return key_of(getch());
}
