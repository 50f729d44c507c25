# The valloc vtables and the reader of their text log; test_same_report_fixed is loaded where it was
# linked to.
VALLOC_PROGRAMS := test_valloc test_same_report
$(call objs,$(VALLOC_PROGRAMS:%=tests/valloc/%.c)): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-tap-test,test_valloc,tests/valloc/test_valloc.c,libfd,$$(FD_LDLIBS)))
$(eval $(call add-test,test_same_report,tests/valloc/test_same_report.c,libfd,$$(FD_LDLIBS)))
$(eval $(call add-test,test_same_report_fixed,tests/valloc/test_same_report.c,libfd,-no-pie $$(FD_LDLIBS)))
TAPS += tests/valloc/leak_detector.t tests/valloc/same_report.t
