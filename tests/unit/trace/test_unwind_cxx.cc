/* Exceptions in flight: destructors in landing pads, catch clauses, a terminate handler on top of
   the throwing frames, and exceptions that cross the frames of the memo. Oracles: shadow.h. */
#include <exception>
#include <setjmp.h>
#include <stdexcept>
extern "C" {
#include "core/trace/unwind.h"
}
#include "tests/unit/trace/shadow.h"

static flow_t flow;
static jmp_buf target;

NOINLINE static void leaf() {
  ENTER();
  flow_capture(&flow);
  LEAVE();
}

namespace {
/* Captures while its frame is being left, whichever way. */
struct Guard {
  uint32_t cnt = shadow->cnt;
  NOINLINE ~Guard() {
    shadow->cnt = cnt;
    ENTER();
    flow_capture(&flow);
    LEAVE();
  }
};
} // namespace

NOINLINE static void throws(uint32_t depth) {
  ENTER();
  Guard guard;
  leaf();
  if (depth) throws(depth - 1);
  if (!depth) throw std::runtime_error("thrown");
  LEAVE();
}

NOINLINE static void catches(uint32_t depth) {
  ENTER();
  uint32_t cnt = shadow->cnt;
  try {
    throws(depth);
  } catch (std::runtime_error const &) {
    shadow->cnt = cnt;
    leaf();
    try {
      throws(depth / 2);
    } catch (...) {
      shadow->cnt = cnt;
      leaf();
    }
  }
  leaf();
  LEAVE();
}

[[noreturn]] static void on_terminate() {
  ENTER_GAP();
  flow_capture(&flow);
  longjmp(target, 1);
}

NOINLINE static void throws_anything(bool really) {
  ENTER();
  leaf();
  if (really) throw 1;
  LEAVE();
}

NOINLINE static void never_throws() noexcept {
  ENTER();
  throws_anything(true);
  LEAVE();
}

static void test_terminate() {
  uint32_t cnt = shadow->cnt;
  std::set_terminate(on_terminate);
  if (!setjmp(target)) never_throws();
  shadow->cnt = cnt;
  flow_verdict(&flow, "terminate handler above the throw");
}

int main() {
  shadow = shadow_new();
  vt_unwind_global_init(map_zeroed(VT_UNWIND_GLOBAL_SZ), VT_UNWIND_GLOBAL_SZ);
  flow_init(&flow, 1);
  for (uint32_t i = 0; i < 60; i++) catches(i % 13);
  flow_verdict(&flow, "exceptions");
  test_terminate();
  return done_testing();
}
