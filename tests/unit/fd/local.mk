# Unit tests of the fd_* utilities; everything in this folder sees the library's definitions.
FD_TESTS := $(wildcard tests/unit/fd/*.c)
$(call objs,$(FD_TESTS)): CPPFLAGS += $(FD_DEFS)
$(foreach src,$(FD_TESTS),$(eval $(call add-tap-test,$(basename $(notdir $(src))),$(src),libfd,$(FD_LDLIBS))))
TAPS += tests/unit/fd/headers.t
