/* See memory.h. */
#include "analyzer/snapshot/memory.h"

vt_area_t const *vt_areas_from(vt_areas_t const *areas, uint64_t address) {
  size_t low = 0, high = areas->areas_cnt;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (areas->areas[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low < areas->areas_cnt ? &areas->areas[low] : NULL;
}

vt_area_t const *vt_areas_find(vt_areas_t const *areas, uint64_t address) {
  vt_area_t const *a = vt_areas_from(areas, address);
  return a && a->start <= address ? a : NULL;
}
