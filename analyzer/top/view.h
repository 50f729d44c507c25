/* What is looked at and how: the state of a live view, which keys change and which is drawn. */
#ifndef VT_ANALYZER_TOP_VIEW_H
#define VT_ANALYZER_TOP_VIEW_H

#include "analyzer/report/follow.h"
#include "analyzer/top/pace.h"
#include "analyzer/top/past.h"
#include "analyzer/top/table.h"

typedef enum { VT_TOP_TABLE, VT_TOP_STACK, VT_TOP_HELP } vt_top_page_t;

/* What is typed into the last line. */
typedef enum { VT_TOP_NOTHING, VT_TOP_FILTER, VT_TOP_MARK, VT_TOP_FILE } vt_top_prompt_t;

typedef struct {
  char const *pid; /* as the user gave it, or the trace says it */
  int by_pid;      /* the user gave it: the view goes on with what the process executes */
  int awaits_next; /* the process has executed another program, whose trace is not there yet */
  vt_follow_t follow;
  vt_past_t reference;      /* what growth is counted from */
  char reference_name[80];  /* "the start", … */
  vt_past_t before, latest; /* the last two looks */
  unsigned anew;            /* follow.anew when they were taken */
  vt_pace_t pace;
  vt_top_choice_t choice;
  char filter[64]; /* choice.filter */
  vt_top_table_t table;
  size_t selected, top_row; /* of the table: the row that is marked, the first that is shown */
  vt_top_page_t page;
  vt_top_prompt_t prompt;
  char typed[200];
  char message[300]; /* until the next key */
  size_t told;       /* reasons why the record is not complete that have been told */
  int paused, reading;
} vt_top_view_t;

/* vt_top_view_open begins with the trace at a path. Returns 0, or -1 and *error. */
int vt_top_view_open(vt_top_view_t *view, char const *path, vt_error_t *error);

/* vt_top_view_update takes over what a look has brought. */
void vt_top_view_update(vt_top_view_t *view);

/* vt_top_view_table makes the table anew, after a choice has changed. */
void vt_top_view_table(vt_top_view_t *view);

/* vt_top_view_refer makes now the moment that growth is counted from; start: the beginning of the trace. */
void vt_top_view_refer(vt_top_view_t *view, char const *name, int start);

__attribute__((format(printf, 2, 3))) void vt_top_view_say(vt_top_view_t *view, char const *format, ...);

/* vt_top_view_close forgets the trace; what the user has chosen stays. */
void vt_top_view_close(vt_top_view_t *view);

#endif
