# Findings: planted programs and their healthy twins.
TAPS += tests/findings/findings.t tests/findings/schema.t tests/findings/deletes.t
DELETES := $(addprefix $(BUILD)/programs/,deletes deletes_own deletes_asan)
TESTS   += $(DELETES)
deletes_own_FLAGS  := -DOWN
deletes_asan_FLAGS := -fsanitize=address -fsanitize-recover=address
$(DELETES): tests/findings/deletes.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -O1 -g -fno-builtin -w $($(@F)_FLAGS) -o $@ $<
$(eval $(call add-tap-test,test_growth,tests/findings/test_growth.c,libvt_analyzer,$(VALTRACE_LIBS)))
