/* What of the page is plain HTML: text that a browser without JavaScript shows. Names come from
   foreign programs: markup is escaped, control and direction characters are replaced. */
#ifndef VT_ANALYZER_PAGE_PLAIN_H
#define VT_ANALYZER_PAGE_PLAIN_H

#include <stdio.h>
#include "analyzer/page/page.h"

/* The programs' names: "cc1 and 3 more", of two sides with an arrow between. */
void vt_page_programs(vt_page_contents_t const *contents, FILE *out);

/* The numbers of the summary and the top functions, each charged with what its stacks have outside
   of allocators and run-time libraries; hides what needs scripts. */
void vt_page_plain(vt_page_contents_t const *contents, vt_page_tree_t const *tree, FILE *out);

#endif
