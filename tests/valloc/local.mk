# The valloc vtables and the reader of their text log.
$(call objs,tests/valloc/test_valloc.c): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-tap-test,test_valloc,tests/valloc/test_valloc.c,libfd,$$(FD_LDLIBS)))
TAPS += tests/valloc/leak_detector.t
