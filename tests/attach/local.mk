# Recording processes that run already.
$(eval $(call add-tap-test,test_gate,tests/attach/test_gate.c,libvtcore,-lelf))
TAPS  += tests/attach/attach.t tests/attach/still.t tests/attach/loading.t
LONG  += tests/attach/hazards.t tests/attach/cycles.t
TESTS += $(addprefix $(BUILD)/programs/,churn churn_static churn_jemalloc operators_counted inside still iterating loading libloading.so valtrace_without_move_out valtrace_without_returned_to valtrace_taken)
churn_static_LIBS   := -static
churn_jemalloc_LIBS := $(jemalloc_LIBS) -lstdc++
$(addprefix $(BUILD)/programs/,churn churn_static churn_jemalloc): tests/attach/churn.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(DEFS) -O1 -g -fno-builtin $(WARN) -o $@ $< $($(@F)_LIBS) -lpthread
$(BUILD)/programs/operators_counted: tests/attach/operators.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -O0 -g -fno-builtin $(WARN) -o $@ $<
$(BUILD)/programs/loading: tests/attach/loading.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(DEFS) -O1 -g -fno-builtin $(WARN) -rdynamic -o $@ $< -lpthread -ldl
$(BUILD)/programs/libloading.so: tests/attach/loading.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(DEFS) -O1 -g -fno-builtin $(WARN) -DPLUGIN -fPIC -shared -o $@ $<
$(addprefix $(BUILD)/programs/,inside still iterating): $(BUILD)/programs/%: tests/attach/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(DEFS) -O1 -g -fno-builtin $(WARN) -o $@ $< -lpthread -ldl
$(BUILD)/programs/valtrace_without_%: $(call objs,analyzer/cli/main.c tests/attach/without.c) $(BUILD)/lib/libvt_analyzer.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=vt_entries_$* -o $@ $^ $(VALTRACE_LIBS)
$(BUILD)/programs/valtrace_taken: $(call objs,analyzer/cli/main.c tests/attach/taken.c) $(BUILD)/lib/libvt_analyzer.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=vt_space_room -o $@ $^ $(VALTRACE_LIBS)
