# The freestanding part of tracing: plain objects for tests and the analyzer; the shim compiles the
# same sources as position independent code.
VTCORE_SRC := $(wildcard core/trace/*.c) $(wildcard core/trace/frames/*.c)
$(eval $(call add-lib,libvtcore,$(VTCORE_SRC)))

# The unwinder is hot, so without frame pointers; and it reads other functions' stack frames, which
# AddressSanitizer would report.
UNWIND_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard core/trace/unwind*.c)) \
              $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard core/trace/unwind*.c))
$(UNWIND_OBJ): OPT := $(OPT_HOT)
$(UNWIND_OBJ): SANFLAGS := $(if $(filter-out address,$(SAN)),$(SANFLAGS))

# The tests are about code without frame pointers.
$(BUILD)/obj/tests/unit/trace/%.o: OPT := $(OPT_HOT)
$(BUILD)/obj/tests/unit/trace/%.o: CPPFLAGS += $(if $(SAN),-DSANITIZED=1)
$(eval $(call add-tap-test,test_unwind,tests/unit/trace/test_unwind.c,libvtcore,-lpthread))
$(eval $(call add-tap-test,test_unwind_hostile,tests/unit/trace/test_unwind_hostile.c,libvtcore,-lpthread -ldl))

# Libraries the tests load: $(call test-lib,NAME,SOURCE,FLAGS)
comma := ,
define test-lib
$(BUILD)/bin/$(1).so: $(2)
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CSTD) $$(OPT_HOT) $$(WARN) -fPIC -shared $(3) -o $$@ $$<
endef
$(eval $(call test-lib,libvtlazy,tests/unit/trace/lazy.c,-Wl$(comma)-z$(comma)lazy))
$(BUILD)/bin/test_unwind_hostile: | $(BUILD)/bin/libvtlazy.so
$(eval $(call test-lib,libvtswap_a,tests/unit/trace/swap.c,-DFRAME=4000))
$(eval $(call test-lib,libvtswap_b,tests/unit/trace/swap.c,-DFRAME=9000))
$(eval $(call test-lib,libvtswap_c,tests/unit/trace/swap.c,-DFRAME=50))
$(BUILD)/bin/test_unwind_unload: | $(patsubst %,$(BUILD)/bin/libvtswap_%.so,a b c)
$(eval $(call add-tap-test,test_unwind_unload,tests/unit/trace/test_unwind_unload.c,libvtcore,-lpthread -ldl))
$(eval $(call add-tap-test,test_unwind_cxx,tests/unit/trace/test_unwind_cxx.cc,libvtcore,-lstdc++))

$(BUILD)/obj/tests/bench/unwind/%.o: OPT := $(OPT_HOT)
$(eval $(call add-test,bench_unwind,tests/bench/unwind/bench_unwind.c,libvtcore,-ldl -lpthread))

# Real programs under a preloaded checker.
TESTS += $(BUILD)/bin/libvtchecker.so
TAPS += tests/unit/trace/unwind_programs.t
CHECKER_OBJ := $(call pics,tests/unit/trace/checker.c $(VTCORE_SRC))
$(BUILD)/bin/libvtchecker.so: $(CHECKER_OBJ)
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-z,now -o $@ $^ -ldl
$(eval $(call add-tap-test,test_unwind_libunwind,tests/unit/trace/test_unwind_libunwind.c,libvtcore,-ldl -lpthread))
