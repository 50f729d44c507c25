# Conformance to the published interface: one program per table, sample programs as third parties
# write them, and checks that sources compile from where they are published to live.
API_TAPS := $(basename $(notdir $(wildcard tests/api/test_api_*.c)))
API_PROGRAMS := api_values $(basename $(notdir $(wildcard tests/api/sample_*.c)))
$(call objs,$(wildcard tests/api/*.c)): CPPFLAGS += $(FD_DEFS)
# The samples include by the relative paths of the folder they are written for.
$(call objs,$(wildcard tests/api/sample_*.c)): CPPFLAGS += -Iinclude/fd/util/wksp -Iinclude/fd/util/valloc -Iinclude/fd/groove
$(foreach t,$(API_TAPS),$(eval $(call add-tap-test,$(t),tests/api/$(t).c,libfd,$$(FD_LDLIBS))))
$(foreach t,$(API_PROGRAMS),$(eval $(call add-test,$(t),tests/api/$(t).c,libfd,$$(FD_LDLIBS))))
TAPS += $(filter-out tests/api/reduced.t tests/api/deepasan.t,$(wildcard tests/api/*.t))
LONG += tests/api/reduced.t tests/api/deepasan.t
