# make tarball: build/valtrace-VERSION-x86_64-linux.tar.zst, a folder that may be unpacked anywhere, on any x86-64 Linux
# from 3.10 on, and copied into a container: its bin/valtrace needs nothing that is installed.
TARBALL_NAME := valtrace-$(VERSION)-x86_64-linux
TARBALL      := $(BUILD)/$(TARBALL_NAME).tar.zst

$(BUILD)/tarball/launcher: tools/tarball/launcher.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) $(WARN) -D_GNU_SOURCE -O2 -static -o $@ $<

# Linked without debug information, which names the folder it was made in: build-ids are made of all that is linked.
$(eval $(call link-file,tarball/valtrace,analyzer/cli/main.c,libvt_analyzer,$(VALTRACE_LIBS) -Xlinker --strip-debug))
$(eval $(call link-shim,$(BUILD)/tarball/libvaltrace.so,-Xlinker --strip-debug))

# What is of use on another machine; the allocators' library is not.
TARBALL_ITEMS = $(subst $(SHIM),$(BUILD)/tarball/libvaltrace.so,$(filter-out %:bin/valtrace %.pc,\
  $(INSTALLS_valtrace) $(INSTALLS_libvaltrace-dev)))

.PHONY: tarball
tarball: all $(addprefix $(BUILD)/tarball/,launcher valtrace libvaltrace.so)
	@rm -rf $(BUILD)/tarball/stage
	@for item in $(TARBALL_ITEMS); do \
	  mode=$${item%%:*} rest=$${item#*:}; \
	  install -D -m $$mode "$${rest%%:*}" "$(BUILD)/tarball/stage/$(TARBALL_NAME)/$${rest#*:}" || exit 1; \
	done
	@tools/tarball/bundle $(BUILD) $(BUILD)/tarball/stage $(TARBALL_NAME) $(TARBALL)
	@echo "$(TARBALL)"
