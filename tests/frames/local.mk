# Virtual frames: the interpreters' own view against what is recorded.
TAPS  += tests/frames/python.t tests/frames/opened.t
LONG  += tests/frames/hazards_long.t tests/frames/opened_long.t tests/frames/tracemalloc_long.t
TESTS += $(BUILD)/programs/libframes.so $(BUILD)/programs/opens
$(BUILD)/programs/opens: tests/frames/opens.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) $(P_CFLAGS) -o $@ $< -ldl -lpthread
$(BUILD)/programs/libframes.so: tests/frames/native.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) $(P_CFLAGS) -fPIC -shared -o $@ $<
