# Unit tests of the tracing core.
$(eval $(call add-tap-test,test_stream,tests/unit/trace/test_stream.c core/trace/stream.c core/trace/clock.c core/trace/pieces.c core/trace/sys.c core/trace/sink.c core/trace/sink_ring.c core/trace/sink_file.c,,))
$(eval $(call add-tap-test,test_object,tests/unit/trace/test_object.c core/trace/symbol.c core/trace/libc.c core/trace/sys.c core/trace/clock.c,,-ldl))
$(eval $(call add-tap-test,test_codes,tests/unit/trace/test_codes.c core/trace/frames/codes.c core/trace/sys.c,,))

# Unit tests of the trace format.
$(eval $(call add-tap-test,test_codec,tests/unit/trace/test_codec.c,libvt_analyzer,-lzstd))
$(eval $(call add-tap-test,test_reader,tests/unit/trace/test_reader.c,libvt_analyzer,-lzstd -lpthread -ldw -lelf -liberty))
$(eval $(call add-tap-test,test_writer,tests/unit/trace/test_writer.c,libvt_analyzer,-lzstd -lpthread -ldw -lelf -liberty))
