# Groove: the acceptance program, unit and stress tests, interleavings of the real code.
GROOVE_TAPS := test_groove_unit test_groove_stress test_groove_interleave
GROOVE_SRCS := $(GROOVE_TAPS:%=tests/groove/%.c) tests/groove/test_groove_data.c
$(call objs,$(GROOVE_SRCS)): CPPFLAGS += $(FD_DEFS)
# The interleaving test compiles the library's sources once more.
$(call objs,tests/groove/test_groove_interleave.c): CFLAGS += -Wno-shadow

$(foreach t,$(GROOVE_TAPS),$(eval $(call add-tap-test,$(t),tests/groove/$(t).c,libfd,$$(FD_LDLIBS))))
$(eval $(call add-test,test_groove_data,tests/groove/test_groove_data.c,libfd,$$(FD_LDLIBS)))
TAPS += tests/groove/groove_data.t
LONG += tests/groove/groove_long.t
