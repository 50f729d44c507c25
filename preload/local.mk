# The shim. It links the freestanding tracing core as position-independent code and libc, nothing else.
SHIM_SRC := $(wildcard preload/*.c preload/*.S) $(wildcard core/trace/*.c) $(wildcard core/trace/frames/*.c)
SHIM     := $(BUILD)/lib/libvaltrace.so
LIBS     += $(SHIM)

# $(eval $(call link-shim,FILE,FLAGS))
define link-shim
$(1): $(call pics,$(SHIM_SRC)) preload/libvaltrace.map
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -shared -o $$@ $$(filter %.o,$$^) -Wl,--version-script=preload/libvaltrace.map \
	  -Wl,-soname,libvaltrace.so -Wl,-z,defs,-z,relro,-z,now -Wl,--as-needed $(2)
endef
$(eval $(call link-shim,$(SHIM),))
# Registers of SSE are spilled to aligned slots, and programs call malloc with stacks that are not.
GENERAL_REGS = $(if $(filter x86_64,$(shell uname -m)),-mgeneral-regs-only)
PIC_CFLAGS = -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-exceptions \
             -fasynchronous-unwind-tables -fno-builtin-malloc -fno-builtin-calloc -fno-stack-protector \
             -fno-plt $(OPT_HOT) $(GENERAL_REGS)
