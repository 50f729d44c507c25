/* The HTML page itself: the template, which is part of this program, with the data put in. */
#ifndef VT_ANALYZER_PAGE_HTML_H
#define VT_ANALYZER_PAGE_HTML_H

#include <stdio.h>
#include "analyzer/page/page.h"

/* Bytes of a page; the parts of the data keep to it, this is the last check. */
#define VT_PAGE_SIZE_MAX 5000000

/* Makes the page: *page (the caller frees it), of the returned size, which should not be more than
   VT_PAGE_SIZE_MAX. */
size_t vt_page_html(vt_page_contents_t const *contents, char **page);

#endif
