# Names of generated code: a program that makes some and says so; real run-times in the long test.
TESTS += $(BUILD)/programs/made
$(BUILD)/programs/made: tests/jit/made.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -O1 -g -fomit-frame-pointer $(WARN) $(DEFS) -rdynamic -o $@ $<
TAPS += tests/jit/names.t
LONG += tests/jit/runtimes_long.t
