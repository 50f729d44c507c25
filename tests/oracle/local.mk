# The counting oracle: a preload of its own, built without sanitizers like the shim.
ORACLE := $(BUILD)/lib/libcount.so
TESTS += $(ORACLE)
$(ORACLE): tests/oracle/count.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -O2 -g -fPIC -shared -fexceptions -ftls-model=initial-exec $(DEFS) $(WARN) \
	  -fno-builtin -o $@ $<
