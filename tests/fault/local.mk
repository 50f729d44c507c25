# The shim built to ask a fault table before every system call, with a `valtrace` beside it that finds
# it; and the programs run under it.
FAULT      := $(BUILD)/fault
FAULT_SHIM := $(FAULT)/lib/libvaltrace.so
TESTS      += $(FAULT_SHIM) $(FAULT)/bin/valtrace
TAPS       += tests/fault/shim.t tests/fault/bad_input.t
LONG       += tests/fault/strace.t

$(FAULT)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DVT_SYS_FAULTS $(filter-out $(SANFLAGS),$(CFLAGS)) $(PIC_CFLAGS) -c -o $@ $<
$(FAULT)/pic/%.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -g -fPIC -c -o $@ $<
FAULT_OBJ := $(patsubst $(BUILD)/pic/%,$(FAULT)/pic/%,$(call pics,$(SHIM_SRC) tests/fault/faults.c))
$(FAULT_SHIM): $(FAULT_OBJ) preload/libvaltrace.map
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -o $@ $(filter %.o,$^) -Wl,--version-script=preload/libvaltrace.map \
	  -Wl,-soname,libvaltrace.so -Wl,-z,defs,-z,relro,-z,now -Wl,--as-needed
$(FAULT)/bin/valtrace: $(BUILD)/bin/valtrace
	@mkdir -p $(@D)
	$(Q)cp $< $@
-include $(shell find $(FAULT)/pic -name "*.d" 2>/dev/null)
