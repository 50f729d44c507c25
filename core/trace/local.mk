# The freestanding part of tracing: plain objects for tests and the analyzer; the shim compiles the
# same sources as position independent code.
VTCORE_SRC := $(wildcard core/trace/*.c)
$(eval $(call add-lib,libvtcore,$(VTCORE_SRC)))

# The unwinder is hot, so without frame pointers; and it reads other functions' stack frames, which
# AddressSanitizer would report.
UNWIND_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard core/trace/unwind*.c)) \
              $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard core/trace/unwind*.c))
$(UNWIND_OBJ): OPT := $(OPT_HOT)
$(UNWIND_OBJ): SANFLAGS := $(if $(filter-out address,$(SAN)),$(SANFLAGS))

# The tests are about code without frame pointers.
$(BUILD)/obj/tests/unit/trace/%.o: OPT := $(OPT_HOT)
$(eval $(call add-tap-test,test_unwind,tests/unit/trace/test_unwind.c,libvtcore,-lpthread))
