# Unit tests of the tracing core.
$(eval $(call add-tap-test,test_stream,tests/unit/trace/test_stream.c core/trace/stream.c core/trace/clock.c core/trace/sink.c core/trace/sink_ring.c core/trace/sink_file.c,,))
