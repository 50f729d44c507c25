# make install, make uninstall: below DESTDIR/PREFIX. An installed tree may be moved: the command
# finds the library and its scripts from its own path.
PREFIX  ?= /usr/local
DESTDIR ?=
# Where distributions differ, relative to PREFIX: libraries; the shim, which no linker looks for; zsh's functions.
LIBDIR  ?= lib
SHIMDIR ?= $(LIBDIR)
ZSHDIR  ?= share/zsh/site-functions

# What is installed, by package: who installs the tracer does not get the allocators' library. Every file is one word
# MODE:FILE:PLACE, PLACE being relative to PREFIX.
PACKAGES ?= valtrace libvaltrace-dev libfd-dev fd-tools

INSTALLS_valtrace = 755:$(BUILD)/bin/valtrace:bin/valtrace \
  644:$(BUILD)/lib/libvaltrace.so:$(SHIMDIR)/libvaltrace.so \
  $(foreach m,$(MAN_PAGES),644:$(m):share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
  $(foreach f,LICENSE CHANGELOG.md,644:$(f):share/doc/valtrace/$(f)) \
  644:tools/known.supp:share/valtrace/known.supp \
  644:tools/cmake/FindValtrace.cmake:share/valtrace/cmake/FindValtrace.cmake \
  $(foreach s,$(wildcard tools/schema/*.json),644:$(s):share/valtrace/$(s:tools/%=%)) \
  644:tools/completion/valtrace.bash:share/bash-completion/completions/valtrace \
  644:tools/completion/_valtrace:$(ZSHDIR)/_valtrace \
  644:tools/completion/valtrace.fish:share/fish/vendor_completions.d/valtrace.fish \
  $(foreach f,$(shell find tools/html -type f -not -name '*.pyc' 2>/dev/null),644:$(f):share/valtrace/$(f:tools/%=%))
INSTALLS_libvaltrace-dev = $(foreach h,$(wildcard include/valtrace/*.h),644:$(h):$(h)) \
  644:$(BUILD)/pkgconfig/valtrace.pc:$(LIBDIR)/pkgconfig/valtrace.pc
INSTALLS_libfd-dev = 644:$(BUILD)/lib/libfd.a:$(LIBDIR)/libfd.a \
  $(foreach h,$(shell find include/fd -name '*.h'),644:$(h):$(h)) \
  644:$(BUILD)/pkgconfig/fd.pc:$(LIBDIR)/pkgconfig/fd.pc
INSTALLS_fd-tools = $(foreach b,fd_wksp_ctl fd_shmem_ctl,755:$(BUILD)/bin/$(b):bin/$(b)) \
  755:tools/leak_detector.py:bin/valtrace-leak-detector
INSTALLS = $(foreach p,$(PACKAGES),$(INSTALLS_$(p)))

# Folders that are ours alone; uninstall removes them when they are empty.
OWN_FOLDERS := include/fd include/valtrace share/valtrace share/doc/valtrace

.PHONY: install uninstall installed pkgconfig
pkgconfig:
	@mkdir -p $(BUILD)/pkgconfig
	@for name in valtrace fd; do \
	  sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@FD_DEFS@|$(strip $(FD_DEFS))|' \
	    -e 's|@FD_LDLIBS@|$(FD_LDLIBS)|' tools/install/$$name.pc.in >$(BUILD)/pkgconfig/$$name.pc || exit 1; \
	done
install: all pkgconfig
	@for item in $(INSTALLS); do \
	  mode=$${item%%:*} rest=$${item#*:}; \
	  install -D -m $$mode "$${rest%%:*}" "$(DESTDIR)$(PREFIX)/$${rest#*:}" || exit 1; \
	done
	@echo "installed in $(DESTDIR)$(PREFIX)"
# What `make install` installs, a line each.
installed:
	@printf '%s\n' $(foreach item,$(INSTALLS),$(PREFIX)/$(lastword $(subst :, ,$(item))))
uninstall:
	@for item in $(INSTALLS); do rm -f "$(DESTDIR)$(PREFIX)/$${item##*:}"; done
	@for folder in $(OWN_FOLDERS); do \
	  [ ! -d "$(DESTDIR)$(PREFIX)/$$folder" ] || find "$(DESTDIR)$(PREFIX)/$$folder" -type d -empty -delete; \
	done
