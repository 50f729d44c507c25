# make tarball: build/valtrace-VERSION-x86_64-linux.tar.zst, a folder that may be unpacked anywhere, on any x86-64 Linux
# from 3.10 on, and copied into a container: its bin/valtrace needs nothing that is installed.
TARBALL_NAME := valtrace-$(VERSION)-x86_64-linux
TARBALL      := $(BUILD)/$(TARBALL_NAME).tar.zst

$(BUILD)/tarball/launcher: tools/tarball/launcher.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) $(WARN) -D_GNU_SOURCE -O2 -static -o $@ $<

# What is of use on another machine; the allocators' library is not.
TARBALL_ITEMS = $(filter-out %.pc,$(INSTALLS_valtrace) $(INSTALLS_libvaltrace-dev))

.PHONY: tarball
tarball: all $(BUILD)/tarball/launcher
	@rm -rf $(BUILD)/tarball/stage
	@for item in $(TARBALL_ITEMS); do \
	  mode=$${item%%:*} rest=$${item#*:}; \
	  install -D -m $$mode "$${rest%%:*}" "$(BUILD)/tarball/stage/$(TARBALL_NAME)/$${rest#*:}" || exit 1; \
	done
	@tools/tarball/bundle $(BUILD) $(BUILD)/tarball/stage $(TARBALL_NAME) $(TARBALL)
	@echo "$(TARBALL)"
