/* valtrace whose first plan takes room that is not free, as when another thread has mapped something there since: the linker puts
   this before the function (--wrap). */
#include "analyzer/patch/space.h"

uint64_t __real_vt_space_room(vt_space_t *space, uint64_t low, uint64_t high, uint64_t sz);
uint64_t __wrap_vt_space_room(vt_space_t *space, uint64_t low, uint64_t high, uint64_t sz);

uint64_t __wrap_vt_space_room(vt_space_t *space, uint64_t low, uint64_t high, uint64_t sz) {
  static int plans;
  return plans++ ? __real_vt_space_room(space, low, high, sz) : low;
}
