# valtrace: one top Makefile; every folder's local.mk says what it adds.
#
#   make            build/bin/valtrace and build/lib/libvaltrace.so (and build/lib/libfd.a)
#   make tests      build/bin/test_*
#   make test       set-up (tools/deps core), lint-free fast tests, under 3 minutes
#   make check-long everything, also what needs browsers, heaptrack or clang (tools/deps full); VALTEST_LONG=1 is
#                   set then, by which tests of `make test`, too, try all that there is instead of a sample
#   make check-nightly  the same, and the tarball in root folders of four Debian releases (fetches packages, needs root)
#   make install    into DESTDIR/PREFIX (/usr/local); make uninstall
#   make deb, rpm, tarball  packages below build/ (needs the packages of tools/deps full)
#   make demo       record a real gcc compile with its children and print cc1's report
#   make SAN=address|thread|undefined test   the same in its own build folder
#   make OWN_OBJECTS=1 test   the same without _dl_find_object, as on glibc before 2.35

SAN   ?=
BUILD := build$(if $(SAN),/san-$(SAN))$(if $(OWN_OBJECTS),/own-objects)
JOBS  ?= $(shell nproc)

CC       ?= gcc
CXX      ?= g++
CSTD     := -std=gnu17
WARN     := -Wall -Wextra -Werror -Wpointer-arith -Wwrite-strings -Wshadow
OPT      := -O2 -g -fno-omit-frame-pointer
OPT_HOT  := -O2 -g -fomit-frame-pointer
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
DEFS     := -D_GNU_SOURCE $(if $(OWN_OBJECTS),-DVT_OWN_OBJECTS)
INC      := -I. -Iinclude
CPPFLAGS += $(DEFS) $(INC)
CFLAGS   += $(CSTD) $(OPT) $(WARN) $(SANFLAGS) -MMD -MP
LDFLAGS  += $(SANFLAGS)

# The fd_* family is compiled for the machine model of the interface contract.
FD_DEFS := -D_XOPEN_SOURCE=700 -DFD_HAS_HOSTED=1 -DFD_HAS_THREADS=1 -DFD_HAS_ATOMIC=1 -DFD_HAS_INT128=1 \
           -DFD_HAS_DOUBLE=1 -DFD_HAS_ALLOCA=1 -DFD_HAS_X86=1 -DFD_HAS_LZ4=1

Q := $(if $(V),,@)# V=1 shows every command

LIBS  :=
BINS  :=
TESTS := # C test programs: build/bin/test_*
TAPS  := # what `make test` runs under prove
LONG  := # what `make check-long` runs besides

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# $(call objs,SOURCES) / $(call pics,SOURCES): the object files of sources, plain or position independent.
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter %.c,$(1))) $(patsubst %.cc,$(BUILD)/obj/%.o,$(filter %.cc,$(1)))
pics = $(patsubst %.c,$(BUILD)/pic/%.o,$(filter %.c,$(1))) $(patsubst %.S,$(BUILD)/pic/%.o,$(filter %.S,$(1)))

# $(eval $(call add-lib,NAME,SOURCES)): build/lib/NAME.a
define add-lib
LIBS += $(BUILD)/lib/$(1).a
$(BUILD)/lib/$(1).a: $(call objs,$(2))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef

# $(eval $(call add-bin,NAME,SOURCES,ARCHIVES,LDLIBS)): build/bin/NAME; link-file: any FILE below build/
define link-file
$(BUILD)/$(1): $(call objs,$(2)) $(patsubst %,$(BUILD)/lib/%.a,$(3))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $(4)
endef
define add-bin
BINS += $(BUILD)/bin/$(1)
$(call link-file,bin/$(1),$(2),$(3),$(4))
endef

# $(eval $(call add-test,NAME,SOURCES,ARCHIVES,LDLIBS)): build/bin/NAME, built by `make tests`.
# $(eval $(call add-tap-test,…)): the same, speaks TAP and is run by `make test`.
define add-test
TESTS += $(BUILD)/bin/$(1)
$(call link-file,bin/$(1),$(2),$(3),$(4))
endef
define add-tap-test
TAPS += $(BUILD)/bin/$(1)
$(call add-test,$(1),$(2),$(3),$(4))
endef

include $(sort $(wildcard */local.mk */*/local.mk */*/*/local.mk))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(firstword $(subst /, ,$<))) -c -o $@ $<
$(BUILD)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(filter-out $(CSTD),$(CFLAGS)) -std=gnu++17 -c -o $@ $<
$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out $(SANFLAGS),$(CFLAGS)) $(PIC_CFLAGS) -c -o $@ $<
$(BUILD)/pic/%.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -g -fPIC -c -o $@ $<

.PHONY: all tests test test-only check-long check-nightly lint demo deps deps-full bench stress clean
all: $(LIBS) $(BINS)
tests: all $(TESTS)

deps:
	@tools/deps core
deps-full:
	@tools/deps full
test: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@$(MAKE) --no-print-directory test-only
# The shim is never instrumented, the command and the fd library are. A sanitized command is of no use where
# another allocator or a memory limit gets in its way, which is what these tests are about.
SAN_UNFIT := tests/fault/bad_input.t tests/install/install.t \
             $(addprefix tests/integration/,apis.t foreign.t format.t terminal.t) \
             tests/memory/account.t tests/snapshot/planted.t $(BUILD)/bin/test_chunks
SAN_ENV   := ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
test-only:
	@$(if $(SAN),$(SAN_ENV)) BUILD=$(BUILD) tests/run $(if $(SAN),$(filter-out $(SAN_UNFIT),$(TAPS)),$(TAPS))
check-long: deps-full
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@VALTEST_LONG=1 BUILD=$(BUILD) tests/run $(TAPS) $(LONG)
check-nightly: check-long
	@$(MAKE) --no-print-directory matrix
lint:
	@tools/lint
demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) tools/demo
clean:
	rm -rf build

-include $(shell find $(BUILD)/obj $(BUILD)/pic -name '*.d' 2>/dev/null)
