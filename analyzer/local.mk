# The valtrace command: all sources below analyzer/, found by wildcard.
VALTRACE_SRC  := $(wildcard analyzer/*/*.c)
VALTRACE_LIBS := -ldw -lelf -lZydis -lzstd -liberty -lsqlite3 -lncursesw -ltinfo -lz -lpthread -lm
# What tests link to: everything but main.
$(eval $(call add-lib,libvt_analyzer,$(filter-out analyzer/cli/main.c,$(VALTRACE_SRC)) core/trace/name.c core/trace/clock.c \
  core/trace/executable.c))
$(eval $(call add-bin,valtrace,analyzer/cli/main.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard analyzer/trace/*.c)): OPT := -O3 -g -fno-omit-frame-pointer

# The version is that of the file VERSION; the commit is told where there is one to ask. main.o is made
# again when either has changed.
VERSION := $(shell cat VERSION)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
$(BUILD)/obj/analyzer/cli/main.o: CPPFLAGS += -DVT_VERSION='"$(VERSION)"' -DVT_COMMIT='"$(COMMIT:%=commit %, )"'
$(BUILD)/obj/analyzer/cli/main.o: $(BUILD)/version
.PHONY: check-version
$(BUILD)/version: check-version
	@mkdir -p $(@D)
	@echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' >$@
