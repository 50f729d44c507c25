/* See memory.h. */
#include "analyzer/snapshot/memory.h"
#include "analyzer/util/search.h"

vt_area_t const *vt_areas_from(vt_areas_t const *areas, uint64_t address) {
  size_t low = VT_FIRST_NOT(areas->areas_cnt, i, areas->areas[i].end <= address);
  return low < areas->areas_cnt ? &areas->areas[low] : NULL;
}

vt_area_t const *vt_areas_find(vt_areas_t const *areas, uint64_t address) {
  vt_area_t const *a = vt_areas_from(areas, address);
  return a && a->start <= address ? a : NULL;
}
