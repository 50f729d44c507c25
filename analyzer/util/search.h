/* Binary search in what is in order. */
#ifndef VT_ANALYZER_UTIL_SEARCH_H
#define VT_ANALYZER_UTIL_SEARCH_H

#include <stddef.h>

/* VT_FIRST_NOT is the index of the first of CNT entries for which BEFORE, an expression on the index named by
   I, does not hold; CNT when it holds for all. BEFORE holds for a first part of the entries and for none behind
   it, and is evaluated about log2(CNT) times. */
#define VT_FIRST_NOT(cnt, i, before)                                                               \
  __extension__({                                                                                  \
    size_t low_ = 0, high_ = (cnt);                                                                \
    while (low_ < high_) {                                                                         \
      size_t i = low_ + (high_ - low_) / 2;                                                        \
      if (before)                                                                                  \
        low_ = i + 1;                                                                              \
      else                                                                                         \
        high_ = i;                                                                                 \
    }                                                                                              \
    low_;                                                                                          \
  })

#endif
