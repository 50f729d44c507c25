# The live view: reading a trace that grows, and the screen, looked at through tmux.
$(eval $(call add-test,test_follow,tests/top/test_follow.c,libvt_analyzer,$(VALTRACE_LIBS)))
TAPS += tests/top/follow.t tests/top/top.t tests/top/ways.t
